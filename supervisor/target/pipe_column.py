"""One value of a pipe's SELECT: which key of evsup's row it is, or what is computed in its place."""

from collections.abc import Iterator
from dataclasses import dataclass

from shared.snowflake.tables import Column
from supervisor.target.column_type import holds
from supervisor.target.sql_functions import is_scalar
from supervisor.target.sql_words import NotUnderstood, Word, Words, closing, outside, shown


@dataclass(frozen=True, slots=True)
class Selected:
    """One value. `key` is the key of the row that it is, casts aside; None: anything else."""

    text: str
    key: str | None = None
    casts: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    """Why it may not be one value for each event."""

    def is_whole(self, column: Column) -> bool:
        """Whether it is what evsup sends for this column, unchanged."""
        return self.key == column.name and all(holds(cast, column.type) for cast in self.casts)


def selected(item: Words) -> Selected:
    """Read one value."""
    value = _without_alias(item)
    try:
        key, casts, rest = _path(value)
        if not rest:
            return Selected(shown(value), key, casts)
    except NotUnderstood:
        pass
    return Selected(shown(value), faults=tuple(_faults(value)))


def _path(value: Words) -> tuple[str, tuple[str, ...], Words]:
    """A key of the row with the casts around it, and what stands behind; raises when it is anything else."""
    key, casts, rest = _innermost(value)
    while rest and rest[0].says("::"):
        cast, rest = _type(rest[1:])
        casts = (*casts, cast)
    return key, casts, rest


def _innermost(value: Words) -> tuple[str, tuple[str, ...], Words]:
    """The key itself, or what stands in brackets or in CAST(… AS …)."""
    opened = 1 if value and value[0].says("CAST") else 0
    if len(value) <= opened or not value[opened].says("("):
        key, rest = _key(value)
        return key, (), rest
    end = closing(value, opened)
    key, casts, rest = _path(value[opened + 1 : end])
    if opened and rest and rest[0].says("AS"):
        cast, rest = _type(rest[1:])
        casts = (*casts, cast)
    if rest:
        raise NotUnderstood(shown(rest))
    return key, casts, value[end + 1 :]


def _key(value: Words) -> tuple[str, Words]:
    """`$1:KEY`, `$1['KEY']`, `s.$1:"KEY"`, not deeper."""
    at = 2 if len(value) > 2 and value[0].kind in ("name", "quoted") and value[1].says(".") else 0
    if not (len(value) > at + 2 and value[at].says("$1")):
        raise NotUnderstood(shown(value))
    if value[at + 1].says(":"):
        word, rest = value[at + 2], value[at + 3 :]
    elif value[at + 1].says("[") and value[at + 2].kind == "string" and len(value) > at + 3 and value[at + 3].says("]"):
        word, rest = value[at + 2], value[at + 4 :]
    else:
        raise NotUnderstood(shown(value))
    if word.kind not in ("name", "quoted", "string") or (rest and rest[0].says(":", ".", "[")):
        raise NotUnderstood(shown(value))
    return word.text, rest


def _type(rest: Words) -> tuple[str, Words]:
    """A type with its length."""
    if not rest or rest[0].kind != "name":
        raise NotUnderstood(shown(rest))
    if len(rest) > 1 and rest[1].says("("):
        end = closing(rest, 1)
        if any(word.kind != "number" and not word.says(",") for word in rest[2:end]):
            raise NotUnderstood(shown(rest))
        return f"{rest[0].name}({''.join(word.text for word in rest[2:end])})", rest[end + 1 :]
    return rest[0].name, rest[1:]


def _without_alias(item: Words) -> Words:
    """A value without the name that is given to it, which changes nothing."""
    outer = [at for at, _ in outside(item)]
    if len(outer) < 2 or item[-1].kind not in ("name", "quoted"):
        return item
    before = item[-2]
    if before.says("AS"):
        return item[:-2]
    follows_a_value = before.kind in ("name", "quoted", "string", "number") or before.says(")", "]")
    return item[:-1] if follows_a_value and not before.says("NOT", "IS", "AND", "OR", "ELSE", "THEN") else item


def _faults(value: Words) -> Iterator[str]:
    if any(word.says("SELECT") for word in value):
        yield "evsup does not understand a query inside of a value"
    if any(word.says("*") for word in value[:1]) or [str(word) for word in value[-2:]] == [".", "*"]:
        yield "* does not say which columns are filled: name each"
    for at, function in _functions(value):
        is_theirs = function.kind == "quoted" or (at > 0 and value[at - 1].says("."))
        if (is_theirs or not is_scalar(function.name)) and not _is_over(value, at):
            yield (
                f"evsup does not know whether {function} gives one value for each event "
                "(if it does, SNOWFLAKE_CHECK_COLUMNS=false starts without this look)"
            )


def _functions(value: Words) -> Iterator[tuple[int, Word]]:
    """What is called, with its place; a type with its length is none."""
    for at in range(len(value) - 1):
        is_type = at > 0 and value[at - 1].says("::", "AS")
        if value[at].kind in ("name", "quoted") and value[at + 1].says("(") and not is_type:
            yield at, value[at]


def _is_over(value: Words, at: int) -> bool:
    """Whether it is a window function, which gives a value for each row.

    What may stand before OVER: https://docs.snowflake.com/en/sql-reference/functions-window-syntax
    """
    after = closing(value, at + 1) + 1
    while after < len(value) and value[after].says("IGNORE", "RESPECT", "NULLS", "WITHIN", "GROUP", "("):
        after = closing(value, after) + 1 if value[after].says("(") else after + 1
    return after < len(value) and value[after].says("OVER")

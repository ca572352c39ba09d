"""One value of a pipe's SELECT: a key of evsup's row, or something computed."""

from collections.abc import Iterator
from dataclasses import dataclass

from shared.snowflake.tables import Column
from supervisor.target.column_type import holds
from supervisor.target.pipe.sql_functions import is_scalar
from supervisor.target.pipe.sql_tokens import NotUnderstood, Token, Tokens, closing, outside_brackets, shown


@dataclass(frozen=True, slots=True)
class PipeValue:
    """One value. `key` is the key of the row that it takes, apart from casts; None: it is anything else."""

    text: str
    key: str | None = None
    casts: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    """Why it may not be one value for each event."""

    def is_unchanged(self, column: Column) -> bool:
        """Whether it is exactly what evsup sends for this column."""
        return self.key == column.name and all(holds(cast, column.type) for cast in self.casts)


def parse_value(item: Tokens) -> PipeValue:
    """Parse one value of the SELECT."""
    value = _without_alias(item)
    try:
        key, casts, rest = _path(value)
        if not rest:
            return PipeValue(shown(value), key, casts)
    except NotUnderstood:  # no key alone: an expression, which may be fine for a column that is not evsup's
        pass
    return PipeValue(shown(value), problems=tuple(_problems(value)))


def _path(value: Tokens) -> tuple[str, tuple[str, ...], Tokens]:
    """A key of the row with the casts around it, and the rest. Raises `NotUnderstood` for anything else."""
    key, casts, rest = _innermost(value)
    while rest and rest[0].matches("::"):
        cast, rest = _type(rest[1:])
        casts = (*casts, cast)
    return key, casts, rest


def _innermost(value: Tokens) -> tuple[str, tuple[str, ...], Tokens]:
    """The key itself, or the value in brackets or in CAST(… AS …)."""
    opened = 1 if value and value[0].matches("CAST") else 0
    if len(value) <= opened or not value[opened].matches("("):
        key, rest = _key(value)
        return key, (), rest
    end = closing(value, opened)
    key, casts, rest = _path(value[opened + 1 : end])
    if opened and rest and rest[0].matches("AS"):
        cast, rest = _type(rest[1:])
        casts = (*casts, cast)
    if rest:
        raise NotUnderstood(shown(rest))
    return key, casts, value[end + 1 :]


def _key(value: Tokens) -> tuple[str, Tokens]:
    """`$1:KEY`, `$1['KEY']`, `s.$1:"KEY"`, not deeper."""
    at = 2 if len(value) > 2 and value[0].kind in ("name", "quoted") and value[1].matches(".") else 0
    if not (len(value) > at + 2 and value[at].matches("$1")):
        raise NotUnderstood(shown(value))
    if value[at + 1].matches(":"):
        token, rest = value[at + 2], value[at + 3 :]
    elif (
        value[at + 1].matches("[")
        and value[at + 2].kind == "string"
        and len(value) > at + 3
        and value[at + 3].matches("]")
    ):
        token, rest = value[at + 2], value[at + 4 :]
    else:
        raise NotUnderstood(shown(value))
    if token.kind not in ("name", "quoted", "string") or (rest and rest[0].matches(":", ".", "[")):
        raise NotUnderstood(shown(value))
    return token.text, rest


def _type(rest: Tokens) -> tuple[str, Tokens]:
    """A type with its length."""
    if not rest or rest[0].kind != "name":
        raise NotUnderstood(shown(rest))
    if len(rest) > 1 and rest[1].matches("("):
        end = closing(rest, 1)
        if any(token.kind != "number" and not token.matches(",") for token in rest[2:end]):
            raise NotUnderstood(shown(rest))
        return f"{rest[0].name}({''.join(token.text for token in rest[2:end])})", rest[end + 1 :]
    return rest[0].name, rest[1:]


def _without_alias(item: Tokens) -> Tokens:
    """A value without its alias."""
    outer = [at for at, _ in outside_brackets(item)]
    if len(outer) < 2 or item[-1].kind not in ("name", "quoted"):
        return item
    before = item[-2]
    if before.matches("AS"):
        return item[:-2]
    # `a b` is a value with an alias, and `NOT b` is a value.
    follows_a_value = before.kind in ("name", "quoted", "string", "number") or before.matches(")", "]")
    return item[:-1] if follows_a_value and not before.matches("NOT", "IS", "AND", "OR", "ELSE", "THEN") else item


def _problems(value: Tokens) -> Iterator[str]:
    if any(token.matches("SELECT") for token in value):
        yield "evsup does not understand a query inside a value"
    if any(token.matches("*") for token in value[:1]) or [str(token) for token in value[-2:]] == [".", "*"]:
        yield "* does not say which columns are filled: name each column"
    for at, function in _functions(value):
        is_user_defined = function.kind == "quoted" or (at > 0 and value[at - 1].matches("."))
        if (is_user_defined or not is_scalar(function.name)) and not _is_over(value, at):
            yield (
                f"evsup does not know whether {function} gives one value for each event "
                "(if it does, SNOWFLAKE_CHECK_COLUMNS=false starts without this check)"
            )


def _functions(value: Tokens) -> Iterator[tuple[int, Token]]:
    """The functions that are called, with their indexes. A type with a length is none."""
    for at in range(len(value) - 1):
        is_type = at > 0 and value[at - 1].matches("::", "AS")
        if value[at].kind in ("name", "quoted") and value[at + 1].matches("(") and not is_type:
            yield at, value[at]


def _is_over(value: Tokens, at: int) -> bool:
    """Whether it is a window function, which gives a value for each row.

    What may stand before OVER: https://docs.snowflake.com/en/sql-reference/functions-window-syntax
    """
    after = closing(value, at + 1) + 1
    while after < len(value) and value[after].matches("IGNORE", "RESPECT", "NULLS", "WITHIN", "GROUP", "("):
        after = closing(value, after) + 1 if value[after].matches("(") else after + 1
    return after < len(value) and value[after].matches("OVER")

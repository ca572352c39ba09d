"""One value of a pipe's SELECT: which key of evsup's row it is, or what is computed from which keys."""

from collections.abc import Iterator
from dataclasses import dataclass

from supervisor.target.sql_functions import SCALARS, SEVERAL_ROWS, is_aggregate
from supervisor.target.sql_words import NotUnderstood, Word, Words, closing, outside, shown

_TEXT = ("VARCHAR", "STRING", "TEXT", "CHAR", "CHARACTER", "NVARCHAR", "VARIANT")
# The types that hold every value of a column of ours; text is one of them, as it can be turned back.
_HOLD = {
    "VARIANT": _TEXT,
    "VARCHAR": _TEXT,
    "NUMBER": ("NUMBER", "DECIMAL", "NUMERIC", "INT", "INTEGER", "BIGINT", *_TEXT),
    "TIMESTAMP_TZ": ("TIMESTAMP_TZ", "TIMESTAMP_LTZ", "TIMESTAMP_NTZ", "TIMESTAMP", "DATETIME", *_TEXT),
    "BINARY": ("BINARY", "VARBINARY", *_TEXT),
}
# Functions that convert one value and nothing else, by the type they give.
_CONVERSIONS = {
    "TO_VARIANT": "VARIANT", "TO_VARCHAR": "VARCHAR", "TO_CHAR": "VARCHAR", "TO_JSON": "VARCHAR",
    "TO_NUMBER": "NUMBER", "TO_DECIMAL": "NUMBER", "TO_NUMERIC": "NUMBER", "TO_BINARY": "BINARY",
    "TO_TIMESTAMP": "TIMESTAMP", "TO_TIMESTAMP_TZ": "TIMESTAMP_TZ", "TO_TIMESTAMP_LTZ": "TIMESTAMP_LTZ",
    "TO_TIMESTAMP_NTZ": "TIMESTAMP_NTZ",
}  # fmt: skip
# A number with its length, a time with its precision; a text with a length may be cut off.
_LENGTH_MAY_CUT = frozenset(_TEXT) | {"BINARY", "VARBINARY"}
LEAST_DIGITS = 19  # of a sequence number, which has 64 bits


@dataclass(frozen=True, slots=True)
class Selected:
    """One value. `key` is the key of the row that it is, casts aside; None: it is computed from `reads`."""

    text: str
    key: str | None = None
    casts: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    is_part: bool = False
    """Something inside of a key's value, or an expression without a function."""
    faults: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()

    def narrowed(self, wanted: str) -> str | None:
        """The first cast that does not hold every value of a column of this type."""
        family = wanted.partition("(")[0]
        return next((cast for cast in self.casts if not _holds(cast, _HOLD[family])), None)


def selected(item: Words) -> Selected:
    """Read one value."""
    value, text = _without_alias(item), shown(item)
    try:
        key, casts, rest = _path(value)
        if not rest:
            return Selected(text, key, casts, (key,))
    except NotUnderstood:
        pass
    return Selected(
        text,
        reads=tuple(dict.fromkeys(_reads(value))),
        is_part=not any(_functions(value)),
        faults=tuple(_faults(value)),
        doubts=tuple(_doubts(value)),
    )


def _path(value: Words) -> tuple[str, tuple[str, ...], Words]:
    """A key of the row with its casts around it, and what stands behind; raises when it is anything else."""
    if not value:
        raise NotUnderstood("nothing")
    if value[0].says("(") or (value[0].kind == "name" and len(value) > 1 and value[1].says("(")):
        key, casts, rest = _wrapped(value)
    else:
        key, rest = _key(value)
        casts = ()
    while rest and rest[0].says("::"):
        cast, rest = _type(rest[1:])
        casts = (*casts, cast)
    return key, casts, rest


def _wrapped(value: Words) -> tuple[str, tuple[str, ...], Words]:
    """In brackets, or in a function that converts it."""
    opened = 0 if value[0].says("(") else 1
    end = closing(value, opened)
    key, casts, rest = _path(value[opened + 1 : end])
    function = "" if opened == 0 else value[0].name
    if function == "CAST" and rest and rest[0].says("AS"):
        cast, rest = _type(rest[1:])
        casts = (*casts, cast)
    elif function in _CONVERSIONS:
        casts = (*casts, _CONVERSIONS[function])
        rest = () if all(word.kind in ("string", "number") or word.says(",") for word in rest) else rest
    elif function:
        raise NotUnderstood(function)
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


def _holds(cast: str, types: tuple[str, ...]) -> bool:
    name, _, length = cast.rstrip(")").partition("(")
    if name not in types or (length and name in _LENGTH_MAY_CUT):
        return False
    if name in ("NUMBER", "DECIMAL", "NUMERIC") and length:
        digits, _, scale = length.partition(",")
        return int(digits) - int(scale or 0) >= LEAST_DIGITS
    return True


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


def _reads(value: Words) -> Iterator[str]:
    """The keys of the row that stand in it."""
    for at, word in enumerate(value):
        follows = value[at + 1 : at + 3]
        if word.says("$1") and len(follows) == 2 and follows[0].says(":", "["):
            yield follows[1].text


def _faults(value: Words) -> Iterator[str]:
    if any(word.says("SELECT") for word in value):
        yield "evsup does not understand a query inside of a value"
    if any(word.says("*") for word in value[:1]) or [str(word) for word in value[-2:]] == [".", "*"]:
        yield "* does not say which columns are filled: name each"
    for at, function in _functions(value):
        if function.name in SEVERAL_ROWS:
            yield f"{function.name} makes more rows of one event"
        elif is_aggregate(function.name) and not _is_over(value, at):
            yield f"{function.name} makes one row of many events"


def _doubts(value: Words) -> Iterator[str]:
    for _, function in _functions(value):
        known = function.name in SCALARS or function.name in SEVERAL_ROWS or is_aggregate(function.name)
        if function.kind == "quoted" or not (known or function.name in _CONVERSIONS):
            yield f"evsup does not know the function {function}: it has to give one value for each row"


def _functions(value: Words) -> Iterator[tuple[int, Word]]:
    """What is called, with its place; a type with its length is none."""
    for at in range(len(value) - 1):
        is_type = at > 0 and value[at - 1].says("::", "AS")
        if value[at].kind in ("name", "quoted") and value[at + 1].says("(") and not is_type:
            yield at, value[at]


def _is_over(value: Words, at: int) -> bool:
    """Whether it is a window function, which gives a value for each row."""
    after = closing(value, at + 1) + 1
    return after < len(value) and value[after].says("OVER")

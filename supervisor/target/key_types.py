"""Which type a column should have for the values of a key, and what Snowflake does with values of other types.

What a pipe does with a value in a column of another type is not documented as a whole. It is known from the vendor's
own tests of its connector: https://github.com/snowflakedb/snowflake-kafka-connector/tree/master/test/tests/compatibility
"""

import re
from collections.abc import Iterator, Mapping

from shared.config.formats.identifier import quoted
from shared.ipc.messages import KeyShape, ValueKind
from shared.snowflake.tables import Column
from supervisor.target.column_type import collation
from supervisor.target.columns import Misfit, StoredColumn, replacing

Kinds = frozenset[ValueKind]
_BOOLEAN: Kinds = frozenset({"boolean"})
_INTEGERS: Kinds = frozenset({"0 or 1", "integer"})
_FRACTIONS: Kinds = frozenset({"number"})
_WITH_OFFSET: Kinds = frozenset({"timestamp with an offset"})
_TIMESTAMP: Kinds = frozenset({"timestamp"})
_DATE: Kinds = frozenset({"date"})
_TIME: Kinds = frozenset({"time"})
_TIME_WITH_OFFSET: Kinds = frozenset({"time with an offset"})
_WORDS: Kinds = frozenset({"text"})
_DIGITS: Kinds = frozenset({"number as text"})
_NESTED: Kinds = frozenset({"object", "array"})
_NUMBERS = _INTEGERS | _FRACTIONS
_TIMES = _DATE | _TIME | _TIME_WITH_OFFSET | _TIMESTAMP | _WITH_OFFSET
_TEXTS = _TIMES | _WORDS | _DIGITS
_RULES: tuple[tuple[Kinds, str], ...] = (
    (_BOOLEAN, "BOOLEAN"),
    (_INTEGERS, "NUMBER(38,0)"),
    (_NUMBERS, "FLOAT"),
    (_WITH_OFFSET, "TIMESTAMP_TZ"),
    (_TIMESTAMP, "TIMESTAMP_NTZ"),
    (_DATE, "DATE"),
    (_TIME, "TIME"),
    (_TEXTS, "VARCHAR"),
)

_REJECTED = "Snowflake rejects the row"
_NO_WORD = f"{_REJECTED} unless it is true, false, yes, no, on, off, 1 or 0"
_NO_ZONE = "Snowflake takes the time zone of the account"
_NO_OFFSET = "Snowflake drops the offset and keeps the time on the wall"
_ON_WALL = "Snowflake shows it on the clock of the account's time zone, not in UTC"
_NO_TIME = "Snowflake keeps the date and drops the time"
_OTHER_BYTES = "Snowflake reads it as base64 or hexadecimal digits, which gives other bytes or rejects the row"
_WRAPPED = "Snowflake wraps it into an array"


def _effects(effects: Mapping[str, Kinds]) -> dict[ValueKind, str]:
    return {kind: effect for effect, kinds in effects.items() for kind in kinds}


_NOT_A_TIME = _BOOLEAN | _FRACTIONS | _NESTED | _WORDS | _DIGITS
# By the type of the column: what becomes of a value of some kind. A kind that is not here is stored as it is.
_EFFECTS: Mapping[str, Mapping[ValueKind, str]] = {
    "BOOLEAN": _effects({_REJECTED: _NUMBERS | _TIMES | _NESTED, _NO_WORD: _WORDS | _DIGITS}),
    "NUMBER": _effects({_REJECTED: _BOOLEAN | _TIMES | _WORDS | _NESTED}),
    "FLOAT": _effects({_REJECTED: _BOOLEAN | _TIMES | _WORDS | _NESTED}),
    "BINARY": _effects({_REJECTED: _BOOLEAN | _NUMBERS | _NESTED, _OTHER_BYTES: _TEXTS}),
    "DATE": _effects({_REJECTED: _NOT_A_TIME | _TIME | _TIME_WITH_OFFSET, _NO_TIME: _TIMESTAMP | _WITH_OFFSET}),
    "TIME": _effects({_REJECTED: _NOT_A_TIME | (_TIMES - _TIME)}),
    "TIMESTAMP_NTZ": _effects(
        {_REJECTED: _NOT_A_TIME | _TIME | _TIME_WITH_OFFSET, _ON_WALL: _INTEGERS, _NO_OFFSET: _WITH_OFFSET}
    ),
    "TIMESTAMP_TZ": _effects({_REJECTED: _NOT_A_TIME | _TIME | _TIME_WITH_OFFSET, _NO_ZONE: _DATE | _TIMESTAMP}),
    "ARRAY": _effects({_WRAPPED: _BOOLEAN | _NUMBERS | _TEXTS | (_NESTED - {"array"})}),
    "OBJECT": _effects({_REJECTED: _BOOLEAN | _NUMBERS | _TEXTS | (_NESTED - {"object"})}),
}
_FAMILIES = {
    "TIMESTAMP_LTZ": "TIMESTAMP_TZ", "TIMESTAMP": "TIMESTAMP_NTZ", "DATETIME": "TIMESTAMP_NTZ", "VARBINARY": "BINARY",
    "DOUBLE": "FLOAT", "REAL": "FLOAT", "DECIMAL": "NUMBER", "INT": "NUMBER", "STRING": "VARCHAR", "TEXT": "VARCHAR",
}  # fmt: skip
_TYPE = re.compile(r"(?P<name>\w+)(?:\((?P<size>\d+)(?:,\s*(?P<scale>\d+))?\))?")
_EXACT_DIGITS = 15  # that a FLOAT keeps of any number


def column_type(shape: KeyShape) -> str:
    """The type that holds every value of the key: VARIANT where they are of several types, or objects, or only null, or
    numbers of which a FLOAT would round some.
    """
    seen = shape.kinds.keys() - {"null"}
    found = next((kind for kinds, kind in _RULES if seen and seen <= kinds), "VARIANT")
    return "VARIANT" if found == "FLOAT" and shape.most_digits > _EXACT_DIGITS else found


def type_misfits(column: StoredColumn, shape: KeyShape, table: str) -> Iterator[Misfit]:
    """What a column does to values of its key that it would not take as they are. Each is a doubt: it is a sample."""
    found = _TYPE.match(column.type)
    name = found["name"] if found else column.type
    effects = _EFFECTS.get(_FAMILIES.get(name, name), {})
    alter = f"ALTER TABLE {table}"
    replacement = replacing(Column(column.name, column_type(shape)), alter)
    for kind in shape.kinds:
        if kind in effects:
            yield _misfit(column, shape, f"a value that is {_article(kind)}", effects[kind], replacement)
    size = int(found["size"]) if found and found["size"] else None
    if size is not None:
        yield from _too_small(column, shape, size, int((found and found["scale"]) or 0), alter)
    elif name in ("FLOAT", "DOUBLE", "REAL") and shape.most_digits > _EXACT_DIGITS:
        what = f"a number of {shape.most_digits} digits"
        yield _misfit(column, shape, what, "Snowflake rounds it", replacement)


def _too_small(column: StoredColumn, shape: KeyShape, size: int, scale: int, alter: str) -> Iterator[Misfit]:
    """Text that is longer than its column, a number with more digits."""
    widen, as_compared = f"{alter} ALTER COLUMN {quoted(column.name)} SET DATA TYPE", collation(column.type)
    if column.type.startswith(("VARCHAR", "STRING", "TEXT")) and shape.most_characters > size:
        yield _misfit(
            column, shape, f"text of {shape.most_characters} characters", _REJECTED, f"{widen} VARCHAR{as_compared};"
        )
    if column.type.startswith(("NUMBER", "DECIMAL")):
        if shape.most_digits > size - scale:
            what = f"a number of {shape.most_digits} digits before the point"
            yield _misfit(column, shape, what, _REJECTED, f"{widen} NUMBER(38,{scale});")
        if shape.most_scale > scale:
            what = f"a number of {shape.most_scale} digits behind the point"
            yield _misfit(
                column, shape, what, "Snowflake rounds it", replacing(Column(column.name, column_type(shape)), alter)
            )


def _misfit(column: StoredColumn, shape: KeyShape, what: str, effect: str, fix: str) -> Misfit:
    problem = f"{column.name} is {column.type}, and the key {shape.key!r} has {what}: {effect}"
    return Misfit(problem, fix, is_doubtful=True)


def _article(kind: ValueKind) -> str:
    return {"0 or 1": "the number 0 or 1", "text": "text"}.get(kind, f"{'an' if kind[0] in 'aio' else 'a'} {kind}")

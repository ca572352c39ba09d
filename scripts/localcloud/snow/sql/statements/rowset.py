"""A result on the wire: the JSON rowset of Snowflake's drivers, every value as text, and the type of each column."""

import datetime as dt
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

SCALE = 9  # digits of a second that a timestamp is written with
NO_OFFSET = 1440  # of a TIMESTAMP_TZ: minutes east of UTC plus 1440
TEXT_SIZE = 16_777_216
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")
_INTEGERS = frozenset({"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER",
                       "UBIGINT", "UHUGEINT"})  # fmt: skip


@dataclass(frozen=True)
class Rowset:
    """The names and DuckDB types of the columns, and the rows as Python values."""

    names: Sequence[str]
    types: Sequence[str]
    rows: Sequence[Sequence[Any]]

    def rowtype(self) -> list[dict[str, Any]]:
        """Describe the columns as the drivers read them."""
        return [_described(name, kind) for name, kind in zip(self.names, self.types, strict=True)]

    def values(self) -> list[list[str | None]]:
        """Write every value as text."""
        write = [_writer(kind) for kind in self.types]
        return [
            [None if value is None else put(value) for put, value in zip(write, row, strict=True)] for row in self.rows
        ]


def single(name: str, value: object, kind: str = "VARCHAR") -> Rowset:
    """Give one row of one column, such as a status."""
    return Rowset([name], [kind], [[value]])


def _described(name: str, kind: str) -> dict[str, Any]:
    shown, precision, scale = _snowflake(kind)
    text = TEXT_SIZE if shown in ("text", "binary") else None
    return {
        "name": name, "type": shown, "precision": precision, "scale": scale, "length": text, "byteLength": text,
        "nullable": True, "database": "", "schema": "", "table": "", "collation": None,
    }  # fmt: skip


def _snowflake(kind: str) -> tuple[str, int | None, int | None]:
    """Give Snowflake's name of a DuckDB type, its precision and its scale."""
    if found := _DECIMAL.fullmatch(kind):
        return "fixed", int(found[1]), int(found[2])
    if kind in _INTEGERS:
        return "fixed", 38, 0
    if kind == "TIMESTAMP WITH TIME ZONE":
        return "timestamp_tz", 0, SCALE
    if kind.startswith("TIMESTAMP"):
        return "timestamp_ntz", 0, SCALE
    plain = {
        "DOUBLE": "real",
        "FLOAT": "real",
        "BOOLEAN": "boolean",
        "BLOB": "binary",
        "DATE": "date",
        "JSON": "variant",
    }
    return ("time", 0, SCALE) if kind == "TIME" else (plain.get(kind, "text"), None, None)


def _writer(kind: str) -> Callable[[Any], str]:
    if kind == "TIMESTAMP WITH TIME ZONE":
        return lambda value: f"{_seconds(value)} {NO_OFFSET}"
    if kind.startswith("TIMESTAMP"):
        return lambda value: _seconds(value.replace(tzinfo=dt.UTC))
    return {
        "BOOLEAN": lambda value: "1" if value else "0",
        "BLOB": lambda value: value.hex().upper(),
        "DATE": lambda value: str((value - _EPOCH.date()).days),
        "TIME": lambda value: _seconds(dt.datetime.combine(_EPOCH.date(), value, dt.UTC)),
    }.get(kind, str)


def _seconds(time: dt.datetime) -> str:
    microseconds = (time - _EPOCH) // dt.timedelta(microseconds=1)
    sign, size = ("-", -microseconds) if microseconds < 0 else ("", microseconds)
    return f"{sign}{size // 1_000_000}.{size % 1_000_000:06d}000"

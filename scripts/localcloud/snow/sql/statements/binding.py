"""Server-side binding: the values of `?` that a driver sends beside the statement, put into it as literals.

Values travel as text with the name of a type: https://docs.snowflake.com/en/developer-guide/sql-api/submitting-requests
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import sqlglot
from sqlglot import TokenType

from scripts.localcloud.snow.sql.statements.refusal import syntax

NANOSECONDS = 1_000_000_000
OFFSET_BIAS_MIN = 1440  # of a TIMESTAMP_TZ: minutes east of UTC plus this
_NUMBERS = frozenset({"FIXED", "REAL", "DECFLOAT"})
_EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - a TIMESTAMP_NTZ has no zone


def rows(bindings: Mapping[str, Mapping[str, Any]]) -> list[list[str]]:
    """Give the literals of each execution: one, or as many as an array binding has values."""
    columns = [bindings[str(position)] for position in range(1, len(bindings) + 1)]
    if not any(isinstance(one["value"], list) for one in columns):
        return [[literal(one["type"], one["value"]) for one in columns]]
    spread = [[literal(one["type"], value) for value in one["value"]] for one in columns]
    return [list(row) for row in zip(*spread, strict=True)]


def bound(sql: str, literals: Sequence[str]) -> str:
    """Put literals in the place of the question marks, those in texts and comments left alone."""
    places = [one.start for one in sqlglot.tokenize(sql, read="snowflake") if one.token_type == TokenType.PLACEHOLDER]
    if len(places) != len(literals):
        raise syntax(f"{len(places)} bind variables in the statement, {len(literals)} values were given")
    parts, end = [], 0
    for place, value in zip(places, literals, strict=True):
        parts += [sql[end:place], value]
        end = place + 1
    return "".join([*parts, sql[end:]])


def literal(kind: str, value: str | None) -> str:
    """Write one value as SQL."""
    if value is None:
        return "NULL"
    if kind in _NUMBERS:
        return str(float(value)) if kind == "REAL" else value
    if kind == "BOOLEAN":
        return "TRUE" if value.lower() in ("true", "1") else "FALSE"
    if kind == "BINARY":
        return f"TO_BINARY('{bytes.fromhex(value).hex()}', 'HEX')"
    if kind == "DATE":
        return f"'{_EPOCH.date() + dt.timedelta(milliseconds=int(value))}'::DATE"
    if kind in ("TIMESTAMP_NTZ", "TIMESTAMP_LTZ", "TIMESTAMP_TZ"):
        return f"'{_timestamp(value, zoned=kind != 'TIMESTAMP_NTZ')}'::{kind}"
    text = "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
    # fakesnow looks for session variables in texts, too.
    return "(" + text.replace("$", "' || CHR(36) || '") + ")" if "$" in text else text


def _timestamp(value: str, *, zoned: bool) -> str:
    """Read nanoseconds since 1970, and for a TIMESTAMP_TZ the offset after them; DuckDB keeps microseconds."""
    nanoseconds, _, biased = value.partition(" ")
    offset = dt.timedelta(minutes=int(biased) - OFFSET_BIAS_MIN) if biased else dt.timedelta()
    time = _EPOCH + dt.timedelta(microseconds=int(nanoseconds) // 1000) + offset
    zone = dt.timezone(offset) if zoned else None
    return time.replace(tzinfo=zone).isoformat(" ", "microseconds")

"""What a table with ENABLE_SCHEMA_EVOLUTION becomes by the rows that are streamed into it.

A field without a column becomes one, and NOT NULL goes from a column that a row has no value for:
https://docs.snowflake.com/en/release-notes/2025/other/2025-12-17-schema-evolution-snowpipe-streaming. Types that no
page names are guesses, but for objects and arrays, which become VARIANT.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from scripts.localcloud.snow.tables.column import Column, column, quoted
from scripts.localcloud.snow.tables.warehouse import Table

MOST_COLUMNS = 100  # in one load: https://docs.snowflake.com/en/user-guide/data-load-schema-evolution


@dataclass
class Evolution:
    """Adds columns `delay_s` after the first row that brings their field; until then the field is dropped.

    The vendor's test of its Kafka connector finds the value in that very row, so the delay is none unless a test wants
    the worst that no page rules out.
    """

    delay_s: float = 0.0
    _seen_s: dict[tuple[str, str], float] = field(default_factory=dict)

    def evolved(self, table: Table, body: bytes, now_s: float) -> tuple[Table, Sequence[str]]:
        """Give the table as these rows make it, and the clauses of ALTER TABLE that lead there."""
        rows = list(_objects(body))
        new = [one for one in _new_columns(table.columns, rows) if self._is_due(table, one.name, now_s)]
        freed = {one.name for one in table.columns if not one.nullable and _is_missing(one, rows)}
        kept = [replace(one, nullable=True) if one.name in freed else one for one in table.columns]
        clauses = [f"ADD COLUMN {one.declaration}" for one in new]
        clauses += [f"ALTER COLUMN {quoted(name)} DROP NOT NULL" for name in sorted(freed)]
        return replace(table, columns=(*kept, *new)), clauses

    def _is_due(self, table: Table, name: str, now_s: float) -> bool:
        return now_s >= self._seen_s.setdefault((table.identifier, name), now_s) + self.delay_s


def _objects(body: bytes) -> Iterator[dict[str, Any]]:
    for line in body.split(b"\n"):
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            yield row


def _new_columns(columns: Sequence[Column], rows: Sequence[dict[str, Any]]) -> list[Column]:
    known, new = {one.name.upper() for one in columns}, dict[str, Column]()
    for row in rows:
        for key, value in row.items():
            name = key.upper()
            if name not in known and name not in new and value is not None and len(new) < MOST_COLUMNS:
                new[name] = column(name, _type_of(value))
    return list(new.values())


def _type_of(value: Any) -> str:
    match value:
        case bool():
            return "BOOLEAN"
        case int():
            return "NUMBER"
        case float():
            return "FLOAT"
        case str():
            return "VARCHAR"
        case _:
            return "VARIANT"


def _is_missing(one: Column, rows: Sequence[dict[str, Any]]) -> bool:
    return any(all(key.upper() != one.name.upper() or row[key] is None for key in row) for row in rows)

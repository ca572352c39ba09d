"""What the target table holds, asked in SQL on the side of the local Snowflake: evsup has no part in the answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from scripts.localcloud.cloud import DATABASE, SCHEMA, TABLE

EVENTS = f"{DATABASE}.{SCHEMA}.{TABLE}"


class Answers(Protocol):
    """Whoever answers a SELECT: the admin client of the local Snowflake."""

    def query(self, sql: str) -> Sequence[Sequence[Any]]:
        """Rows."""


@dataclass(frozen=True)
class PartitionCount:
    """Rows of one partition; `first` and `last` are sequence numbers, and those of no rows are 0 and -1."""

    rows: int = 0
    distinct: int = 0
    first: int = 0
    last: int = -1

    @property
    def duplicates(self) -> int:
        """Rows too many."""
        return self.rows - self.distinct

    @property
    def gaps(self) -> int:
        """Sequence numbers missing between the first and the last."""
        return self.last - self.first + 1 - self.distinct

    def is_whole(self, published: int) -> bool:
        """Whether each of so many events, numbered from 0, is there once."""
        return self == PartitionCount(published, published, 0, published - 1)


def relation(columns: Sequence[str]) -> str:
    """What to select events from: the table as it is or, where keys have these columns, with the envelope's names."""
    if not columns:
        return EVENTS
    names = [declaration.split()[0] for declaration in columns]
    body = ", ".join(f"'{name.strip(chr(34)).lower()}', {name}" for name in names)
    known = "_EVSUP->>'partition_id' AS PARTITION_ID, (_EVSUP->>'sequence_number')::BIGINT AS SEQUENCE_NUMBER"
    key = "_EVSUP->>'partition_key' AS PARTITION_KEY"
    return f"(SELECT json_object({body}) AS PAYLOAD, {known}, {key} FROM {EVENTS})"  # noqa: S608 (names of ours)


def count(snow: Answers, where: str = "true", table: str = EVENTS) -> dict[str, PartitionCount]:
    """The rows by partition, of those that `where` holds for."""
    columns = "count(*), count(DISTINCT SEQUENCE_NUMBER), min(SEQUENCE_NUMBER), max(SEQUENCE_NUMBER)"
    rows = snow.query(f"SELECT PARTITION_ID, {columns} FROM {table} WHERE {where} GROUP BY ALL")  # noqa: S608
    return {partition: PartitionCount(*numbers) for partition, *numbers in rows}


def total(snow: Answers) -> int:
    """All rows."""
    [(rows,)] = snow.query(f"SELECT count(*) FROM {EVENTS}")  # noqa: S608
    return int(rows)


def foreign_bodies(snow: Answers, table: str = EVENTS) -> int:
    """Rows with the body of another event: each body carries the number and the partition that its event got."""
    differs = "PAYLOAD->>'n' <> SEQUENCE_NUMBER OR PAYLOAD->>'partition' <> PARTITION_ID"
    [(rows,)] = snow.query(f"SELECT count(*) FROM {table} WHERE {differs}")  # noqa: S608
    return int(rows)

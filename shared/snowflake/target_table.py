"""What has landed in the target table, counted by Snowflake: one row a partition comes back, never the events.

A hub that is deleted and made anew gives the same numbers to other events, and the rows of the old ones stay. So only
rows of the hub as it is are counted, by one rule for all (`of_hub.sql`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from shared.config.settings import SnowflakeSettings
from shared.resume import CREATION_TOLERANCE_S
from shared.snowflake.queries import counting
from shared.snowflake.session import Row, SqlSession
from shared.snowflake.tables import (
    COUNTED_BY,
    EVSUP,
    create_beside_sql,
    create_table_sql,
    events_sql,
    require_columns,
    table_name,
)

BODY = ("PAYLOAD", "RAW_BODY")
COUNT_S = 1800  # a small warehouse counts billions of distinct numbers in minutes


@dataclass(frozen=True, slots=True)
class PartitionRows:
    """The rows of one partition, by their sequence numbers."""

    rows: int
    numbers: int
    """Distinct ones."""
    first: int
    last: int
    gaps: Sequence[range] = ()
    """The first runs of missing numbers between `first` and `last`, once `located`."""
    repeats: Sequence[int] = ()
    """The first numbers that more than one row has, once `located`."""
    quarantined: int = 0
    """How many of the rows are in the quarantine."""

    @property
    def missing(self) -> int:
        """Numbers between the first and the last that no row has."""
        return self.last - self.first + 1 - self.numbers

    @property
    def repeated(self) -> int:
        """Rows too many."""
        return self.rows - self.numbers


@dataclass(frozen=True, slots=True)
class Bodiless:
    """Rows of one partition that hold no body: Snowflake dropped it, because there was no column for it."""

    rows: int
    first: int
    last: int
    missing: Sequence[str] = ()
    """The columns of the body that the table still lacks."""


class Target:
    """The target table. Blocks for as long as Snowflake counts; raises what `SqlSession` does.

    Rows that were enqueued before `hub_created_at_s` are another hub's: not counted. None: those of any hub are.
    """

    rows_are = "in_table"
    """The named query of what counts as landed."""

    def __init__(self, settings: SnowflakeSettings, hub_created_at_s: float | None) -> None:
        self._session = SqlSession(settings, call_s=COUNT_S)
        # A little earlier: the creation time is rounded on its way, and the first events come at once.
        self._created_at = None if hub_created_at_s is None else _iso(hub_created_at_s - CREATION_TOLERANCE_S)
        self._settings = settings
        self._create = create_table_sql(settings)
        self._tables = {"table": table_name(settings), "events": events_sql(settings)}
        self._has_body = settings.row_format == "envelope"

    def close(self) -> None:
        """End the session."""
        self._session.close()

    def count(self, partition_id: str | None, since: str | None) -> dict[str, PartitionRows]:
        """By partition; those without a row are left out. `since` is an ISO 8601 time: events enqueued from then on."""
        rows = self._query("count", partition_id=partition_id, since=since)
        return {row["partition_id"]: _as_partition_rows(row) for row in rows}

    def locate(self, partition_id: str, since: str | None, landed: PartitionRows) -> PartitionRows:
        """The same, with the first places where a number is missing or has two rows."""
        where: dict[str, str | None] = {"partition_id": partition_id, "since": since}
        gaps = self._query("gaps", **where) if landed.missing else []
        repeats = self._query("repeats", **where) if landed.repeated else []
        return replace(landed, gaps=list(runs(gaps)), repeats=[int(row["sequence_number"]) for row in repeats])

    def without_body(self, partition_id: str | None, since: str | None) -> dict[str, Bodiless]:
        """By partition, rows without a body; most have none. Raises when the table has no columns to count by.

        Where keys have columns, a body may have none of them, and nobody can say of a row that it lost one.
        """
        there = {row["name"] for row in self._session.query(f"DESCRIBE TABLE {self._tables['table']}")}
        require_columns(self._tables["table"], COUNTED_BY if self._has_body else (EVSUP,), there)
        if not self._has_body:
            return {}
        missing = [name for name in BODY if name not in there]
        self._tables |= {name.lower(): "NULL" if name in missing else name for name in BODY}
        rows = self._query("without_body", "in_table_without_body", partition_id=partition_id, since=since)
        return {
            row["partition_id"]: Bodiless(
                int(row["row_count"]), int(row["first_number"]), int(row["last_number"]), missing
            )
            for row in rows
        }

    def count_range(self, partition_id: str, first: int, last: int) -> PartitionRows | None:
        """Of the sequence numbers `first` to `last` alone; None without a row."""
        rows = self._query("count_range", partition_id=partition_id, first=first, last=last)
        return _as_partition_rows(rows[0]) if rows else None

    def create(self) -> None:
        """Create the table where it is missing."""
        self._session.change(self._create)

    def create_beside(self, live: SnowflakeSettings) -> None:
        """Create the table where it is missing, for the rows of the `live` one."""
        self._session.change(create_beside_sql(self._settings, live))

    def _query(self, name: str, rows_are: str | None = None, **values: str | int | None) -> list[Row]:
        statement, names = counting(name, "of_hub", rows_are or self.rows_are)
        values |= {"created_at": self._created_at}
        return self._session.query(statement.format(**self._tables), *(values[each] for each in names))


def _iso(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, UTC).isoformat()


def runs(rows: Sequence[Row]) -> Iterator[range]:
    """Sequence numbers, as a query gives them: by the first and the last of each run."""
    return (range(int(row["first_number"]), int(row["last_number"]) + 1) for row in rows)


def _as_partition_rows(row: Row) -> PartitionRows:
    """A row of a query that counts."""
    return PartitionRows(
        rows=int(row["row_count"]),
        numbers=int(row["number_count"]),
        first=int(row["first_number"]),
        last=int(row["last_number"]),
        quarantined=int(row["quarantined_count"]),
    )

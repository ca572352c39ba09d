"""The table of events whose rows Snowflake rejected, beside the target table: written by a worker's errand, counted by
whoever proves.

It is a standard table, so nothing but the statement itself keeps an event from being there twice, and two of them at
once do not see each other. An errand lives no longer than its worker, and a worker no longer than its lease; where a
statement outlives both in the queue of a warehouse, both tables are counted before anything is recorded, and a second
row is found there.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import NamedTuple

import msgspec

from shared.errors import ConfigurationError, DoesNotExist, Unsupported
from shared.landed import Landed, Target, as_landed, runs
from shared.settings import SnowflakeSettings
from shared.snow_sql import Row
from shared.snowflake import create_quarantine_sql, quarantine_name
from shared.store.types import ConsumerGroup


class Lately(NamedTuple):
    """How many events of a partition were set aside in the last hour."""

    events: int
    near: int
    """Of these, how many closely before the one that was asked about."""


class Rejected(msgspec.Struct, frozen=True, kw_only=True, rename=str.upper):
    """One event as it is set aside."""

    sequence_number: int
    offset: str | None
    enqueued_time: str | None
    """ISO 8601; None for what is no time."""
    body: str | None
    """In hexadecimal digits."""
    row_json: str


class Quarantine(Target):
    """Both tables; what `Target` counts as landed is in either of them. Blocks and raises as `Target` does."""

    rows_are = "in_both"

    def __init__(self, settings: SnowflakeSettings, group: ConsumerGroup) -> None:
        super().__init__(settings)
        self.group, self._source = group, asdict(group)
        self._tables["quarantine"] = self.name = quarantine_name(settings)
        self._create_quarantine = create_quarantine_sql(settings)

    def create(self) -> None:
        """Create both tables where they are missing."""
        super().create()
        self._session.change(self._create_quarantine)

    def check(self) -> None:
        """Raise unless both can be read and rows be set aside; nothing is changed."""
        try:
            self._query("probe_rows")
            self._query("probe_quarantine")
            self._query("explain_set_aside")
        except DoesNotExist as error:
            raise ConfigurationError(
                f"Rejected rows cannot be set aside in {self.name}",
                error.why,
                "Run `evsup init --target` with SNOWFLAKE_ON_REJECT=quarantine, or grant SNOWFLAKE_ROLE SELECT on the"
                " target table and SELECT and INSERT on this one.",
            ) from error
        except Unsupported:  # an account without EXPLAIN: the first INSERT will tell
            return

    def leave_out(self) -> None:
        """There is no quarantine: count the target table alone."""
        self.rows_are = "in_table"

    def in_table(self, partition_id: str, numbers: range) -> Landed | None:
        """What the target table alone has of these sequence numbers; None without a row."""
        found = self._query("landed_range", "in_table", partition_id=partition_id, first=numbers[0], last=numbers[-1])
        return as_landed(found[0]) if found else None

    def missing(self, partition_id: str, numbers: range) -> list[int]:
        """Those of `numbers` that the target table alone has not."""
        found = self._query("missing", "in_table", partition_id=partition_id, first=numbers[0], last=numbers[-1])
        return [number for run in runs(found) for number in run]

    def set_aside_lately(self, partition_id: str, before: int, near: int) -> Lately:
        """Of the partition's events before one; `near` are so many directly before it."""
        [row] = self._query("set_aside_lately", partition_id=partition_id, first=before, near=before - near)
        return Lately(int(row["event_count"]), int(row["near_count"]))

    def set_aside(
        self, partition_id: str, events: Sequence[Rejected], *, reason: str, channel: str, epoch: int
    ) -> None:
        """Write events that are not there yet, in one statement."""
        self._query(
            "set_aside",
            partition_id=partition_id,
            events=msgspec.json.encode(events).decode(),
            reason=reason,
            channel=channel,
            epoch=epoch,
        )

    def _query(self, name: str, rows_are: str | None = None, **values: str | int | None) -> list[Row]:
        return super()._query(name, rows_are, **values, **self._source)

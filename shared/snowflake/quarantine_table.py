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

from shared.config.settings import SnowflakeSettings
from shared.errors import ConfigurationError, DoesNotExist, Unsupported
from shared.model import ConsumerGroup
from shared.snowflake.session import Row
from shared.snowflake.tables import create_quarantine_sql, quarantine_name
from shared.snowflake.target_table import Target, runs


class Lately(NamedTuple):
    """How many events of a partition were set aside in the last hour."""

    events: int
    near: int
    """Of these, how many closely before the one that was asked about."""


class Placed(NamedTuple):
    """Where a run of sequence numbers is, in both tables together."""

    numbers: int
    """How many of them have a row."""
    again: int | None
    """The first event that was set aside and has another row."""


class Event(msgspec.Struct, frozen=True, kw_only=True, rename=str.upper):
    """What an event is known by: its number and its moment, for a hub that fails over gives numbers again."""

    sequence_number: int
    enqueued_time: str | None
    """ISO 8601; None for what is no time."""


class Rejected(Event, frozen=True, kw_only=True, rename=str.upper):
    """One event as it is set aside."""

    offset: str | None
    body: str | None
    """In hexadecimal digits."""
    row_json: str


class Quarantine(Target):
    """Both tables; what `Target` counts as landed is in either of them. Blocks and raises as `Target` does."""

    rows_are = "in_both"

    def __init__(self, settings: SnowflakeSettings, group: ConsumerGroup, hub_created_at_s: float | None) -> None:
        super().__init__(settings, hub_created_at_s)
        self._is_asked_for = settings.quarantines
        self._source = asdict(group.key)
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

    def leave_out_if_missing(self) -> None:
        """Count the target table alone where there is no quarantine, unless the settings ask for one."""
        try:
            self._query("probe_quarantine")
        except DoesNotExist:
            if self._is_asked_for:
                raise
            self.rows_are = "in_table"

    def missing(self, partition_id: str, numbers: range) -> list[int]:
        """Those of `numbers` that no row of the target table has."""
        found = self._query("missing", "in_table", partition_id=partition_id, first=numbers[0], last=numbers[-1])
        return [number for run in runs(found) for number in run]

    def without_row(self, partition_id: str, events: Sequence[Event]) -> list[int]:
        """The numbers of those of `events` (in order) without a row in the target table; another event's is none."""
        first, last = events[0].sequence_number, events[-1].sequence_number
        found = self._query("without_row", partition_id=partition_id, first=first, last=last, events=_as_json(events))
        return [int(row["sequence_number"]) for row in found]

    def placed(self, partition_id: str, numbers: range) -> Placed:
        """Where `numbers` are, when all is written."""
        [row] = self._query("placed", partition_id=partition_id, first=numbers[0], last=numbers[-1])
        return Placed(int(row["number_count"]), None if row["again_number"] is None else int(row["again_number"]))

    def set_aside_lately(self, partition_id: str, before: int, near: int) -> Lately:
        """Of the partition's events before one; `near` are so many directly before it."""
        from_on = before - near
        [row] = self._query("set_aside_lately", "in_quarantine", partition_id=partition_id, first=before, near=from_on)
        return Lately(int(row["event_count"]), int(row["near_count"]))

    def set_aside(
        self, partition_id: str, events: Sequence[Rejected], *, reason: str, channel: str, epoch: int
    ) -> None:
        """Write events that are not there yet, in one statement."""
        self._query(
            "set_aside",
            partition_id=partition_id,
            events=_as_json(events),
            reason=reason,
            channel=channel,
            epoch=epoch,
        )

    def _query(self, name: str, rows_are: str | None = None, **values: str | int | None) -> list[Row]:
        return super()._query(name, rows_are, **values, **self._source)


def _as_json(events: Sequence[Event]) -> str:
    return msgspec.json.encode(events).decode()

"""The quarantine: the table beside the target table that takes events whose rows Snowflake rejected.

A worker's task writes it, and `evsup verify` counts it. It is a standard table, so nothing but the INSERT itself keeps
an event from being there twice, and two INSERTs at once do not see each other. A task lives no longer than its worker,
and a worker no longer than its lease. A statement may outlive both in the queue of a warehouse: so both tables are
counted before anything is recorded, and a second row is found then.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import msgspec

from shared.config.settings import SnowflakeSettings
from shared.errors import ConfigurationError, DoesNotExist, Unsupported
from shared.model import ConsumerGroup
from shared.snowflake.session import Row
from shared.snowflake.tables import create_quarantine_sql, quarantine_name
from shared.snowflake.target_table import Target, runs


@dataclass(frozen=True, slots=True)
class RecentQuarantine:
    """How many events of a partition were quarantined in the last hour."""

    events: int
    near: int
    """Of these, how many shortly before the one that was asked about."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """Which events of a run of sequence numbers have a row, in both tables together."""

    numbers: int
    """How many sequence numbers have a row."""
    duplicated: int | None
    """The first event that was quarantined and has another row."""


class EventIdentity(msgspec.Struct, frozen=True, kw_only=True, rename=str.upper):
    """Number and enqueued time of an event: a number alone may be another event's after the hub failed over."""

    sequence_number: int
    enqueued_time: str | None
    """ISO 8601; None for a time that no database has."""


class Rejected(EventIdentity, frozen=True, kw_only=True, rename=str.upper):
    """One event as it is quarantined."""

    offset: str | None
    body: str | None
    """In hexadecimal digits; None when AMQP gave a value, or the event has left the hub."""
    row_json: str
    reason: str | None = None
    """What Snowflake says of this row; None: only what it says of all."""


class Quarantine(Target):
    """Both tables; what `Target` counts is in either of them. Blocks and raises as `Target` does."""

    rows_are = "in_both"

    def __init__(self, settings: SnowflakeSettings, group: ConsumerGroup, hub_created_at_s: float | None) -> None:
        super().__init__(settings, hub_created_at_s)
        self._is_asked_for = settings.quarantines
        self._source = asdict(group.key)
        self._tables["quarantine"] = self.name = quarantine_name(settings)
        self._tables |= _logged_fields(settings)
        self._create_quarantine = create_quarantine_sql(settings)

    def create(self) -> None:
        """Create both tables where they are missing."""
        super().create()
        self._session.change(self._create_quarantine)

    def check(self) -> None:
        """Raise unless both tables can be read and events be quarantined; nothing is changed."""
        try:
            self._query("probe_rows")
            self._query("probe_quarantine")
            self._query("explain_insert")
        except DoesNotExist as error:
            raise ConfigurationError(
                f"Rejected rows cannot be quarantined in {self.name}",
                error.why,
                "Run `evsup init --target` with SNOWFLAKE_ON_REJECT=quarantine, or grant SNOWFLAKE_ROLE SELECT on the"
                " target table and SELECT and INSERT on this one.",
            ) from error
        except Unsupported:  # an account without EXPLAIN: the first INSERT will show it
            return

    def leave_out_if_missing(self) -> None:
        """Count the target table alone where there is no quarantine, unless the settings ask for one."""
        try:
            self._query("probe_quarantine")
        except DoesNotExist:
            if self._is_asked_for:  # then rows may be in it, and without it they would count as missing
                raise
            self.rows_are = "in_table"

    def missing(self, partition_id: str, numbers: range) -> list[int]:
        """Those of `numbers` that no row of the target table has."""
        found = self._query("missing", "in_table", partition_id=partition_id, first=numbers[0], last=numbers[-1])
        return [number for run in runs(found) for number in run]

    def without_row(self, partition_id: str, events: Sequence[EventIdentity]) -> list[int]:
        """The numbers of those of `events` (in order) without a row in the target table. A row of another event with
        that number does not count.
        """
        first, last = events[0].sequence_number, events[-1].sequence_number
        found = self._query("without_row", partition_id=partition_id, first=first, last=last, events=_as_json(events))
        return [int(row["sequence_number"]) for row in found]

    def coverage(self, partition_id: str, numbers: range) -> Coverage:
        """Which of `numbers` have a row, once everything is written."""
        [row] = self._query("coverage", partition_id=partition_id, first=numbers[0], last=numbers[-1])
        duplicated = row["duplicated_number"]
        return Coverage(int(row["number_count"]), None if duplicated is None else int(duplicated))

    def recent(self, partition_id: str, before: int, near: int) -> RecentQuarantine:
        """Of the partition's events before the number `before`; `near` are so many directly before it."""
        from_on = before - near
        [row] = self._query("recent", "in_quarantine", partition_id=partition_id, first=before, near=from_on)
        return RecentQuarantine(int(row["event_count"]), int(row["near_count"]))

    def logged(self, partition_id: str, numbers: range, channel: str) -> dict[int, Rejected]:
        """The rejected rows of these events that the error table has of a channel, without bodies; the newest of each.

        Raises `DoesNotExist` and others of `SqlSession` where the table logs no errors or the role may not read them.
        """
        found = self._query("logged", partition_id=partition_id, first=numbers[0], last=numbers[-1], channel=channel)
        return {int(row["sequence_number"]): _as_logged(row) for row in found}

    def insert(self, partition_id: str, events: Sequence[Rejected], *, reason: str, channel: str, epoch: int) -> None:
        """Write the events that are not in the quarantine yet."""
        # In one statement, which looks and writes: a standard table enforces no key.
        # https://docs.snowflake.com/en/sql-reference/constraints-overview
        self._query(
            "insert_rejected",
            partition_id=partition_id,
            events=_as_json(events),
            reason=reason,
            channel=channel,
            epoch=epoch,
        )

    def _query(self, name: str, rows_are: str | None = None, **values: str | int | None) -> list[Row]:
        return super()._query(name, rows_are, **values, **self._source)


def _logged_fields(settings: SnowflakeSettings) -> dict[str, str]:
    """Where a row in the error table has what identifies its event, as text."""
    fields = {"partition": "PARTITION_ID", "number": "SEQUENCE_NUMBER", "offset": "OFFSET", "time": "ENQUEUED_TIME"}
    if settings.row_format == "columns":
        return {f"logged_{each}": f'ERROR_DATA:"_EVSUP"."{name.lower()}"::VARCHAR' for each, name in fields.items()}
    return {f"logged_{each}": f'ERROR_DATA:"{name}"::VARCHAR' for each, name in fields.items()}


def _as_logged(row: Row) -> Rejected:
    return Rejected(
        sequence_number=int(row["sequence_number"]),
        enqueued_time=row["enqueued_time"],
        offset=row["event_offset"],
        body=None,
        row_json=row["row_json"],
        reason=row["message"] or f"error {row['error_code']}",
    )


def _as_json(events: Sequence[EventIdentity]) -> str:
    return msgspec.json.encode(events).decode()

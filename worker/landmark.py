"""The event that a reader goes on behind: whether the hub still has that one under its number.

A hub that fails over to a replica which had not received everything gives the numbers of what it lost to other events.
Once there are enough of them no number is beyond the end, nothing is missing, and those that took the place of events
read before would never be read. So a link begins with the last event known, and looks at it before it drops it.

The offset alone does not tell: of one event it may be another after a failover, while the time it was enqueued stays.
https://learn.microsoft.com/azure/event-hubs/geo-replication
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Self

from shared.errors import ResumeRefused
from shared.resume import reset_command
from shared.store.types import Checkpoint
from worker.rows import Row, enqueued_time

if TYPE_CHECKING:
    from azure.eventhub import EventData

CLOCKS_APART = timedelta(hours=2)  # of the control store (with SQLite the host) and Event Hubs, where no offset decides


@dataclass(frozen=True, slots=True)
class Landmark:
    """An event that was read, and what is known of it."""

    number: int
    offset: str | None
    enqueued_by: datetime
    """When it was; of a checkpoint, when that was written."""

    @classmethod
    def of_checkpoint(cls, stored: Checkpoint, after: int | None) -> Self | None:
        """The event of a stored checkpoint; None where a worker goes on behind another one, for that is not known."""
        if after is None or after != stored.sequence_number or stored.updated_at_s is None:
            return None
        return cls(after, stored.offset, datetime.fromtimestamp(stored.updated_at_s, UTC))

    @classmethod
    def of_row(cls, row: Row) -> Self | None:
        """An event that has become a row."""
        if row["SEQUENCE_NUMBER"] is None or row["ENQUEUED_TIME"] is None:
            return None
        return cls(row["SEQUENCE_NUMBER"], row["OFFSET"], row["ENQUEUED_TIME"])

    def recognises(self, partition_id: str, event: "EventData") -> bool:
        """Whether the first event of a link is this one. Raises `ResumeRefused` when another has its number."""
        if event.sequence_number != self.number:
            return False  # it has left retention, or older ones are delivered again
        if event.offset != self.offset:
            self._require_older(partition_id, enqueued_time(event))
        return True

    def _require_older(self, partition_id: str, enqueued: datetime | None) -> None:
        if enqueued is not None and enqueued > self._latest:
            raise self._replaced(partition_id, enqueued)

    @property
    def _latest(self) -> datetime:
        return self.enqueued_by if self.offset else self.enqueued_by + CLOCKS_APART

    def _replaced(self, partition_id: str, enqueued: datetime) -> ResumeRefused:
        return ResumeRefused(
            f"Partition {partition_id}: event {self.number} of the hub is not the one that was read before",
            f"it was enqueued at {enqueued.isoformat()}, that one by {self.enqueued_by.isoformat()}: the hub failed"
            " over to a replica without its newest events, and gives their numbers to others",
            f"Run `{reset_command(partition_id, self.enqueued_by)}`: it begins with the first of these others.",
        )

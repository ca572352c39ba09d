"""Whether the hub still has the last event that was read, under its number.

A hub that fails over to a replica which had not received everything gives the numbers of what it lost to other events.
Once there are enough of them no number is beyond the end, nothing is missing, and those that took the place of events
read before would never be read. So each new link starts one event early, checks that this is the event already
processed, and drops it.

An event is known by the time it was enqueued. The offset does not decide: of one event it may be another after a
failover, while the time stays. Where a checkpoint does not know the time (an older evsup wrote it, a person moved it,
or the token was within an append), an event with another offset is another one when it is younger than the checkpoint.
https://learn.microsoft.com/azure/event-hubs/geo-replication
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Self

import msgspec

from shared.errors import ResumeRefused
from shared.model import Checkpoint
from shared.resume import reset_command
from worker.rows.event import Event
from worker.rows.message import ENQUEUED_TIME, time_of

if TYPE_CHECKING:
    from azure.eventhub import EventData

CLOCKS_APART = timedelta(hours=2)  # of the control store (with SQLite the host) and Event Hubs, where no offset decides
SAME_TIME = timedelta(microseconds=500)  # the hub counts milliseconds; a database's timestamp may round


@dataclass(frozen=True, slots=True)
class LastEvent:
    """An event that was read, and what is known of it."""

    number: int
    offset: str | None
    enqueued: datetime
    """When it was, or by when at the latest."""
    is_exact: bool = True
    """Whether it was just then. Not of a checkpoint that only knows when itself was written."""

    @classmethod
    def of_checkpoint(cls, stored: Checkpoint) -> Self | None:
        """The event of a stored checkpoint; None where it has none."""
        is_exact = stored.enqueued_at_s is not None
        at_s = stored.enqueued_at_s if is_exact else stored.updated_at_s
        if stored.sequence_number is None or at_s is None:
            return None
        return cls(stored.sequence_number, stored.offset, datetime.fromtimestamp(at_s, UTC), is_exact)

    @classmethod
    def of_event(cls, event: Event) -> Self | None:
        """An event that was received."""
        number, enqueued = event.sequence_number, event.enqueued
        return None if number is None or enqueued is None else cls(number, event.offset, enqueued)

    def recognises(self, partition_id: str, event: Event) -> bool:
        """Whether the first event of a link is this one. Raises `ResumeRefused` when another has its number."""
        if event.sequence_number != self.number:
            return False  # it has left retention, or older ones are delivered again
        if event.enqueued is not None and self._is_another(event.offset, event.enqueued):
            raise self._replaced(partition_id, event.enqueued)
        return True

    def _is_another(self, offset: str | None, enqueued: datetime) -> bool:
        if self.is_exact:
            return abs(enqueued - self.enqueued) > SAME_TIME
        # Without an offset the time alone decides, and it was told by another clock.
        latest = self.enqueued if self.offset else self.enqueued + CLOCKS_APART
        return offset != self.offset and enqueued > latest

    def _replaced(self, partition_id: str, enqueued: datetime) -> ResumeRefused:
        known = f"{'at' if self.is_exact else 'by'} {self.enqueued.isoformat()}"
        return ResumeRefused(
            f"Partition {partition_id}: event {self.number} of the hub is not the one that was read before",
            f"it was enqueued at {enqueued.isoformat()}, that one {known}: the hub failed over to a replica without its"
            " newest events, and gives their numbers to others",
            f"Run `{reset_command(partition_id, self.enqueued)}`: it begins with the first of these others.",
        )


def as_event(event: "EventData") -> Event:
    """What an event of the SDK can be known by. It has no row, and no time where its time is none."""
    annotations = event.raw_amqp_message.annotations or {}
    time = time_of(annotations.get(ENQUEUED_TIME))
    return Event(event.sequence_number, event.offset, time and time[0], 0, msgspec.Raw(b""))

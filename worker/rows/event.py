"""An event as it goes through a worker: its row, made once, and the numbers that are asked of it on the way."""

from datetime import datetime

import msgspec

from shared.errors import EventRefused


class Refusal(msgspec.Struct, frozen=True):
    """Why a setting says that an event may not be stored."""

    error: type[EventRefused]
    what: str
    why: str
    fix: str


class Event(msgspec.Struct, frozen=True, gc=False):
    """One event of a partition. A struct, because one is made for every event: a dataclass takes five times as long."""

    sequence_number: int | None
    """None where the event carries none, or what is no number: it is refused (`worker.pipeline.sequence`)."""
    offset: str | None
    enqueued: datetime | None
    size_bytes: int
    """Length of `row`."""
    row: msgspec.Raw
    """One line of JSON."""
    refusal: Refusal | None = None
    """Why the row may not be stored; None: it may."""
    is_undecoded: bool = False
    """Whether the row has the body as it came, with the reason."""

    @property
    def address(self) -> str:
        """What a person finds it by."""
        return f"Event {self.sequence_number}, offset {self.offset}"


def refused(partition_id: str, event: Event, refusal: Refusal) -> EventRefused:
    """The error of an event that may not be stored."""
    where = f"Partition {partition_id}, event {event.sequence_number}, offset {event.offset}"
    return refusal.error(f"{where}: {refusal.what}", refusal.why, refusal.fix)

"""An event as it goes through a worker: its row, made once, and the numbers that are asked of it on the way."""

from datetime import datetime

import msgspec


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
    refusal: str | None = None
    """Why the row may not be stored, with `SNOWFLAKE_ON_DECODE_ERROR=fail`; None: it may."""

    @property
    def address(self) -> str:
        """What a person finds it by."""
        return f"Event {self.sequence_number}, offset {self.offset}"

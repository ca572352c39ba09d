"""Rows in portions, each for one append."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from worker.rows.event import Event

# The SDK accepts far larger appends, but its memory guard does not, and a retry of a small one is cheap.
# https://docs.snowflake.com/en/user-guide/snowpipe-streaming/snowpipe-streaming-high-performance-limitations
MAX_CHUNK_BYTES = 2 * 1024 * 1024
KEYS_COUNT_BELOW_BYTES = 64 * 1024  # of a row; in a larger one they are less than a hundredth of it

_columns = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


@dataclass(slots=True)
class Chunk:
    """Rows of one append, in order. The sequence numbers of the first and the last are its tokens."""

    events: list[Event] = field(default_factory=list)
    size_bytes: int = 0

    @property
    def start(self) -> int:
        """Start token."""
        return _number(self.events[0])

    @property
    def end(self) -> int:
        """End token."""
        return _number(self.events[-1])

    @property
    def offset(self) -> str | None:
        """Event Hubs offset of the last event."""
        return self.events[-1].offset

    @property
    def enqueued(self) -> datetime | None:
        """Enqueued time of the first event."""
        return self.events[0].enqueued

    @property
    def end_enqueued(self) -> datetime | None:
        """Enqueued time of the last event."""
        return self.events[-1].enqueued

    @property
    def billable_bytes(self) -> int:
        """Estimated bytes of the values: by their share in one row, so that the cost is one of an append.

        Keys are free: https://docs.snowflake.com/en/user-guide/snowpipe-streaming/snowpipe-streaming-high-performance-cost
        """
        row = self.events[len(self.events) // 2].row
        length = len(memoryview(row))
        if length > KEYS_COUNT_BELOW_BYTES:
            return self.size_bytes
        values = sum(len(memoryview(value)) for value in _columns(row).values())
        return round(self.size_bytes * values / length)


def chunked(events: Sequence[Event]) -> list[Chunk]:
    """Split events into chunks of at most `MAX_CHUNK_BYTES`. A larger one is a chunk of its own."""
    chunks: list[Chunk] = []
    for event in events:
        if not chunks or chunks[-1].size_bytes + event.size_bytes > MAX_CHUNK_BYTES:
            chunks.append(Chunk())
        chunks[-1].events.append(event)
        chunks[-1].size_bytes += event.size_bytes
    return chunks


def _number(event: Event) -> int:
    assert event.sequence_number is not None, "admitted without a number"  # noqa: S101 (a bug of ours, not an input)
    return event.sequence_number

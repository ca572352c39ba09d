"""What was appended and is not committed yet, bounded in rows and bytes.

Rows are appended while older ones are in flight, because a commit takes seconds. The bound limits what is read again
after a crash. Memory has its own limit: of what Snowflake does not take, the streaming SDK holds 256 MiB.
"""

from collections import deque
from datetime import datetime

from msgspec import Struct


class Passage(Struct, frozen=True, gc=False):
    """When the oldest event of an append was where, on the monotonic clock. A struct, as `Event`: where batches are
    small, one is made for nearly every event.
    """

    enqueued_s: float | None
    """None: its enqueued time is not known."""
    appended_s: float


class Append(Struct, frozen=True, gc=False):
    """One append to the channel, known by its end token."""

    end: int
    rows: int
    size_bytes: int
    offset: str | None = None
    """Event Hubs offset of its last event, for the checkpoint."""
    enqueued: datetime | None = None
    """Enqueued time of its first event."""
    end_enqueued: datetime | None = None
    """Enqueued time of its last event, for the checkpoint."""
    passage: Passage | None = None
    """None: it was not timed."""


class Window:
    """Appends in flight, oldest first. Knows no clock and no SDK: `now_s` is passed in."""

    def __init__(self, max_rows: int, max_bytes: int) -> None:
        self._max_rows, self._max_bytes = max_rows, max_bytes
        self._inflight: deque[Append] = deque()
        self._stalled_since_s = 0.0
        self.rows = 0
        self.size_bytes = 0

    def has_room(self, rows: int, size_bytes: int) -> bool:
        """Whether so much more fits. An empty window takes any append, or a single large event would wait for ever."""
        fits = self.rows + rows <= self._max_rows and self.size_bytes + size_bytes <= self._max_bytes
        return fits or not self._inflight

    def add(self, append: Append, now_s: float) -> None:
        """Record one append."""
        # A stall begins with the first row in flight: an idle partition does not stall.
        if not self._inflight:
            self._stalled_since_s = now_s
        self._inflight.append(append)
        self.rows += append.rows
        self.size_bytes += append.size_bytes

    def commit(self, token: int, now_s: float) -> list[Append]:
        """Release the appends up to `token`, which are durable, oldest first. A token may pass several at once."""
        released: list[Append] = []
        # Of an append that the token is within nothing is released: how many of its bytes are durable is not known.
        while self._inflight and self._inflight[0].end <= token:
            append = self._inflight.popleft()
            released.append(append)
            self.rows -= append.rows
            self.size_bytes -= append.size_bytes
        # Any commit shows that Snowflake works, however many rows are still in flight.
        if released:
            self._stalled_since_s = now_s
        return released

    def stalled_s(self, now_s: float) -> float:
        """Seconds without a commit while rows are in flight; 0 when none are."""
        return now_s - self._stalled_since_s if self._inflight else 0.0

    @property
    def oldest_enqueued(self) -> datetime | None:
        """Enqueued time of the oldest event in flight."""
        return self._inflight[0].enqueued if self._inflight else None

    @property
    def is_empty(self) -> bool:
        """Whether nothing is in flight."""
        return not self._inflight

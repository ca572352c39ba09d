"""A partition: an append-only log of encoded events in memory."""

from array import array
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

from scripts.localcloud.hub.entity import event

if TYPE_CHECKING:
    from collections.abc import Callable

FIRST_OFFSET = 1 << 32
"""Offset of the first event. Offsets count bytes; starting high, none can be mistaken for a sequence number."""
_OFFSET_STEP = 8
NO_OFFSET = "-1"
NO_TIME_MS = -62_135_596_800_000
"""Enqueued time of a partition that never had an event: the year 1, as the service answers."""


class Partition:
    """Events in order, with their sequence numbers, offsets and enqueued times (milliseconds since 1970).

    A cursor is a place in the log: the number of events ever appended before it. It stays valid when old events are
    trimmed.
    """

    def __init__(self, partition_id: str) -> None:
        self.id = partition_id
        self.listeners: set[Callable[[], None]] = set()
        self._messages: list[bytes] = []
        self._sequence_numbers = array("q")
        self._offsets = array("q")
        self._times = array("q")
        self._trimmed = 0
        self._next_sequence_number = 0
        self._next_offset = FIRST_OFFSET
        self._last_offset = NO_OFFSET
        self._last_time_ms = NO_TIME_MS

    @property
    def begin(self) -> int:
        """Cursor of the oldest retained event."""
        return self._trimmed

    @property
    def end(self) -> int:
        """Cursor after the newest event."""
        return self._trimmed + len(self._messages)

    @property
    def begin_sequence_number(self) -> int:
        """Sequence number of the oldest retained event, or of the next one if there is none."""
        return self._sequence_numbers[0] if self._messages else self._next_sequence_number

    @property
    def last_sequence_number(self) -> int:
        """Sequence number of the newest event ever, -1 before the first."""
        return self._next_sequence_number - 1

    @property
    def last_offset(self) -> str:
        """Offset of the newest event ever, -1 before the first."""
        return self._last_offset

    @property
    def last_time_ms(self) -> int:
        """Enqueued time of the newest event ever."""
        return self._last_time_ms

    @property
    def retained(self) -> int:
        """Number of events held."""
        return len(self._messages)

    def append(self, one: event.Published, now_ms: int, *, numbered: bool = True) -> int:
        """Store an event and return its sequence number; unnumbered, receivers do not see that number."""
        sequence_number, offset = self._next_sequence_number, self._next_offset
        message = event.stored(one, sequence_number if numbered else None, offset, now_ms)
        self._messages.append(message)
        self._sequence_numbers.append(sequence_number)
        self._offsets.append(offset)
        self._last_offset = str(offset)
        self._last_time_ms = max(now_ms, self._last_time_ms)
        self._times.append(self._last_time_ms)
        self._next_sequence_number = sequence_number + 1
        self._next_offset = offset + (len(message) // _OFFSET_STEP + 1) * _OFFSET_STEP
        return sequence_number

    def announce(self) -> None:
        """Wake the receivers after events were appended."""
        for listener in tuple(self.listeners):
            listener()

    def read(self, cursor: int, limit: int) -> list[bytes]:
        """Return up to `limit` encoded events from a cursor on."""
        start = cursor - self._trimmed
        return self._messages[start : start + limit]

    def skip(self, events: int) -> None:
        """Leave a gap of `events` sequence numbers before the next event."""
        self._next_sequence_number += events
        self._next_offset += events * _OFFSET_STEP

    def trim(self, events: int) -> int:
        """Drop the oldest events, as retention does; return how many there were to drop."""
        dropped = min(events, len(self._messages))
        for column in (self._messages, self._sequence_numbers, self._offsets, self._times):
            del column[:dropped]
        self._trimmed += dropped
        return dropped

    def fail_over(self, lost: int) -> None:
        """Lose the newest events; those to come get their numbers, and offsets that no event had before."""
        for column in (self._messages, self._sequence_numbers, self._offsets, self._times):
            del column[len(column) - min(lost, len(column)) :]
        self._next_sequence_number = self._sequence_numbers[-1] + 1 if self._messages else 0
        self._last_offset = str(self._offsets[-1]) if self._messages else NO_OFFSET
        self._next_offset += FIRST_OFFSET

    def after_sequence_number(self, value: int, *, inclusive: bool) -> int:
        """Return the cursor after (or at) a sequence number."""
        return self._trimmed + _place(self._sequence_numbers, value, inclusive=inclusive)

    def after_offset(self, value: int, *, inclusive: bool) -> int:
        """Return the cursor after (or at) an offset."""
        return self._trimmed + _place(self._offsets, value, inclusive=inclusive)

    def after_time(self, value_ms: int, *, inclusive: bool) -> int:
        """Return the cursor after (or at) an enqueued time."""
        return self._trimmed + _place(self._times, value_ms, inclusive=inclusive)


def _place(column: "array[int]", value: int, *, inclusive: bool) -> int:
    return bisect_left(column, value) if inclusive else bisect_right(column, value)

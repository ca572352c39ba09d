"""What the receiver's thread has handed over and the loop has not taken, bounded in batches and in bytes."""

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from shared.clock import Instant
from shared.ipc.wakeup import Wakeup
from shared.model import LastEnqueued
from worker.rows.event import Event

QUEUED_BATCHES = 4  # enough that neither thread waits for the other in a steady stream
QUEUED_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True)
class Batch:
    """Events as they came, perhaps none, and the last event in the partition as far as it is known."""

    events: Sequence[Event]
    last_enqueued: LastEnqueued | None
    received: Instant = field(default_factory=Instant.now)
    """When the receiver handed it over."""

    @cached_property
    def size_bytes(self) -> int:
        """How many bytes of JSON their rows are."""
        return sum(event.size_bytes for event in self.events)


class Backlog:
    """A queue between two threads, neither of which ever waits in it: each has a wakeup to wait for."""

    def __init__(self) -> None:
        self._batches: deque[Batch] = deque()
        self._size_bytes = 0
        self._closed = self._is_wanted = False
        self._lock = threading.Lock()
        self._wakeup = Wakeup()
        self.room = Wakeup()
        """Readable when there is room again after an offer that found none, and when it is closed."""

    def fileno(self) -> int:
        """Readable when there may be something to take."""
        return self._wakeup.fileno()

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits to be taken."""
        return not self._batches

    def offer(self, batch: Batch) -> bool:
        """Add a batch if there is room; an empty queue takes any. A closed one drops it."""
        with self._lock:
            if self._closed:
                return True
            if not self._has_room(batch):
                self._is_wanted = True
                return False
            self._batches.append(batch)
            self._size_bytes += batch.size_bytes
        # Outside of the lock, which whoever is woken needs at once.
        self.wake()
        return True

    def take(self) -> Batch | None:
        """The oldest batch; None when there is none, and then `fileno` sleeps until there is."""
        with self._lock:
            if not self._batches:
                self._wakeup.clear()
                return None
            batch = self._batches.popleft()
            self._size_bytes -= batch.size_bytes
            if self._is_wanted:
                self._is_wanted = False
                self.room.set()
            return batch

    def wake(self) -> None:
        """Make `fileno` readable."""
        self._wakeup.set()

    def close(self) -> None:
        """Drop what waits, and take no more."""
        with self._lock:
            self._closed = True
            self._batches.clear()
        # The receiver may wait for room. It is to see at once that it was stopped.
        self.room.set()

    def _has_room(self, batch: Batch) -> bool:
        fits = len(self._batches) < QUEUED_BATCHES and self._size_bytes + batch.size_bytes <= QUEUED_BYTES
        return fits or not self._batches

"""What the receiver thread has handed over and the loop has not taken, bounded in batches and in bytes."""

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from shared.ipc.wakeup import Wakeup
from worker.source.envelope import Row, size_bytes

QUEUED_BATCHES = 4  # enough that neither thread waits for the other in a steady stream
QUEUED_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True)
class Batch:
    """Rows as their events came, and the last sequence number in the partition as far as it is known."""

    rows: Sequence[Row]
    last_enqueued: int | None

    @cached_property
    def size_bytes(self) -> int:
        """About how many bytes of JSON they are."""
        return sum(map(size_bytes, self.rows))


class Backlog:
    """A queue between two threads: `put` waits for room, `take` never waits, `fileno` is readable when it may give."""

    def __init__(self) -> None:
        self._batches: deque[Batch] = deque()
        self._size_bytes = 0
        self._closed = False
        self._changed = threading.Condition()
        self._wakeup = Wakeup()

    def fileno(self) -> int:
        """For `multiprocessing.connection.wait`."""
        return self._wakeup.fileno()

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits to be taken."""
        return not self._batches

    def put(self, batch: Batch) -> bool:
        """Add a batch as soon as there is room; an empty queue takes any. False: it was closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._has_room(batch))
            if self._closed:
                return False
            self._batches.append(batch)
            self._size_bytes += batch.size_bytes
        self.wake()
        return True

    def take(self) -> Batch | None:
        """The oldest batch; None when there is none, and then `fileno` sleeps until there is."""
        with self._changed:
            if not self._batches:
                self._wakeup.clear()
                return None
            batch = self._batches.popleft()
            self._size_bytes -= batch.size_bytes
            self._changed.notify()
            return batch

    def wake(self) -> None:
        """Make `fileno` readable."""
        self._wakeup.set()

    def close(self) -> None:
        """Drop what waits, and take no more."""
        with self._changed:
            self._closed = True
            self._batches.clear()
            self._changed.notify_all()

    def _has_room(self, batch: Batch) -> bool:
        fits = len(self._batches) < QUEUED_BATCHES and self._size_bytes + batch.size_bytes <= QUEUED_BYTES
        return fits or not self._batches

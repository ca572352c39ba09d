"""How often something is done: callers on any thread get their turns one after the other, so many a second."""

import threading
import time
from collections.abc import Callable

from shared.clock import Clock, monotonic


class Pace:
    """Lets at most `per_s` callers a second through, evenly."""

    def __init__(self, per_s: float, clock: Clock = monotonic, sleep: Callable[[float], None] = time.sleep) -> None:
        self._every_s, self._clock, self._sleep = 1 / per_s, clock, sleep
        self._lock = threading.Lock()
        self._due_s = 0.0

    def turn_s(self, sharers: int = 1) -> float:
        """When it is the caller's turn, on the clock. `sharers` is how many such paces have to share the rate."""
        with self._lock:
            turn_s = max(self._clock(), self._due_s)
            self._due_s = turn_s + self._every_s * sharers
        return turn_s

    def wait(self) -> None:
        """Return when it is the caller's turn."""
        wait_s = self.turn_s() - self._clock()
        if wait_s > 0:
            self._sleep(wait_s)

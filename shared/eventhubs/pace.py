"""How often something is done: callers on any thread are let through one after the other, so many a second."""

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

    def wait(self) -> None:
        """Return when it is the caller's turn."""
        with self._lock:
            now_s = self._clock()
            turn_s = max(now_s, self._due_s)
            self._due_s = turn_s + self._every_s
        if turn_s > now_s:
            self._sleep(turn_s - now_s)

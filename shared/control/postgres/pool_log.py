"""What psycopg's pool logs: each failure once, and again when it changes.

The pool tries to connect once a second while there is no server, on a thread of its own, and warns each time. Whoever
calls the store meanwhile gets the same reason as an error, and reports it.
https://www.psycopg.org/psycopg3/docs/advanced/pool.html#connection-life-cycle
"""

import logging
import re
from typing import Any

from shared.clock import Clock, monotonic

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")  # of a connection that is discarded: each has another one
AGAIN_S = 60.0  # without this failure; if it comes then, it is another outage


class Unrepeated(logging.Filter):
    """Passes a message, but not the same one again while it keeps coming."""

    def __init__(self, clock: Clock = monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._last: dict[Any, tuple[str, float]] = {}
        """By the kind of message: its text, and when it came last."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it says something new."""
        text, now_s = _ADDRESS.sub("", record.getMessage()), self._clock()
        before, came_s = self._last.get(record.msg, ("", now_s))
        self._last[record.msg] = text, now_s
        return text != before or now_s - came_s > AGAIN_S

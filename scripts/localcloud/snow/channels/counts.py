"""What a status shows of a channel's error counters: the true ones, or later ones than its token.

Nowhere does Snowflake promise that the counters of a status are as new as its token, so a client has to bear the fault.
https://docs.snowflake.com/en/user-guide/snowpipe-streaming/snowpipe-streaming-high-performance-error-handling
"""

import math
import time
from collections import deque
from copy import copy
from dataclasses import dataclass, field, replace

from scripts.localcloud.snow.tables.warehouse import Loaded

KEPT = 10_000  # commits


@dataclass
class Counters:
    """Totals since the channel was created; they survive a reopen."""

    rows_parsed: int = 0
    rows_inserted: int = 0
    rows_error_count: int = 0
    last_error_message: str | None = None
    last_error_offset_upper_bound: str | None = None
    last_error_timestamp_ms: int | None = None
    commits: int = 0
    latency_s: float = 0.0

    def add(self, loaded: Loaded, end_token: str | None, accepted_at: float) -> None:
        """Count one committed request: its last offset token, and when it was accepted (monotonic seconds)."""
        self.rows_parsed += loaded.parsed
        self.rows_inserted += loaded.inserted
        self.rows_error_count += loaded.errors
        self.commits += 1
        self.latency_s += time.monotonic() - accepted_at
        if loaded.complaint is not None:
            self.last_error_message = loaded.complaint
            self.last_error_offset_upper_bound = end_token
            self.last_error_timestamp_ms = now_ms()


@dataclass
class Lateness:
    """How much later than the token the count of rejected rows is shown, and the message with its bound."""

    count_s: float = 0.0
    message_s: float = 0.0
    in_steps: bool = False
    """Half of what a commit rejected is shown after `count_s`, all of it after twice that."""
    held_since_s: float = math.inf
    """Nothing that was rejected later is shown at all."""

    @property
    def is_none(self) -> bool:
        """Whether all is shown at once."""
        return not (self.count_s or self.message_s) and self.held_since_s == math.inf

    def set(self, count_s: float, message_s: float, *, in_steps: bool) -> None:
        """Change it, also for what was rejected already."""
        self.count_s, self.message_s, self.in_steps, self.held_since_s = count_s, message_s, in_steps, math.inf

    def hold(self) -> None:
        """Show what is shown by now, and no more until the next change."""
        self.held_since_s = time.monotonic()


@dataclass
class History:
    """The counters and the token of one channel after each of its commits."""

    lateness: Lateness
    _past: deque[tuple[float, str | None, Counters]] = field(default_factory=lambda: deque(maxlen=KEPT))

    def note(self, token: str | None, counters: Counters) -> None:
        """Keep what is true from now on."""
        self._past.append((time.monotonic(), token, copy(counters)))

    def shown(self, counters: Counters) -> Counters:
        """The counters as a status shows them."""
        late = self.lateness
        if late.is_none:
            return counters
        count, message = self._before(late.count_s), self._before(late.message_s)
        errors = count.rows_error_count if count else 0
        if late.in_steps:
            earlier = self._before(2 * late.count_s)
            known = earlier.rows_error_count if earlier else 0
            errors = known + (errors - known + 1) // 2
        return replace(
            counters,
            rows_error_count=errors,
            last_error_message=message.last_error_message if message else None,
            last_error_offset_upper_bound=message.last_error_offset_upper_bound if message else None,
            last_error_timestamp_ms=message.last_error_timestamp_ms if message else None,
        )

    def one_commit_ago(self) -> tuple[str | None, Counters] | None:
        """Token and counters as they were before the last commit; None when there was no earlier one."""
        return self._past[-2][1:] if len(self._past) > 1 else None

    def _before(self, seconds: float) -> Counters | None:
        """The counters so many seconds ago; None before the first commit."""
        until = min(time.monotonic(), self.lateness.held_since_s) - seconds
        return next((counters for at, _, counters in reversed(self._past) if at <= until), None)


def now_ms() -> int:
    """Give the wall clock in milliseconds, as the protocol carries times."""
    return time.time_ns() // 1_000_000

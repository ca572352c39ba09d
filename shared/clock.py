"""Deadlines on a clock that only goes forward.

`CLOCK_BOOTTIME` counts for the whole host, so a deadline that the supervisor makes means the same in its workers.
Unlike `CLOCK_MONOTONIC` it also counts while the host is suspended, because a lease runs out in the database then, too
(https://man7.org/linux/man-pages/man2/clock_gettime.2.html). Wall clocks jump, so no decision depends on one.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import SystemRandom

Clock = Callable[[], float]
random = SystemRandom()  # it has no state, which copies of a process and tests with a seed would share


def monotonic() -> float:
    """Seconds since the host was booted, also while it was suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass(frozen=True, slots=True)
class Instant:
    """A point in time on both clocks of the host: the wall clock, to compare it with a time that another machine gave,
    and the monotonic one, for every duration from then on.
    """

    unix_s: float
    monotonic_s: float

    @classmethod
    def now(cls) -> "Instant":
        """What both clocks say."""
        return cls(time.time(), monotonic())

    def set_by_s(self, before: "Instant") -> float:
        """By how much the wall clock was set since then; negative: back."""
        return (self.unix_s - before.unix_s) - (self.monotonic_s - before.monotonic_s)

    def of_unix_s(self, unix_s: float) -> float:
        """A time of another machine's wall clock, on the monotonic clock. Two clocks never agree, so a time that seems
        to be later than this one is taken for this one: nothing has a negative age.
        """
        return self.monotonic_s - max(0.0, self.unix_s - unix_s)


class HostClock:
    """What a host's clocks say: one that may be set at any time, and one that only goes forward."""

    def boot_id(self) -> str:
        """Another text after each boot (https://man7.org/linux/man-pages/man4/random.4.html); empty where the system
        does not say.
        """
        try:
            return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        except OSError:
            return ""

    def unix_s(self) -> float:
        """Unix time by the clock that may be set."""
        return time.time()

    def since_boot_s(self) -> float:
        """Seconds since the host was booted."""
        return monotonic()


@dataclass(frozen=True, slots=True)
class Deadline:
    """A point on the monotonic clock, in seconds. It is made once for what has to be done and passed down, so that no
    call has a timeout of its own.
    """

    at_s: float

    @classmethod
    def after(cls, seconds: float, now_s: float | None = None) -> "Deadline":
        """`seconds` after `now_s` (default: what the monotonic clock says)."""
        return cls((monotonic() if now_s is None else now_s) + seconds)

    def remaining_s(self, now_s: float | None = None) -> float:
        """Seconds left, never below zero."""
        return max(0.0, self.at_s - (monotonic() if now_s is None else now_s))

    def passed(self, now_s: float | None = None) -> bool:
        """Whether the deadline has passed."""
        return self.remaining_s(now_s) <= 0.0


LONGEST_TURN_S = 2.0  # a loop here waits for a second at most; what it then does takes milliseconds
STANDSTILL_S = 0.5  # what a longer turn counts for: not nothing, or a loop that is always slow would never judge


class LoopClock:
    """A clock that counts only while a loop turns, for how long others were silent.

    A host that is migrated, a disk that stalls or a stopped process halts the loop and whatever it watches alike, so
    silence during that time means nothing. Not for leases: they run out in the database meanwhile.
    """

    def __init__(self, now_s: float) -> None:
        self._turned_s, self.behind_s = now_s, 0.0
        """How far it has fallen behind the other clock, with which it began."""

    def turned(self, now_s: float) -> float:
        """One turn of the loop; the time on this clock."""
        turn_s, self._turned_s = now_s - self._turned_s, now_s
        if turn_s > LONGEST_TURN_S:
            self.behind_s += turn_s - STANDSTILL_S
        return now_s - self.behind_s


def utc(unix_s: float) -> str:
    """A time in a message, as a person compares it with `date -u`."""
    return f"{datetime.fromtimestamp(unix_s, UTC):%Y-%m-%d %H:%M:%S} UTC"


def jittered(seconds: float, spread: float = 0.1) -> float:
    """`seconds` ± `spread` (a fraction), so that many processes do not call a service at the same time."""
    return seconds * (1 + spread * (2 * random.random() - 1))


def backoff_s(first: float, most: float) -> Iterator[float]:
    """Waiting times that double from `first` to `most` seconds, each with jitter, without end."""
    pause = first
    while True:
        yield jittered(pause, 0.25)
        pause = min(most, pause * 2)

"""How long a worker has been silent while it could have spoken: one that hangs, told from one that gets no turn.

Three things keep a healthy worker silent. The host, and with it the supervisor, stands still: time in which the
supervisor did not turn does not count (`LoopClock`). Or others have the processors: a worker of which a thread wants
one, and gets little of it, is waiting in a line, and most of that time does not count either. Or a disk is slow: a
worker whose main thread waits in the kernel (state D, for a file or for memory that was swapped out) cannot even be
killed, and most of that time does not count.
"""

from collections.abc import Callable
from typing import Literal

from shared.clock import LoopClock
from shared.ipc.memory import Vitals

# Three heartbeats of 4 s: workers report every second, and a loaded host may be late by a few.
HUNG_AFTER_S = 12.0
BOOT_S = 60.0  # until the first report: a cold start of Python and the SDKs on a slow disk
ASK_S = 2.0  # before the end of either, a worker is asked where it stands; one that lives reports meanwhile
LOOK_AFTER_S = 3.0  # of silence, at what the kernel says; three reports are missing then
LOOK_EVERY_S = 0.5  # far more than the 10 ms in which the kernel counts processor time
# Of the time in which it waits for a processor or a disk: even then one that hangs is found, in two minutes.
STARVED_SHARE = 0.1

Verdict = Literal["well", "ask", "hung"]


class HangDetector:
    """Of one worker. `look` is for every turn of the supervisor's loop, after what it has said was heard."""

    def __init__(self, now_s: float, look_at_it: Callable[[], Vitals | None]) -> None:
        self._clock, self._own_s, self._look_at_it = LoopClock(now_s), now_s, look_at_it
        self.limit_s, self.lasted_s, self._uncounted_s = BOOT_S, 0.0, 0.0
        self.seen: Vitals | None = None
        """What the kernel said last, once it has been silent for some time."""

    def broken(self) -> None:
        """It has reported."""
        self.limit_s, self.lasted_s, self._uncounted_s, self.seen = HUNG_AFTER_S, 0.0, 0.0, None

    def look(self, now_s: float) -> Verdict:
        """One turn of the supervisor; what to think of the worker now."""
        before_s, self._own_s = self._own_s, self._clock.turned(now_s)
        self._uncounted_s += self._own_s - before_s
        if self._uncounted_s >= LOOK_EVERY_S:
            self._count()
        if self.lasted_s >= self.limit_s:
            return "hung"
        return "ask" if self.lasted_s >= self.limit_s - ASK_S else "well"

    def _count(self) -> None:
        elapsed_s, self._uncounted_s = self._uncounted_s, 0.0
        if self.lasted_s >= LOOK_AFTER_S:
            before, self.seen = self.seen, self._look_at_it()
            elapsed_s = counted_s(elapsed_s, before, self.seen)
        self.lasted_s += elapsed_s


def counted_s(elapsed_s: float, before: Vitals | None, now: Vitals | None) -> float:
    """How much of some time, between two looks at it, a silent worker had for itself."""
    if before is None or now is None or not (_waits(before) and _waits(now)):
        return elapsed_s
    return min(elapsed_s, max(elapsed_s * STARVED_SHARE, now.cpu_s - before.cpu_s))


def _waits(seen: Vitals) -> bool:
    """Whether it waits for the host: for a processor, or for a disk."""
    return seen.wants_cpu or seen.state == "D"

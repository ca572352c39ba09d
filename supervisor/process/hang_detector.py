"""Whether a worker hangs: it has sent no status although it could have.

Three things keep a healthy worker from reporting, so most of their time is not counted:

- The host stands still, and the supervisor with it. Only the turns of the supervisor's own loop count (`LoopClock`).
- Other processes have the processors. A worker one of whose threads wants a processor and gets little of it waits in
  a queue.
- A disk is slow. A worker whose main thread waits in the kernel (state D, for a file or for memory that was swapped
  out) cannot even be killed.
"""

from collections.abc import Callable
from typing import Literal

from shared.clock import LoopClock
from shared.ipc.vitals import Vitals

HUNG_AFTER_S = 12.0  # workers report every second, and a loaded host may be late by a few
BOOT_S = 60.0  # until the first report: a cold start of Python and the SDKs on a slow disk
ASK_S = 2.0  # before the end of either, a worker is asked for its stacks; a healthy one reports meanwhile
READ_AFTER_S = 3.0  # without a report, the kernel's view of the worker is read; three reports are missing then
READ_EVERY_S = 0.5  # far more than the 10 ms in which the kernel counts processor time
STARVED_SHARE = 0.1  # counted of the time in which it waits: even then one that hangs is found, in two minutes

Verdict = Literal["well", "ask", "hung"]


class HangDetector:
    """Of one worker. Call `check` in every turn of the supervisor's loop, after its reports were read."""

    def __init__(self, now_s: float, read_vitals: Callable[[], Vitals | None]) -> None:
        self._clock, self._own_s, self._read_vitals = LoopClock(now_s), now_s, read_vitals
        self.limit_s, self._silent_s, self._uncounted_s = BOOT_S, 0.0, 0.0
        self.vitals: Vitals | None = None
        """What the kernel said last of a worker that has not reported for some time."""

    def reported(self) -> None:
        """A report has arrived: begin anew."""
        self.limit_s, self._silent_s, self._uncounted_s, self.vitals = HUNG_AFTER_S, 0.0, 0.0, None

    def check(self, now_s: float) -> Verdict:
        """One turn of the supervisor. `ask`: have the worker write its stacks; `hung`: it has failed."""
        before_s, self._own_s = self._own_s, self._clock.turned(now_s)
        self._uncounted_s += self._own_s - before_s
        if self._uncounted_s >= READ_EVERY_S:
            self._count()
        if self._silent_s >= self.limit_s:
            return "hung"
        return "ask" if self._silent_s >= self.limit_s - ASK_S else "well"

    def _count(self) -> None:
        elapsed_s, self._uncounted_s = self._uncounted_s, 0.0
        # The kernel is read only for a worker that is silent: reading /proc for each of them all the time costs more.
        if self._silent_s >= READ_AFTER_S:
            before, self.vitals = self.vitals, self._read_vitals()
            elapsed_s = counted_s(elapsed_s, before, self.vitals)
        self._silent_s += elapsed_s


def counted_s(elapsed_s: float, before: Vitals | None, now: Vitals | None) -> float:
    """How much of the time between two readings of a silent worker counts: all, unless it waited for the host."""
    if before is None or now is None or not (_waits(before) and _waits(now)):
        return elapsed_s
    # What it ran counts in any case: with that time it could have sent a status.
    return min(elapsed_s, max(elapsed_s * STARVED_SHARE, now.cpu_s - before.cpu_s))


def _waits(vitals: Vitals) -> bool:
    """Whether it waits for a processor or for a disk."""
    return vitals.wants_cpu or vitals.state == "D"

"""Carries out the schedule: strikes faults when they are due, mends them in time, and checks that each did damage."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import psycopg

from scripts.chaos.faults.fault import Fault
from scripts.chaos.faults.schedule import Strike
from scripts.chaos.judging.broken import InvariantBroken
from scripts.chaos.scene.scene import Scene
from shared.clock import monotonic

AGAIN_S = 8.0  # a fault that hurt nobody strikes again: both trees may just have been starting
MISSED_S = 60.0  # and fails the run so long after it was due


@dataclass
class Blow:
    """One strike and how far it is: due, struck, mended, seen to have fired. Times are seconds since the beginning."""

    strike: Strike
    fault: Fault
    before: int = 0
    """How often faults of its kind had fired before it struck."""
    struck_s: float | None = None
    mend_s: float | None = None
    """When it is to be mended; None: there is nothing to mend."""
    fired: bool = False

    @property
    def is_over(self) -> bool:
        """Whether nothing of it is left to do or to see."""
        return self.fired and self.struck_s is not None and self.mend_s is None


@dataclass
class Storm:
    """All blows of a run. `turn` is one step and blocks only as long as a service takes to restart."""

    scene: Scene
    strikes: Sequence[Strike]
    seconds: float
    faults: Iterable[Fault]
    say: Callable[[str], None]
    name: str = "storm"
    blows: list[Blow] = field(init=False)
    changed_s: float = field(init=False, default_factory=monotonic)

    def __post_init__(self) -> None:
        named = {fault.name: fault for fault in self.faults}
        self.blows = [Blow(strike, named[strike.fault]) for strike in self.strikes]

    @property
    def limit_s(self) -> float:
        """No storm lasts longer."""
        return self.seconds + MISSED_S

    def turn(self, at_s: float) -> bool:
        """Do what is due so many seconds after the beginning; whether nothing of any blow is left to do or to see."""
        for blow in self.blows:
            if blow.is_over or at_s < blow.strike.at_s:
                continue
            go_on = self._strike if blow.struck_s is None else self._follow
            with suppress(psycopg.OperationalError):  # another fault has the database: the next turn tries again
                go_on(blow, at_s)
            if not blow.fired and at_s > blow.strike.at_s + MISSED_S:
                raise InvariantBroken("mix", f"{blow.fault.name} was due at {blow.strike.at_s:.1f} s and never fired")
        return at_s >= self.seconds and all(blow.is_over for blow in self.blows)

    def _strike(self, blow: Blow, at_s: float) -> None:
        before = blow.fault.fired(self.scene)
        if not blow.fault.strike(self.scene, blow.strike):
            return
        blow.before, blow.struck_s, self.changed_s = before, at_s, monotonic()
        blow.mend_s = blow.fault.ends_s(blow.strike, at_s) if any(blow.fault.lasts_s) else None
        self.say(self._line(blow, at_s))

    def _follow(self, blow: Blow, at_s: float) -> None:
        assert blow.struck_s is not None
        blow.fired = blow.fired or blow.fault.fired(self.scene) > blow.before
        if blow.mend_s is not None and at_s >= blow.mend_s:
            blow.fault.mend(self.scene, blow.strike)
            blow.mend_s, self.changed_s = None, monotonic()
        is_missed = blow.mend_s is None and not blow.fired and at_s > blow.struck_s + AGAIN_S
        if is_missed and not blow.fault.stays:
            blow.struck_s = None

    def _line(self, blow: Blow, at_s: float) -> str:
        strike = blow.strike
        lasts = f" for {blow.mend_s - at_s:.1f} s" if blow.mend_s else ""
        return f"{at_s:6.1f} s  {blow.fault.name}{lasts} (partition {strike.partition}, supervisor {strike.unit})"

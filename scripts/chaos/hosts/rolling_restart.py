"""Every supervisor is restarted, one after the other, as an upgrade does."""

import signal
from collections.abc import Iterable

from scripts.chaos.judging.broken import InvariantBroken
from scripts.chaos.run import START_S
from scripts.chaos.scene.scene import Scene
from scripts.chaos.scene.unit import Unit
from shared.clock import monotonic
from shared.errors import ExitCode


class RollingRestart:
    """SIGTERM for the next one as soon as every supervisor has its share again."""

    name = "rolling restart"

    def __init__(self, scene: Scene, order: Iterable[int]) -> None:
        self._scene, self._order = scene, tuple(order)
        self.limit_s = len(self._order) * (scene.limits.stop_s + START_S + scene.limits.recovery_s)
        self.changed_s = monotonic()
        self._asked: list[tuple[Unit, int]] = []
        """Who was sent SIGTERM, and how many of its trees had ended with 0 before."""

    def turn(self, _at_s: float) -> bool:
        """Ask the next one, when the last one is back."""
        if (self._asked and not self._is_drained(*self._asked[-1])) or not self._scene.is_shared():
            return False
        if len(self._asked) == len(self._order):
            return True
        unit = self._scene.units[self._order[len(self._asked)]]
        self._asked.append((unit, unit.ends[ExitCode.OK]))
        unit.send(signal.SIGTERM)
        self.changed_s = monotonic()
        return False

    def _is_drained(self, unit: Unit, drained_before: int) -> bool:
        """Whether it has ended since; a drain without any fault ends with 0."""
        if code := unit.evsup.exit_code:
            raise InvariantBroken("I7", f"{unit.name} ended with {code} in a rolling restart")
        return unit.ends[ExitCode.OK] > drained_before

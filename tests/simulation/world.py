"""Virtual time: an agenda of what happens when, and the history of what happened."""

import heapq
import itertools
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.simulation.processes.fiber import Fiber
    from tests.simulation.processes.process import Process

FIRST_PID = 2**22 + 1  # above `pid_max`: no process of this host has one of these
SHOWN = 60  # last lines of a history that a person reads


class Violation(AssertionError):
    """An invariant does not hold. The message says which, and shows the history."""


class World:
    """Where everything happens in one order. One seed gives one history, on any machine."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)  # noqa: S311 (no secret hangs on it)
        self.now_s = 0.0
        self.running: Process | None = None
        """Whose code runs now; None between the steps and while a service acts."""
        self.fibers: set[Fiber] = set()
        self.steps = 0
        self.history: list[tuple[float, str, str, dict[str, Any]]] = []
        self._violated: str | None = None
        self._pids = itertools.count(FIRST_PID)
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def after(self, delay_s: float, action: Callable[[], None]) -> None:
        """Have something happen later; what is due at the same time happens in the order of the calls."""
        heapq.heappush(self._agenda, (self.now_s + delay_s, next(self._order), action))

    def run(self, seconds: float) -> None:
        """Let so much time pass. Raises `Violation` after the first step that broke an invariant."""
        end_s = self.now_s + seconds
        while self._agenda and self._agenda[0][0] <= end_s:
            self.now_s, _, action = heapq.heappop(self._agenda)
            action()
            self.running = None
            self.steps += 1
            if self._violated:
                raise Violation(f"{self._violated}\n{self.story()}")
        self.now_s = end_s

    def violated(self, what: str) -> None:
        """An invariant is broken: the history ends with this step. The first one counts."""
        self.note("VIOLATION", what=what)
        self._violated = self._violated or what

    def note(self, event: str, /, **fields: Any) -> None:
        """A line of the history."""
        self.history.append((self.now_s, self.running.name if self.running else "", event, fields))

    def story(self) -> str:
        """The last lines of the history."""
        left_out = max(0, len(self.history) - SHOWN)
        lines = [f"({left_out} lines before these)"] if left_out else []
        for at_s, who, event, fields in self.history[left_out:]:
            shown = " ".join(f"{name}={value}" for name, value in fields.items() if value is not None)
            lines.append(f"{at_s:9.3f}  {who:10}  {event}  {shown}".rstrip())
        return "\n".join(lines)

    def new_pid(self) -> int:
        """Of a process that starts; no two have the same."""
        return next(self._pids)

    def end(self) -> None:
        """Unwind what still waits for an answer."""
        for fiber in self.fibers:
            fiber.end()

"""One run: load begins, acts are played, all becomes quiet, and the table is compared with what was published."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from scripts.chaos.acts.act import Act, Played
from scripts.chaos.judging.broken import InvariantBroken
from scripts.chaos.judging.proof import prove
from scripts.chaos.scene.scene import Scene
from scripts.harness.table import PartitionCount
from shared.clock import monotonic

TURN_S = 0.05
LOOK_EVERY_S = 0.5
START_S = 60.0  # for the trees to come up on a busy machine
# Of what was published, by the end of the acts: a busy machine moves a fifth, a tree that stands still nothing.
LEAST_MOVED = 0.1


@dataclass
class Run:
    """The phases, in order; `run` raises the first thing that is not as promised."""

    scene: Scene
    acts: Sequence[Act]
    say: Callable[[str], None]
    moved: int = 0
    """Rows in the table when the acts were over."""
    recovered_s: float = 0.0
    """From then until every event was in the table."""
    changes: dict[str, int] = field(default_factory=dict)
    """How often rows of the control tables changed, by table."""
    played: list[Played] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._act: Act | None = None
        self._began_s = 0.0
        self._look_due_s = 0.0

    def run(self) -> dict[str, PartitionCount]:
        """Play it all; what the table holds, by partition."""
        self._await(self._all_run, START_S, "I10", "every partition has a worker")
        load, self._began_s = self.scene.load, monotonic()
        load.begin(self._began_s)
        self.scene.pauses.begin(self.scene.tokens(), self._began_s)
        for act in self.acts:
            self._play(act)
        self.moved, self._act = self.scene.rows(), None
        calm_s = monotonic()
        what = f"{load.total} events are in the table, and every worker knows it"
        limit_s = self.scene.limits.recovery_s + START_S  # a tree may have to come up again
        self._await(lambda: self.scene.rows() >= load.total and self._is_calm(), limit_s, "I10", what)
        self.recovered_s = monotonic() - calm_s
        self._require_moved(load.total)
        self._stop()
        self.changes = self.scene.audit.check()
        return prove(self.scene.snow, load.published, self.scene.columns)

    def _play(self, act: Act) -> None:
        """Play one act; events are published meanwhile."""
        self._act = act
        began_s = monotonic()
        self.say(f"{began_s - self._began_s:6.1f} s  {act.name}")
        self._await(lambda: act.turn(monotonic() - began_s), act.limit_s, "mix", f"{act.name} is over")
        played = Played(act.name, monotonic() - began_s, self.scene.pauses.take())
        self.played.append(played)
        longest_s = max(played.pauses_s, default=0.0)
        self.say(f"          {played.took_s:.1f} s, pauses of partitions up to {longest_s:.1f} s")

    def _all_run(self) -> bool:
        return all(self.scene.worker(partition) for partition in self.scene.channels)

    def _is_calm(self) -> bool:
        """Whether every supervisor takes part, and every partition has a running worker with nothing in flight.

        The group may be calm without one that boots, drains or was killed. SIGTERM would end a process that does not
        handle it yet, or cut a drain short.

        Snowflake may have committed rows a second or two before the worker learns it. Until then the commit timeout
        runs on, and after refused appends, which the SDK sends again 1, 4 and 9 s later, little of it may be left.
        """
        workers = [self.scene.worker(partition) for partition in self.scene.channels]
        are_idle = all(worker is not None and not worker.rows_inflight for worker in workers)
        return are_idle and all(unit.takes_part for unit in self.scene.units if unit.is_wanted)

    def _stop(self) -> None:
        units, limit_s = self.scene.units, self.scene.limits.stop_s
        for unit in units:
            unit.stop()
        self._await(lambda: all(unit.has_stopped for unit in units), limit_s, "I7", "all trees have drained")
        if any(unit.evsup.exit_code for unit in units):
            raise InvariantBroken("I7", "a drain without any fault ended with another code than 0")

    def _await(self, is_there: Callable[[], bool], limit_s: float, invariant: str, what: str) -> None:
        """Turn until it is there; nothing in a run is waited for without a limit."""
        until_s = monotonic() + limit_s
        while not is_there():
            now_s = monotonic()
            if now_s > until_s:
                raise InvariantBroken(invariant, f"not within {limit_s:.0f} s: {what}")
            self._turn(now_s)
            time.sleep(TURN_S)

    def _turn(self, now_s: float) -> None:
        for unit in self.scene.units:
            unit.follow(now_s)
        if self._act:
            self.scene.load.turn(now_s)
        if now_s >= self._look_due_s:
            self._look_due_s = now_s + LOOK_EVERY_S
            self.scene.look(self._act.changed_s if self._act else None)

    def _require_moved(self, published: int) -> None:
        if self.moved < published * LEAST_MOVED:
            raise InvariantBroken("I10", f"only {self.moved} of {published} events moved while faults struck")

"""One run: load begins, faults strike, everything becomes quiet, and the table is compared with what was published."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from scripts.chaos.broken import InvariantBroken
from scripts.chaos.process_faults import PROCESS_FAULTS
from scripts.chaos.proof import prove
from scripts.chaos.scene import COMMIT_TIMEOUT_S, DRAIN_TIMEOUT_S, EXPIRATION_S, Scene
from scripts.chaos.schedule import Strike
from scripts.chaos.sink_faults import SINK_FAULTS, STAGE_FAULTS
from scripts.chaos.source_faults import SOURCE_FAULTS
from scripts.chaos.store_faults import STORE_FAULTS
from scripts.chaos.storm import MISSED_S, Storm
from scripts.chaos.unit import STOP_GRACE_S
from scripts.harness.table import PartitionCount
from shared.clock import monotonic
from worker.source.receiver import REOPEN_MOST_S

FAULTS = (*PROCESS_FAULTS, *SOURCE_FAULTS, *SINK_FAULTS, *STAGE_FAULTS, *STORE_FAULTS)
TURN_S = 0.05
LOOK_EVERY_S = 0.5
START_S = 60.0  # for both trees to come up on a busy machine
# I10: what a fault did last may be a commit that stalls for its whole timeout and a drain that runs out after it; then
# the lease has to expire and the receiver's longest pause to pass.
RECOVERY_S = COMMIT_TIMEOUT_S + DRAIN_TIMEOUT_S + EXPIRATION_S + REOPEN_MOST_S + 5.0
STOP_S = DRAIN_TIMEOUT_S + STOP_GRACE_S
TAIL_S = START_S + MISSED_S + RECOVERY_S + STOP_S
"""No run takes longer than its seconds and this."""
# Of what was published, by the end of the storm: a busy machine moves a fifth, a tree that stands still nothing.
LEAST_MOVED = 0.1


@dataclass
class Run:
    """The phases, in order; `run` raises the first thing that is not as promised."""

    scene: Scene
    strikes: Sequence[Strike]
    seconds: float
    say: Callable[[str], None]
    moved: int = 0
    recovered_s: float = 0.0
    changes: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.storm = Storm(self.scene, self.strikes, FAULTS, self.say)
        self._is_loaded = False
        self._look_due_s = 0.0

    def run(self) -> dict[str, PartitionCount]:
        """Play it all; what the table holds, by partition."""
        self._await(self._all_run, START_S, "I10", "both trees run")
        began_s = monotonic()
        load, self._is_loaded = self.scene.load, True
        load.begin(began_s)
        self._await(lambda: self._turn_storm(began_s), self.seconds + MISSED_S, "mix", "the storm is over")
        self.moved, self._is_loaded = self.scene.rows(), False
        calm_s = monotonic()
        what = f"{load.total} events are in the table, and every worker knows it"
        self._await(lambda: self.scene.rows() >= load.total and self._is_calm(), RECOVERY_S, "I10", what)
        self.recovered_s = monotonic() - calm_s
        self._require_moved(load.total)
        self._stop()
        self.changes = self.scene.audit.check()
        return prove(self.scene.snow, load.published, self.scene.columns)

    def _all_run(self) -> bool:
        return all(self.scene.worker(partition) for partition in self.scene.channels)

    def _is_calm(self) -> bool:
        """Whether every partition has a running worker with nothing in flight.

        Snowflake may have committed rows a second or two before the worker learns it. Until then the commit timeout
        runs on, and after refused appends, which the SDK sends again 1, 4 and 9 s later, little of it may be left.
        """
        workers = [self.scene.worker(partition) for partition in self.scene.channels]
        return all(worker is not None and not worker.rows_inflight for worker in workers)

    def _turn_storm(self, began_s: float) -> bool:
        at_s = monotonic() - began_s
        self.storm.turn(at_s)
        return at_s >= self.seconds and self.storm.is_over

    def _stop(self) -> None:
        for unit in self.scene.units:
            unit.stop()
        self._await(lambda: all(unit.has_stopped for unit in self.scene.units), STOP_S, "I7", "both trees have drained")
        if any(unit.evsup.exit_code for unit in self.scene.units):
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
        if self._is_loaded:
            self.scene.load.turn(now_s)
        if now_s >= self._look_due_s:
            self._look_due_s = now_s + LOOK_EVERY_S
            self.scene.look()

    def _require_moved(self, published: int) -> None:
        if self.moved < published * LEAST_MOVED:
            raise InvariantBroken("I10", f"only {self.moved} of {published} events moved while faults struck")

"""The process tree: one loop that waits for signals, leases and workers, and lets them fail together.

The first failure is the reason, whatever comes after it is a consequence: siblings drain, ownership is released, and
the reason is what `run` raises. A partition that is handed over to another supervisor is no failure: its worker drains,
the tree goes on. The ladder of a stop is `Drain` until the deadline, `Abort` for a moment, then SIGKILL;
there is no SIGTERM in it, because workers ignore it: systemd and Kubernetes send it to the whole group, and a drain has
to survive that.
"""

import signal
from multiprocessing import connection
from pathlib import Path
from typing import Any

from msgspec import to_builtins
from msgspec.structs import replace
from setproctitle import setproctitle

from shared.clock import Clock, Deadline, monotonic
from shared.command_line import complete
from shared.errors import Bug, DrainTimedOut, EvsupError, RowsDoNotFit
from shared.ipc.memory import rss_bytes, stacks
from shared.log.logger import get_logger
from shared.log.secret import mask
from shared.model import Term
from supervisor.ownership.balance import Assignment, by_owner
from supervisor.ownership.lease import Balanced, Claimed, LeaseKeeper, LeasesFailed, Lost, Renewed
from supervisor.ownership.partition_discovery import PartitionDiscovery
from supervisor.process import crash_report
from supervisor.process.child import Child
from supervisor.process.orphans import OrphanReaper
from supervisor.process.signals import STOPPING, SignalInbox
from supervisor.process.table_monitor import TableMonitor
from supervisor.status.health import complaints
from supervisor.status.model import TreeState, TreeStatus

TICK_S = 1.0
LATE_S = 0.5  # workers end a drain at its deadline themselves; this much later they are told to
ABORT_GRACE_S = 2.0  # between Abort and SIGKILL
RELEASE_S = 5.0  # for the control store to take back what was held

log = get_logger()


class Tree:
    """A supervisor's workers, from the first claim to the last release."""

    def __init__(
        self,
        told: TreeStatus,
        signals: SignalInbox,
        keeper: LeaseKeeper,
        hub: PartitionDiscovery,
        directory: Path,
        drain_timeout_s: float,
        hand_over_timeout_s: float,
        clock: Clock = monotonic,
        watch: TableMonitor | None = None,
    ) -> None:
        self._watch = watch
        self._told, self._signals, self._keeper, self._hub, self._directory = told, signals, keeper, hub, directory
        self._drain_timeout_s, self._hand_over_timeout_s = drain_timeout_s, hand_over_timeout_s
        self._clock, self._started_s = clock, clock()
        self._children: dict[str, Child] = {}
        self._strangers = OrphanReaper()
        self._assignment = Assignment()
        self._cause: EvsupError | None = None
        self._told_to_stop = False
        self._stopping: Deadline | None = None
        self._aborted: Deadline | None = None
        self.status: TreeStatus = self._described(clock())

    def run(self) -> None:
        """Claim and run until a signal; raises the first failure, after everything was drained and released."""
        self._keeper.start()
        try:
            while self.step():
                pass
        finally:
            for child in self._children.values():  # only after a bug of ours: nobody is left to drain them
                child.kill()
            self._keeper.close(Deadline.after(RELEASE_S, self._clock()))
        if self._watch and isinstance(self._cause, RowsDoNotFit):
            raise self._watch.located(self._cause)
        if self._cause:
            raise self._cause

    def step(self) -> bool:
        """One turn; False when the tree has stopped. Blocks until something happens, at most a second."""
        sources: list[Any] = [self._signals, self._keeper]
        for child in self._children.values():
            sources += child.sources
        sources += self._watch.sources if self._watch else []
        connection.wait(sources, TICK_S)
        now_s = self._clock()
        for number in self._signals.receive():
            self._handle_signal(number, now_s)
        self._follow_leases(now_s)
        self._follow_children(now_s)
        self._follow_table(now_s)
        self._escalate(now_s)
        self._strangers.reap({child.pid for child in self._children.values()}, now_s)
        self.status = self._described(now_s)
        return self._stopping is None or bool(self._children)

    # --- signals ------------------------------------------------------------------------------------------------------

    def _handle_signal(self, number: int, now_s: float) -> None:
        if number == signal.SIGUSR1:
            log.info("tree_state", status=to_builtins(self.status))
            log.info("supervisor_stacks", threads=stacks())
            for child in self._children.values():
                child.show_stacks()
        elif number in STOPPING and self._told_to_stop:
            self._give_up("a second signal came", now_s)
        elif number in STOPPING:
            self._told_to_stop = True
            log.info("drain_started", signal=signal.Signals(number).name, timeout_s=self._drain_timeout_s)
            if self._stopping is None:  # else a failure has begun the drain already
                self._stop(now_s)

    # --- leases -------------------------------------------------------------------------------------------------------

    def _follow_leases(self, now_s: float) -> None:
        for event in self._keeper.receive():
            match event:
                case Claimed(term=term, trusted_until_s=until_s):
                    self._start(term, until_s, now_s)
                case Renewed(terms=terms, trusted_until_s=until_s):
                    for term in terms:
                        if child := self._worker_of(term):
                            child.renew(until_s)
                case Lost(term=term):
                    if child := self._worker_of(term):
                        child.abort("the lease has another owner")
                case Balanced(assignment=assignment):
                    self._follow_assignment(assignment, now_s)
                case LeasesFailed(error=error):
                    self._fail(error, now_s)

    def _worker_of(self, term: Term) -> Child | None:
        """The worker of this very term: that of an earlier one may not have gone yet."""
        child = self._children.get(term.partition_id)
        return child if child and child.term == term else None

    def _follow_assignment(self, assignment: Assignment, now_s: float) -> None:
        if assignment.unowned and assignment.unowned != self._assignment.unowned:
            log.warning("partitions_unowned", partitions=assignment.unowned)
        owners = by_owner(assignment.elsewhere)
        if owners and owners != by_owner(self._assignment.elsewhere):
            ends_in_s = round(min(lease.ends_in_s for lease in assignment.elsewhere))
            log.info("partitions_held_elsewhere", owners=owners, first_lease_ends_in_s=ends_in_s)
        self._assignment = assignment
        for partition_id in assignment.surplus:
            if (child := self._children.get(partition_id)) and self._stopping is None:
                log.info("partition_handing_over", partition=partition_id, epoch=child.term.epoch)
                child.drain(Deadline.after(self._hand_over_timeout_s, now_s))

    def _start(self, term: Term, trusted_until_s: float, now_s: float) -> None:
        if self._stopping or not self._can_start(term, trusted_until_s, now_s):
            self._keeper.release(term)
            return
        try:
            child = Child(term, trusted_until_s, now_s)
        except EvsupError as error:
            self._keeper.release(term)
            self._fail(error, now_s)
            return
        self._children[term.partition_id] = child
        log.info("worker_started", partition=term.partition_id, epoch=term.epoch, worker=child.pid)
        self._show_title()

    def _can_start(self, term: Term, trusted_until_s: float, now_s: float) -> bool:
        """Not when the worker of a lost term has not gone yet, or the lease ran out while the tree was stopped."""
        return term.partition_id not in self._children and now_s < trusted_until_s

    def _show_title(self) -> None:
        told, held = self._told, len(self._children)
        hub = told.source.rpartition("/")[2]
        setproctitle(f"evsup supervisor {hub}/{told.consumer_group} {held}/{self._partitions_total()}")

    def _partitions_total(self) -> int:
        """Those of the hub, and those that somebody holds although the hub has not told us of them yet."""
        elsewhere = (lease.partition for lease in self._assignment.elsewhere)
        return len({*self._hub.partition_ids, *self._children, *elsewhere})

    # --- workers ------------------------------------------------------------------------------------------------------

    def _follow_children(self, now_s: float) -> None:
        for partition_id, child in tuple(self._children.items()):
            child.hear(now_s)
            child.check_alive(now_s)
            if child.is_gone:
                del self._children[partition_id]
                self._show_title()
                self._reap(child, now_s)

    def _reap(self, child: Child, now_s: float) -> None:
        child.reap(now_s)
        if self._watch:
            self._watch.follow({child.term.partition_id: child})
        self._keeper.release(child.term)
        if child.failure is None and child.drain_deadline is None:
            child.failure = Bug("The worker drained although nobody asked it to")
        if child.drained and child.failure is None:
            log.info("worker_drained", partition=child.term.partition_id, checkpointed=child.drained.checkpointed)
            return
        report = None if self._cause else crash_report.write(self._directory, child, now_s)
        log.error(
            "worker_ended",
            partition=child.term.partition_id,
            worker=child.pid,
            reason=str(child.failure),
            consequence=self._cause is not None,
            crash_report=str(report) if report else None,
        )
        self._fail(_named(child), now_s)

    # --- the target table -------------------------------------------------------------------------------------------

    def _follow_table(self, now_s: float) -> None:
        """A tree that stops goes on to take note of how far its workers come, and needs no further look."""
        if self._watch is None:
            return
        self._watch.follow(self._children)
        if self._stopping is None and (error := self._watch.turn(now_s)):
            self._fail(error, now_s)

    # --- stopping -----------------------------------------------------------------------------------------------------

    def _fail(self, error: EvsupError, now_s: float) -> None:
        if self._cause is None:
            self._cause = error
            log.error("tree_failed", error=type(error).__name__, reason=str(error), exit_code=int(error.exit_code))
        if self._stopping is None:
            self._stop(now_s)

    def _stop(self, now_s: float) -> None:
        self._stopping = Deadline.after(self._drain_timeout_s, now_s)
        self._keeper.stop_claiming()
        for child in self._children.values():
            child.drain(self._stopping)

    def _escalate(self, now_s: float) -> None:
        """Escalate a stop as its deadlines pass: an abort, then SIGKILL."""
        if self._stopping is None or not self._children:
            return
        if self._aborted is None and self._stopping.passed(now_s - LATE_S):
            self._give_up(f"it took longer than {self._drain_timeout_s:.0f} s", now_s)
        elif self._aborted and self._aborted.passed(now_s):
            for child in self._children.values():
                child.kill()

    def _give_up(self, why: str, now_s: float) -> None:
        if self._aborted:
            return
        self._aborted = Deadline.after(ABORT_GRACE_S, now_s)
        if self._cause is None:
            partitions = ", ".join(self._children)
            self._cause = DrainTimedOut(
                f"The drain was cut short (partitions {partitions})", why, "Nothing is lost: the rest is read again."
            )
        for child in self._children.values():
            child.abort(why)

    # --- status -------------------------------------------------------------------------------------------------------

    def _described(self, now_s: float) -> TreeStatus:
        partitions = tuple(child.describe(now_s) for child in self._children.values())
        described = replace(
            self._told,
            state=self._state(),
            cause=complete(mask(str(self._cause))) if self._cause else None,
            exit_code=int(self._cause.exit_code) if self._cause else 0,
            uptime_s=round(now_s - self._started_s, 1),
            rss_bytes=rss_bytes(),
            partitions_total=self._partitions_total(),
            hub_age_s=round(now_s - self._hub.answered_s, 1),
            hub_trouble=self._hub.trouble,
            table_unseen=self._watch.unseen if self._watch else None,
            unowned=self._assignment.unowned,
            elsewhere=self._assignment.elsewhere,
            partitions=tuple(sorted(partitions, key=lambda row: (len(row.partition), row.partition))),
            described_at_s=now_s,
        )
        return replace(described, healthy=not any(complaints(described)))

    def _state(self) -> TreeState:
        if self._stopping:
            return "draining"
        if self._children:
            return "running"
        return "standby" if self._assignment.elsewhere else "starting"


def _named(child: Child) -> EvsupError:
    """The child's failure, with its partition in the first words."""
    error = child.failure
    assert error is not None  # noqa: S101
    where = f"Partition {child.term.partition_id}"
    what = error.what if where.lower() in error.what.lower() else f"{where}: {error.what}"
    return type(error)(what, error.why, error.fix)

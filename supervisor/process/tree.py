"""The process tree: one loop that waits for signals, leases and workers, and lets them fail together.

The first failure is the cause of a stop (`stop`). Whatever comes after it is a consequence: the other workers drain,
ownership is released, and `run` raises the cause. A partition that is handed over to another supervisor is no failure:
its worker drains, and the tree goes on.
"""

import signal
from collections.abc import Callable
from multiprocessing import connection
from pathlib import Path
from typing import TypeAlias

from msgspec import to_builtins
from msgspec.structs import replace
from setproctitle import setproctitle

from shared.clock import Clock, Deadline, monotonic
from shared.errors import DrainTimedOut, EvsupError, RowsDoNotFit, StoppedAtOnce
from shared.ipc.messages import Latencies, TableColumns
from shared.ipc.vitals import rss_bytes, stacks
from shared.log.logger import get_logger
from shared.log.secret import mask
from shared.model import Term, by_number
from supervisor.ownership.balance import Assignment, by_owner
from supervisor.ownership.lease_events import Balanced, Claimed, LeasesFailed, Lost, Renewed
from supervisor.ownership.lease_keeper import LeaseKeeper
from supervisor.ownership.partition_discovery import PartitionDiscovery
from supervisor.process import crash_report
from supervisor.process.child import Child
from supervisor.process.notify_socket import NotifySocket
from supervisor.process.orphans import OrphanReaper
from supervisor.process.signals import STOPPING, SignalInbox
from supervisor.process.stop import Aborting, Draining, Killing, Left, Running, Stop, blame, escalate, failed, signalled
from supervisor.process.table_watch.monitor import TableMonitor
from supervisor.status.health import complaints
from supervisor.status.hourly import HourlyReport
from supervisor.status.latency import total
from supervisor.status.model import TreeState, TreeStatus

TURN_S = 1.0  # the longest wait in a turn: deadlines are kept by so much
LAST_CHECK_S = 3.0  # of the target table, after a drain
RELEASE_S = 5.0  # for the control store to take back what was held

MakeChild: TypeAlias = Callable[[Term, float, float, TableColumns | None], Child]

log = get_logger()


class Tree:
    """A supervisor's workers, from the first claim to the last release.

    `identity` is the part of the status that never changes. `drain_timeout_s` is for a stop, `hand_over_timeout_s` for
    a partition that another supervisor is to get. `table` is None when nobody is to check the target table, `service`
    when no service manager asks.
    """

    def __init__(
        self,
        identity: TreeStatus,
        signals: SignalInbox,
        keeper: LeaseKeeper,
        hub: PartitionDiscovery,
        directory: Path,
        drain_timeout_s: float,
        hand_over_timeout_s: float,
        clock: Clock = monotonic,
        table: TableMonitor | None = None,
        make_child: MakeChild = Child,
        service: NotifySocket | None = None,
    ) -> None:
        self._identity, self._signals, self._keeper, self._hub = identity, signals, keeper, hub
        self._directory, self._table, self._make_child = directory, table, make_child
        self._hand_over_timeout_s, self._clock, self._started_s = hand_over_timeout_s, clock, clock()
        self._children: dict[str, Child] = {}
        self._orphans, self._service = OrphanReaper(), service or NotifySocket(None)
        self._assignment = Assignment()
        self._stop: Stop = Running(drain_timeout_s)
        self._former_latencies, self._hourly = Latencies(), HourlyReport(clock())
        self._last_drain_s: float | None = None
        self._drained: dict[str, Term] = {}
        """The terms whose workers have drained, each the newest of its partition."""
        self.status: TreeStatus = self._describe(clock())
        """As of the end of the last turn; any thread may read it."""

    @property
    def cause(self) -> EvsupError | None:
        """The first failure, which stops the tree."""
        return self._stop.cause

    def run(self) -> None:
        """Claim and run until a signal; raises the first failure, after everything was drained and released."""
        self._keeper.start()
        try:
            while self.step():
                pass
            # Before the keeper is closed, which writes down what this check covers.
            self._check_table_last()
        finally:
            for child in self._children.values():  # only after a bug of ours: nobody is left to drain them
                child.kill()
            # Leases last: a partition gets its next owner when nobody of this tree writes any more.
            self._keeper.close(Deadline.after(RELEASE_S, self._clock()))
        # A worker sees only that its rows do not fit. The monitor knows which events no check has covered.
        if self._table and isinstance(self.cause, RowsDoNotFit):
            raise self._table.located(self.cause)
        if self.cause:
            raise self.cause

    def step(self) -> bool:
        """One turn; False when the tree has stopped. Blocks until something happens, at most a second."""
        # Built anew in each turn: workers come and go, and a pipe that has ended would be readable for ever.
        fds = [self._signals.fileno(), self._keeper.fileno()]
        for child in self._children.values():
            fds += child.fds()
        fds += self._table.fds() if self._table else []
        connection.wait(fds, TURN_S)
        now_s = self._clock()
        # Signals first: when a stop begins in this turn, no worker is started for a claim that arrived with it.
        for number in self._signals.receive():
            self._handle_signal(number, now_s)
        # Then leases: a renewal must not wait until everything that the workers wrote has been read.
        self._follow_leases(now_s)
        # Workers before the table: a check of the table counts from what is known to be committed when it begins.
        self._follow_children(now_s)
        self._follow_table(now_s)
        # Deadlines after the workers: a drain that ended in this turn is not cut short.
        if self._children:
            self._change_stop(escalate(self._stop, now_s))
        # Orphans after the workers, whose exit codes are read above.
        self._orphans.reap({child.pid for child in self._children.values()}, now_s)
        # One assignment of a frozen value: other threads see the status before or this one, never parts of both.
        self.status = self._describe(now_s)
        # Last, because it feeds the watchdog of systemd: a turn that hangs anywhere above must not.
        self._service.follow(self.status, now_s)
        if isinstance(self._stop, Running):
            self._hourly.follow(self.status, now_s)
        return isinstance(self._stop, Running) or (bool(self._children) and not isinstance(self._stop, Left))

    # --- signals ------------------------------------------------------------------------------------------------------

    def _handle_signal(self, number: int, now_s: float) -> None:
        if number == signal.SIGUSR1:
            log.info("tree_state", status=to_builtins(self.status))
            log.info("supervisor_stacks", threads=stacks())
            for child in self._children.values():
                child.show_stacks()
        elif number in STOPPING:
            stop = signalled(self._stop, now_s)
            if isinstance(stop, Draining) and stop is not self._stop:
                log.info("drain_started", signal=signal.Signals(number).name, timeout_s=stop.drain_timeout_s)
            self._change_stop(stop)

    # --- leases -------------------------------------------------------------------------------------------------------

    def _follow_leases(self, now_s: float) -> None:
        for event in self._keeper.receive():
            match event:
                case Claimed(term=term, trusted_until_s=until_s):
                    self._start(term, until_s, now_s)
                # In the order in which it happened: a partition may be lost and claimed again between two turns.
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
        """The worker of this very term: that of an earlier one may not have exited yet."""
        child = self._children.get(term.partition_id)
        return child if child and child.term == term else None

    def _follow_assignment(self, assignment: Assignment, now_s: float) -> None:
        if assignment.unowned and assignment.unowned != self._assignment.unowned:
            log.warning("partitions_unowned", partitions=assignment.unowned)
        owners = by_owner(assignment.elsewhere)
        if owners and owners != by_owner(self._assignment.elsewhere):
            ends_in_s = round(min(lease.ends_in_s for lease in assignment.elsewhere))
            log.info("partitions_held_elsewhere", owners=owners, first_lease_ends_in_s=ends_in_s)
        # Logged when it changes: an assignment comes with every balancing round.
        self._assignment = assignment
        for partition_id in assignment.surplus:
            if (child := self._children.get(partition_id)) and isinstance(self._stop, Running):
                log.info("partition_handing_over", partition=partition_id, epoch=child.term.epoch)
                child.drain(Deadline.after(self._hand_over_timeout_s, now_s))

    def _start(self, term: Term, trusted_until_s: float, now_s: float) -> None:
        if not self._can_start(term, trusted_until_s, now_s):
            # Claimed and not read: without this, nobody would read it until the lease ends.
            self._keeper.release(term)
            return
        try:
            child = self._make_child(term, trusted_until_s, now_s, self._table.columns if self._table else None)
        except EvsupError as error:
            self._keeper.release(term)
            self._fail(error, now_s)
            return
        self._children[term.partition_id] = child
        log.info("worker_started", partition=term.partition_id, epoch=term.epoch, worker=child.pid)
        self._show_title()

    def _can_start(self, term: Term, trusted_until_s: float, now_s: float) -> bool:
        """Not while the tree stops, while the worker of a lost term lives, or after the lease has ended already."""
        is_running = isinstance(self._stop, Running)
        return is_running and term.partition_id not in self._children and now_s < trusted_until_s

    def _show_title(self) -> None:
        hub = self._identity.source.rpartition("/")[2]
        held, total = len(self._children), self._partitions_total()
        setproctitle(f"evsup supervisor {hub}/{self._identity.consumer_group} {held}/{total}")

    def _partitions_total(self) -> int:
        """Those that the hub has reported, and those that somebody holds although it has not reported them yet."""
        elsewhere = (lease.partition for lease in self._assignment.elsewhere)
        return len({*self._hub.partition_ids, *self._children, *elsewhere})

    # --- workers ------------------------------------------------------------------------------------------------------

    def _follow_children(self, now_s: float) -> None:
        # A copy, because a worker that has exited is taken out on the way.
        for partition_id, child in tuple(self._children.items()):
            # Read before it is judged: a status that has arrived is no silence, however late this turn is.
            child.receive(now_s)
            child.check_hung(now_s)
            if child.has_exited:
                del self._children[partition_id]
                self._show_title()
                self._reap(child, now_s)

    def _reap(self, child: Child, now_s: float) -> None:
        child.reap(now_s)
        # After `reap`, which has read its last reports: what it counted in its last second would be missing.
        last = child.describe(now_s)
        self._former_latencies = total([self._former_latencies, last.latencies])
        self._hourly.count(last)
        # A last time: the worker is no longer among those that each turn follows, and `Drained` says how far it came.
        if self._table:
            self._table.follow({child.term.partition_id: child})
        # Only now that the process has ended: a worker that still runs might write beside the next owner.
        self._keeper.release(child.term)
        if isinstance(child.failure, StoppedAtOnce):
            log.debug("worker_stopped", partition=child.term.partition_id, worker=child.pid)
        elif child.failure:
            self._report_failure(child, child.failure, now_s)
        elif child.drained:
            self._last_drain_s = child.drained.took_s
            self._drained[child.term.partition_id] = child.term
            log.info("worker_drained", partition=child.term.partition_id, checkpointed=child.drained.checkpointed)

    def _report_failure(self, child: Child, failure: EvsupError, now_s: float) -> None:
        """A worker has failed. Only the first failure of the tree gets a crash report."""
        # Asked before `_fail`, which makes this failure the cause if it is the first.
        is_first, report = self.cause is None, None
        if is_first:
            last = child.describe(now_s)
            report = crash_report.write(self._directory, failure, last, child.stderr.lines, child.stderr.stacks)
        log.error(
            "worker_ended",
            partition=child.term.partition_id,
            worker=child.pid,
            reason=str(failure),
            consequence=not is_first,
            crash_report=str(report) if report else None,
        )
        self._fail(_named(failure, child.term.partition_id), now_s)

    # --- the target table -------------------------------------------------------------------------------------------

    def _follow_table(self, now_s: float) -> None:
        """A tree that stops still notes how far its workers come, and does not check the table any more."""
        if self._table is None:
            return
        self._table.follow(self._children)
        if isinstance(self._stop, Running):
            try:
                self._table.turn(self._children, now_s)
            except RowsDoNotFit as error:
                self._fail(error, now_s)

    def _check_table_last(self) -> None:
        """After a drain nobody else would notice that the table has lost a column since the last check."""
        if self._table is None or not isinstance(self._stop, Draining) or isinstance(self.cause, RowsDoNotFit):
            return
        deadline = Deadline(min(self._clock() + LAST_CHECK_S, self._stop.deadline.at_s))
        try:
            checked = self._table.last_turn(deadline)
        except RowsDoNotFit as error:
            self._fail(error, self._clock())
            return
        self._keeper.settle([term for name, term in self._drained.items() if name in checked])

    # --- stopping -----------------------------------------------------------------------------------------------------

    def _fail(self, error: EvsupError, now_s: float) -> None:
        if self.cause is None:
            log.error("tree_failed", error=type(error).__name__, reason=str(error), exit_code=int(error.exit_code))
        self._change_stop(failed(self._stop, error, now_s))

    def _change_stop(self, stop: Stop) -> None:
        """Take the next step of a stop. What a step asks of the workers is asked once, when it begins."""
        before, self._stop = self._stop, stop
        if type(stop) is type(before):
            return
        match stop:
            case Draining(deadline=deadline):
                # Before the workers are asked: what the first of them gives back must not be claimed again here.
                self._keeper.stop_claiming()
                for child in self._children.values():
                    child.drain(deadline)
            case Aborting(reason=reason, is_asked_for=is_asked_for):
                if self._children:  # else there was no drain
                    self._stop = blame(stop, self._cut_short(reason))
                    log.warning("drain_cut_short", partitions=[*self._children], reason=reason)
                for child in self._children.values():
                    child.abort(reason, is_asked_for=is_asked_for)
            case Killing():
                for child in self._children.values():
                    child.kill()
            case Left():
                for child in self._children.values():
                    self._leave(child)

    def _leave(self, child: Child) -> None:
        # It writes nothing more of its own, but what the kernel has of it may still leave: no release, as of any worker
        # that has not exited.
        self._keeper.forget(child.term)
        log.warning("worker_left", partition=child.term.partition_id, worker=child.pid)

    def _cut_short(self, why: str) -> DrainTimedOut:
        partitions = ", ".join(self._children)
        return DrainTimedOut(
            f"The drain was cut short (partitions {partitions})", why, "Nothing is lost: the rest is read again."
        )

    # --- status -------------------------------------------------------------------------------------------------------

    def _describe(self, now_s: float) -> TreeStatus:
        partitions = tuple(child.describe(now_s) for child in self._children.values())
        leases = self._keeper.leases
        described = replace(
            self._identity,
            state=self._state(),
            cause=mask(str(self.cause)) if self.cause else None,
            exit_code=int(self.cause.exit_code) if self.cause else 0,
            uptime_s=round(now_s - self._started_s, 1),
            rss_bytes=rss_bytes(),
            partitions_total=self._partitions_total(),
            # Another thread asks the hub: its answer may be younger than this turn.
            hub_age_s=round(max(0.0, now_s - self._hub.answered_s), 1),
            hub_trouble=self._hub.trouble,
            table_unseen=self._table.unseen if self._table else None,
            unowned=self._assignment.unowned,
            elsewhere=self._assignment.elsewhere,
            partitions=tuple(sorted(partitions, key=lambda row: by_number(row.partition))),
            former_latencies=self._former_latencies,
            store_round_s=round(leases.round_s, 3),
            store_retries_total=leases.failures,
            store_trouble=leases.trouble,
            supervisors_lost=leases.lost_members,
            last_drain_s=self._last_drain_s,
            described_at_s=now_s,
        )
        return replace(described, healthy=not any(complaints(described)))

    def _state(self) -> TreeState:
        if not isinstance(self._stop, Running):
            return "draining"
        if self._children:
            return "running"
        return "standby" if self._assignment.elsewhere else "starting"


def _named(error: EvsupError, partition_id: str) -> EvsupError:
    """The failure of a worker, with its partition in the first words."""
    where = f"Partition {partition_id}"
    what = error.what if where.lower() in error.what.lower() else f"{where}: {error.what}"
    return type(error)(what, error.why, error.fix)

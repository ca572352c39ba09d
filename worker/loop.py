"""The worker's loop: it handles commands of the supervisor, holds the lease, turns its state, and reports.

There is one blocking call a turn, on everything that may want attention at once. Whatever else could block runs on a
thread of its own (worker.pipeline.background, worker.source.receiver). So heartbeats, lease and drain work on an idle
hub, with `max_wait_time=0`, and while a vendor's call hangs.
"""

import math
from datetime import UTC, datetime
from multiprocessing import connection

from msgspec.structs import replace
from setproctitle import setproctitle

from shared.clock import Clock, Deadline, Instant, LoopClock, monotonic
from shared.errors import DrainTimedOut, OwnershipLost, StoppedAtOnce
from shared.eventhubs.retention import time_to_loss_s
from shared.ipc.messages import Abort, Command, Drain, Drained, Lease, Status, TableChecked, TableColumns
from shared.ipc.pipe import MessagePipe
from shared.ipc.vitals import rss_bytes
from shared.log.logger import get_logger
from worker.partition import Partition
from worker.retention_alarm import RetentionAlarm
from worker.states import Draining, Opening, Running, State

REPORT_S = 1.0
DETACH_S = 1.0  # a drained worker gives the receiver so long to detach its link in order

log = get_logger()


class Worker:
    """One partition for one term. `run` ends when it has drained, and raises when anything is wrong."""

    def __init__(
        self, partition: Partition, lease: Lease, pipe: MessagePipe[Command], clock: Clock = monotonic
    ) -> None:
        self._partition, self._pipe, self._clock = partition, pipe, clock
        self.trusted_until_s = lease.trusted_until_s
        self.state: State = Opening(partition)
        self._drain_by, self._drain_began_s = Deadline(math.inf), clock()
        self._report_due_s = 0.0
        self._retention_alarm = RetentionAlarm(partition.settings.eventhub.retention_hours)
        self._turns = LoopClock(clock())

    def run(self) -> None:
        """Step until the partition has drained."""
        while not self.step():
            pass
        self.leave()

    def step(self) -> bool:
        """One turn; True when the worker has drained. Blocks until something happens or a duty is due, at most 1 s.

        Raises `OwnershipLost` when the lease has ended or the supervisor aborts, `DrainTimedOut` when a drain takes
        longer than the supervisor allows, and whatever the state's turn raises.
        """
        self._wait()
        self._handle_commands()
        now_s = self._clock()
        # Before the state does anything: from the end of the lease on somebody else may own the partition. After the
        # commands: after a slow boot the lease that this process was started with has ended, and a renewal is among
        # them.
        self._require_supervisor()
        self._require_trust(now_s)
        # Lease, drain and reports go by the host's clock, as they do for everybody else. What others owe this loop goes
        # by the time in which it turned: after a standstill nobody has had a chance to answer.
        following = self.state.turn(self._turns.turned(now_s))
        if following:
            self._enter(following)
            # After the turn: a drain that ends in its last moment has ended.
            self._refuse_slow_drain(now_s)
        # After the turn, so that the supervisor sees what it did.
        self._report(now_s)
        return following is None

    def leave(self) -> None:
        """Let the receiver detach in order, and report that the worker has drained."""
        # Before the exit, which would cut the connection: the hub would then learn of it much later.
        if self.state.pipeline:
            self.state.pipeline.join(Deadline.after(DETACH_S, self._clock()))
        checkpointed, took_s = self.state.counters.checkpointed, round(self._clock() - self._drain_began_s, 2)
        log.info("partition_drained", checkpointed=checkpointed, took_s=took_s)
        self._pipe.send(self.status(self._clock()), topic="status")  # what the drain moved is in no report before
        self._pipe.send(Drained(checkpointed=checkpointed, took_s=took_s))

    def _wait(self) -> None:
        # Report and lease are due by the host's clock, the state's duties by that of the turns, which is behind.
        now_s, behind_s = self._clock(), self._turns.behind_s
        due_s = min(self._report_due_s, self.trusted_until_s, self.state.due_s(now_s - behind_s) + behind_s)
        connection.wait([self._pipe.fileno(), *self.state.fds()], max(0.0, due_s - now_s))

    def _enter(self, state: State) -> None:
        if isinstance(state, Running) and state is not self.state:
            self._pipe.send(state.opened)
        self.state = state

    # --- the supervisor and the lease ---------------------------------------------------------------------------------

    def _handle_commands(self) -> None:
        for command in self._pipe.receive():
            self._handle_command(command)

    def _handle_command(self, command: Command) -> None:
        match command:
            case Lease(trusted_until_s=until_s):
                self.trusted_until_s = until_s
            case Drain(deadline_s=deadline_s):
                if not isinstance(self.state, Draining):  # of several, the first began the drain
                    self._drain_began_s = self._clock()
                self._drain_by = Deadline(deadline_s)  # and the newest says how long it may take
                self.state = self.state.drain()
            case TableColumns():
                kept = self._partition.learn(command)
                if self.state.pipeline:  # else the opening keeps it
                    self.state.pipeline.note_columns(kept)
            case TableChecked(up_to=up_to):
                if self.state.pipeline:
                    self.state.pipeline.note_checked(up_to)
            case Abort(reason=reason, is_asked_for=is_asked_for):
                kind = StoppedAtOnce if is_asked_for else OwnershipLost
                partition_id = self._partition.term.partition_id
                raise kind(f"The worker of partition {partition_id} was aborted by the supervisor", reason)

    def _require_supervisor(self) -> None:
        if self._pipe.ended:
            raise OwnershipLost("The supervisor has exited", "its end of the pipe is closed", "Nothing is lost.")

    def _require_trust(self, now_s: float) -> None:
        """Stop before anybody else may claim: a lease that could not be renewed has ended, whatever the reason."""
        if now_s >= self.trusted_until_s:
            term = self._partition.term
            raise OwnershipLost(
                f"The lease of partition {term.partition_id} ran out",
                f"it was not renewed for the whole trust window (epoch {term.epoch})",
                "Check the control store; another supervisor takes the partition over.",
            )

    def _refuse_slow_drain(self, now_s: float) -> None:
        if self._drain_by.passed(now_s):
            at = self.state.counters
            how_far = f"appended up to {at.appended}, durable {at.durable}, checkpointed {at.checkpointed}"
            # Where Snowflake refuses requests, a longer drain would not help.
            refused = self._partition.failed_request if at.durable != at.appended else ""
            raise DrainTimedOut(
                f"Partition {self._partition.term.partition_id} did not drain in time",
                "; ".join(filter(None, (how_far, refused))),
                "Nothing is lost: the rest is read again. EVSUP_DRAIN_TIMEOUT sets how long a drain may take.",
            )

    # --- reports ------------------------------------------------------------------------------------------------------

    def _report(self, now_s: float) -> None:
        if now_s < self._report_due_s:
            return
        self._report_due_s = now_s + REPORT_S
        status = self.status(now_s)
        self._pipe.send(status, topic="status")
        self._retention_alarm.check(status.time_to_loss_s, now_s)
        setproctitle(self._title(status))

    def status(self, now_s: float) -> Status:
        """The report for the supervisor."""
        counters = self._partition.counted(self.state.counters)
        status = Status(state=self.state.name, counters=counters, rss_bytes=rss_bytes(), sent_at_s=now_s)
        if not (pipeline := self.state.pipeline):  # the SDK repeats what is refused until nobody waits any longer
            return replace(status, waits_for=self._partition.failed_request or None)
        retention_hours = self._partition.settings.eventhub.retention_hours
        now = datetime.now(UTC)
        return replace(
            status,
            waits_for=pipeline.waits_for,
            time_to_loss_s=time_to_loss_s(pipeline.oldest_enqueued, retention_hours, now),
            times=pipeline.times(Instant(now.timestamp(), now_s), now_s - self._turns.behind_s),
        )

    def _title(self, status: Status) -> str:
        position = "" if status.counters.durable is None else f" seq={status.counters.durable}"
        lag = "" if status.times.lag is None else f" lag={status.times.lag}"
        return f"evsup worker {self._partition.hub_name} p={self._partition.term.partition_id}{position}{lag}"

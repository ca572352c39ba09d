"""One worker as the supervisor sees it: what it was asked to do, what it has reported, and how it ended."""

from msgspec.structs import asdict

from shared import limits
from shared.clock import Deadline
from shared.errors import Bug, EvsupError, ProtocolError, WorkerHung
from shared.ipc.failure import error_of
from shared.ipc.messages import (
    Abort,
    Command,
    Drain,
    Drained,
    Failed,
    Lease,
    Opened,
    Report,
    Status,
    TableChecked,
    TableColumns,
)
from shared.ipc.vitals import vitals
from shared.log.logger import get_logger
from shared.model import Term
from supervisor.process import worker_process
from supervisor.process.hang_detector import HangDetector, Verdict
from supervisor.process.rate import Rate
from supervisor.process.unreported_exit import unreported_exit
from supervisor.process.worker_process import Start
from supervisor.status.model import PartitionStatus

LAST_READS = 64  # after an exit: a full pipe is 64 KiB, and another process that holds its end may write for ever

log = get_logger()


class Child:
    """A worker for one term. Every method returns at once; what goes wrong in the worker becomes its `failure`.

    To create one starts the process, and raises as `worker_process.start`.
    """

    def __init__(
        self,
        term: Term,
        trusted_until_s: float,
        now_s: float,
        columns: TableColumns | None = None,
        start: Start = worker_process.start,
    ) -> None:
        self.term = term
        self.trusted_until_s = trusted_until_s
        self.status = Status(state="opening")
        self.opened: Opened | None = None
        self.failure: EvsupError | None = None
        """The first thing that was wrong with it."""
        self.drained: Drained | None = None
        self._is_asked_to_drain = False
        self._rate = Rate()
        # Before the start: a process that the kernel kills while it boots is counted, too.
        self._oom_kills = limits.oom_kills()
        self._worker = start(term, trusted_until_s, columns)
        self.pid, self.stderr, self._pipe = self._worker.pid, self._worker.stderr, self._worker.pipe
        self._hang = HangDetector(now_s, lambda: vitals(self.pid))
        self._verdict: Verdict = "well"

    # --- to the worker ------------------------------------------------------------------------------------------------

    def renew(self, trusted_until_s: float) -> None:
        """Report that the lease was renewed."""
        self.trusted_until_s = trusted_until_s
        self._send(Lease(trusted_until_s=trusted_until_s), topic="lease")

    def learn(self, columns: TableColumns) -> None:
        """Report which columns the target table has now."""
        self._send(columns, topic="columns")

    def note_checked(self, up_to: int) -> None:
        """Report that no value of a row up to this event was dropped."""
        self._send(TableChecked(up_to=up_to), topic="checked")

    def drain(self, deadline: Deadline) -> None:
        """Ask it to drain. It reports `Drained` in time, or fails."""
        self._is_asked_to_drain = True
        self._send(Drain(deadline_s=deadline.at_s))

    def abort(self, reason: str, *, is_asked_for: bool = False) -> None:
        """Tell it to exit at once; whether an operator asked for that."""
        self._send(Abort(reason=reason, is_asked_for=is_asked_for))

    def kill(self) -> None:
        """Send SIGKILL, unless it has exited."""
        self._worker.kill()

    def show_stacks(self) -> None:
        """Have it write the stacks of its threads to its stderr."""
        self._worker.show_stacks()

    def _send(self, command: Command, topic: str | None = None) -> None:
        self._pipe.send(command, topic)

    # --- from the worker ----------------------------------------------------------------------------------------------

    def fds(self) -> list[int]:
        """File descriptors that wake a turn: pipe and stderr until they end, and the end of the process."""
        streams = [] if self._pipe.ended else [self._pipe.fileno()]
        errors = [] if self.stderr.closed else [self.stderr.fileno()]
        return [*streams, *errors, self._worker.process.sentinel]

    def receive(self, now_s: float) -> None:
        """Read all reports that have arrived, and some of its stderr."""
        # Before the reports: one of them ends the time in which what it writes is kept as stacks.
        self.stderr.read(are_stacks=self._verdict != "well")
        if self._pipe.ended:
            return
        # Commands for which the pipe had no room before.
        self._pipe.flush()
        try:
            reports = self._pipe.receive()
        except ProtocolError as error:
            self._fail(error)
            self._pipe.ended = True
            self.kill()  # neither Drain nor Abort can be known to reach a worker that cannot be understood
            return
        for report in reports:
            self._note(report, now_s)
        # Any report proves that its loop turns, not only a status.
        if reports:
            self._hang.reported()
            self._verdict = "well"

    def _note(self, report: Report, now_s: float) -> None:
        match report:
            case Status():
                self.status = report
                self._rate.add(report.counters.rows_total, now_s)
            case Opened():
                self.opened = report
            case Drained():
                self.drained = report
            case Failed():
                self._fail(error_of(report))

    def _fail(self, error: EvsupError) -> None:
        if self.failure is None:
            self.failure = error

    # --- its end ------------------------------------------------------------------------------------------------------

    def check_hung(self, now_s: float) -> None:
        """A worker that could have reported for three heartbeats and has not is asked for its stacks, then killed."""
        # In every turn, also of a worker that drains or has failed: the clock in it counts turns.
        verdict = self._hang.check(now_s)
        # One that has said how it ends reports no more, and the stop's own deadlines are over it.
        if self.failure or self.drained or verdict == "well":
            return
        # Asked once. What it writes from now on is kept apart, so that old lines of its log do not hide the stacks.
        if self._verdict == "well":
            self.stderr.stacks.clear()
            log.warning("worker_silent", partition=self.term.partition_id, worker=self.pid)
            self.show_stacks()
        self._verdict = verdict
        if verdict == "hung":
            self._fail(self._hung())
            self.kill()

    def _hung(self) -> WorkerHung:
        seen = self._hang.vitals
        why = f"no status for {self._hang.limit_s:.0f} s in which it could have sent one"
        if seen and seen.state in {"T", "t"}:
            return WorkerHung(
                "The worker hangs",
                f"{why}: somebody stopped it (SIGSTOP, or a debugger)",
                "It was killed and nothing is lost. Start again, and leave its processes running.",
            )
        return WorkerHung(
            "The worker hangs",
            why,
            "It was killed and nothing is lost. Start again; if it comes back, report it with the stacks in the crash"
            " report.",
        )

    @property
    def has_exited(self) -> bool:
        """Whether the process has ended. `reap` reads what it left behind."""
        return self._worker.has_exited

    def reap(self, now_s: float) -> None:
        """Read the rest of what an exited process wrote; judge it by its exit code if it reported neither end."""
        for _ in range(LAST_READS):  # one turn reads only a part, and no other turn follows
            if self._pipe.ended and self.stderr.closed:
                break
            self.receive(now_s)
        code = self._worker.reap()
        # Only now: a failure that the worker reported says more, and `_fail` keeps the first.
        if not self.drained:
            # The kernel counts for the whole cgroup. So the exit code has to say that this process was killed, too.
            out_of_memory = (limits.oom_kills() or 0) > (self._oom_kills or 0)
            self._fail(unreported_exit(code, self.pid, self.term.epoch, is_out_of_memory=out_of_memory))
        elif not self._is_asked_to_drain:
            self._fail(Bug("The worker drained although nobody asked it to"))
        self._pipe.close()
        self.stderr.close()

    # --- for people ---------------------------------------------------------------------------------------------------

    def describe(self, now_s: float) -> PartitionStatus:
        """What the worker's last report says, and how old it is."""
        status, times = self.status, self.status.times
        return PartitionStatus(
            partition=self.term.partition_id,
            state="failed" if self.failure else status.state,
            pid=self.pid,
            epoch=self.term.epoch,
            channel=self.opened.channel if self.opened else None,
            lag=times.lag,
            lag_s=times.lag_s,
            lag_age_s=_since(times.end_known_s, now_s),
            row_age_s=_since(times.newest_row_s, now_s),
            commit_age_s=_since(times.committed_s, now_s),
            commit_wait_s=times.commit_wait_s,
            snowflake_latency_s=times.snowflake_latency_s,
            event_age_s=_since(times.received_s, now_s),
            frame_age_s=_since(times.heard_s, now_s),
            time_to_loss_s=status.time_to_loss_s,
            waits_for=status.waits_for,
            rows_per_s=round(self._rate.per_s(), 1),
            rss_bytes=status.rss_bytes,
            reported_at_s=status.sent_at_s,
            report_age_s=_since(status.sent_at_s or None, now_s) or 0.0,
            lease_s=round(max(0.0, self.trusted_until_s - now_s), 1),
            **asdict(status.counters),
        )


def _since(then_s: float | None, now_s: float) -> float | None:
    return None if then_s is None else round(max(0.0, now_s - then_s), 1)

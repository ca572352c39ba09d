"""One worker process as the supervisor sees it: its pipe, its stderr, its last words."""

import os
import signal
from collections import deque
from contextlib import ExitStack
from multiprocessing import Pipe
from typing import TYPE_CHECKING

from msgspec.structs import asdict

import worker.main
from shared import limits
from shared.clock import Deadline
from shared.errors import EvsupError, ExitCode, OwnershipLost, ProtocolError, WorkerCrashed, WorkerHung, WorkerKilled
from shared.eventhubs.identity import Identity
from shared.ipc import spawn
from shared.ipc.failure import error_of
from shared.ipc.memory import vitals
from shared.ipc.messages import Abort, Command, Drain, Drained, Failed, Lease, Opened, Report, Status
from shared.ipc.pipe import MessagePipe
from shared.log.logger import get_logger, relay
from shared.log.secret import mask
from shared.model import Term
from supervisor.process.hang_detector import HangDetector
from supervisor.process.rate import Rate
from supervisor.process.signals import HANDLED
from supervisor.status.model import PartitionStatus

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

STDERR_LINES = 20  # kept for the crash report
STACK_LINES = 1000  # of all threads: some 20 of them, with some 10 frames each
READ_BYTES = 16 * 1024  # of stderr a turn: masking them takes 5 ms, and the other workers wait meanwhile
LONGEST_LINE = 64 * 1024
LAST_READS = 64  # of a worker that has gone: a full pipe is 64 KiB, and whoever else writes into it may never end

log = get_logger()


class Child:
    """A worker for one term. Every method returns at once; `hear` raises nothing, a bad word becomes `failure`."""

    def __init__(self, term: Term, trusted_until_s: float, now_s: float) -> None:
        self.term = term
        self.trusted_until_s = trusted_until_s
        self.status = Status(state="opening")
        self.opened: Opened | None = None
        self.failure: EvsupError | None = None
        self.drained: Drained | None = None
        self.drain_deadline: Deadline | None = None
        self.stderr_lines: deque[str] = deque(maxlen=STDERR_LINES)
        self.rate = Rate()
        self.stacks: deque[str] = deque(maxlen=STACK_LINES)
        """Where the threads of a worker stood that was asked, for it hung."""
        self._stderr_rest = b""
        self._asked = False
        self._oom_kills = limits.oom_kills()
        self._start(term, trusted_until_s)
        self._silence = HangDetector(now_s, lambda: vitals(self.pid))

    def _start(self, term: Term, trusted_until_s: float) -> None:
        """Start the process. Only from the main thread: the worker dies with the thread that started it.

        Raises LimitReached, or ConfigurationError, when the kernel does not give what it takes.
        """
        try:
            self._start_process(term, trusted_until_s)
        except OSError as error:
            raise limits.reached_by_start(
                error, f"No worker can be started for partition {term.partition_id}"
            ) from None

    def _start_process(self, term: Term, trusted_until_s: float) -> None:
        lease = Lease(trusted_until_s=trusted_until_s)
        boot = worker.main.Boot(term, lease, os.getpid(), Identity.has_signed_in)
        name = f"evsup-worker-{term.partition_id}"
        self._stderr, their_stderr = Pipe(duplex=False)
        with ExitStack() as after_failure, their_stderr:
            after_failure.callback(self._stderr.close)
            self.process, ours = spawn.start(worker.main.run, boot, their_stderr, name=name, held_back=HANDLED)
            after_failure.pop_all()
        self.pid = self.process.pid or 0
        self.pipe: MessagePipe[Report] = MessagePipe(ours, Report)
        os.set_blocking(self._stderr.fileno(), False)

    # --- to the worker ------------------------------------------------------------------------------------------------

    def renew(self, trusted_until_s: float) -> None:
        """The lease goes on."""
        self.trusted_until_s = trusted_until_s
        self._send(Lease(trusted_until_s=trusted_until_s), topic="lease")

    def drain(self, deadline: Deadline) -> None:
        """Ask for an orderly end."""
        self.drain_deadline = deadline
        self._send(Drain(deadline_s=deadline.at_s))

    def abort(self, reason: str) -> None:
        """Ask for an end at once."""
        self._send(Abort(reason=reason))

    def kill(self) -> None:
        """End it, whatever it is doing. A process that was reaped is never signalled."""
        if self.process.is_alive():
            self.process.kill()

    def show_stacks(self) -> None:
        """Have it write to its stderr where its threads stand; also one that is stuck in native code does."""
        if self.process.is_alive():
            os.kill(self.pid, signal.SIGUSR1)

    def _send(self, command: Command, topic: str | None = None) -> None:
        self.pipe.send(command, topic)

    def describe(self, now_s: float) -> PartitionStatus:
        """What the worker's last report says, and how old it is."""
        status = self.status
        return PartitionStatus(
            partition=self.term.partition_id,
            state="failed" if self.failure else status.state,
            pid=self.pid,
            epoch=self.term.epoch,
            channel=self.opened.channel if self.opened else None,
            lag=status.lag,
            time_to_loss_s=status.time_to_loss_s,
            rows_per_s=round(self.rate.per_s(), 1),
            rss_bytes=status.rss_bytes,
            reported_at_s=status.sent_at_s,
            age_s=round(max(0.0, now_s - status.sent_at_s), 1) if status.sent_at_s else 0.0,
            lease_s=round(max(0.0, self.trusted_until_s - now_s), 1),
            **asdict(status.counters),
        )

    # --- from the worker ----------------------------------------------------------------------------------------------

    @property
    def sources(self) -> "list[MessagePipe[Report] | Connection[bytes, bytes] | int]":
        """What to wait for: the pipe and stderr until they end, and the process."""
        streams = [] if self.pipe.ended else [self.pipe]
        errors_ = [] if self._stderr.closed else [self._stderr]
        return [*streams, *errors_, self.process.sentinel]

    def hear(self, now_s: float) -> None:
        """Take everything that has arrived."""
        self._read_stderr()
        if self.pipe.ended:
            return
        self.pipe.flush()
        try:
            reports = self.pipe.receive()
        except ProtocolError as error:
            self._fail(error)
            self.pipe.ended = True
            self.kill()  # it would go on unheard: neither Drain nor Abort can be known to reach it
            return
        for report in reports:
            self._take(report, now_s)
        if reports:
            self._silence.broken()
            self._asked = False

    def _take(self, report: Report, now_s: float) -> None:
        match report:
            case Status():
                self.status = report
                self.rate.add(report.counters.rows_total, now_s)
            case Opened():
                self.opened = report
            case Drained():
                self.drained = report
            case Failed():
                self._fail(error_of(report))

    def check_alive(self, now_s: float) -> None:
        """A worker that could have reported and has not, for three heartbeats, has failed; before, it is asked why."""
        verdict = self._silence.look(now_s)
        if self.failure or self.drained or verdict == "well":
            return
        if not self._asked:
            self._asked = True
            self.stacks.clear()
            log.warning("worker_silent", partition=self.term.partition_id, worker=self.pid)
            self.show_stacks()
        if verdict == "hung":
            self._fail(self._hung())
            self.kill()

    def _hung(self) -> WorkerHung:
        seen = self._silence.seen
        why = f"no status for {self._silence.limit_s:.0f} s in which it could have sent one"
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
    def is_gone(self) -> bool:
        """Whether the process has ended and its last words were heard."""
        return not self.process.is_alive()

    def reap(self, now_s: float) -> None:
        """Hear the last words of a process that has ended, and judge its end by its exit code if it left none."""
        for _ in range(LAST_READS):  # a turn of the loop reads some of it, and this is the last
            if self.pipe.ended and self._stderr.closed:
                break
            self.hear(now_s)
        self.process.join()
        if self.failure is None and not self.drained:
            self._fail(self._silent_end())
        self.pipe.close()
        self._stderr.close()

    def _silent_end(self) -> EvsupError:
        code = self.process.exitcode or 0
        if code == ExitCode.TEMPORARY:  # worker.guard, which ends the process before it can say anything
            return OwnershipLost(
                "The worker ended itself at once",
                f"its lease had run out (epoch {self.term.epoch}), and it was stuck or had been stopped",
                "Nothing is lost. Start again; another supervisor may hold the partition.",
            )
        if code >= 0:
            return WorkerCrashed(
                "The worker exited without reporting an error", f"exit code {code}", "See its last lines above."
            )
        name = _signal_name(-code)
        if -code == signal.SIGKILL and (limits.oom_kills() or 0) > (self._oom_kills or 0):
            return WorkerKilled(
                f"The worker (pid {self.pid}) was killed by the kernel",
                "memory ran out in its cgroup",
                "Nothing is lost. Give it more memory (MemoryMax=, the container's limit), or lower EVENTHUB_PREFETCH,"
                " EVSUP_MAX_PARTITIONS and SNOWFLAKE_MAX_INFLIGHT_BYTES.",
            )
        if -code in (signal.SIGKILL, signal.SIGTERM):
            return WorkerKilled(
                f"The worker (pid {self.pid}) was killed by {name}",
                "an operator did it, or the kernel because memory ran out",
                "Start again: it resumes after the last committed row. `dmesg` shows what the kernel did.",
            )
        return WorkerCrashed(f"The worker (pid {self.pid}) died of {name}", "a fault in native code", "")

    def _fail(self, error: EvsupError) -> None:
        if self.failure is None:
            self.failure = error

    def _read_stderr(self) -> None:
        """Pass whole lines on to our stderr, and keep the last ones; a line without an end is cut at 64 KiB.

        Only some of it: a worker that writes without a pause must not keep the loop from its siblings.
        """
        if self._stderr.closed:
            return
        try:
            piece = os.read(self._stderr.fileno(), READ_BYTES)
        except BlockingIOError:
            return
        *lines, self._stderr_rest = (self._stderr_rest + piece).split(b"\n")
        if self._stderr_rest and (not piece or len(self._stderr_rest) > LONGEST_LINE):
            lines, self._stderr_rest = [*lines, self._stderr_rest], b""
        for line in lines:
            self._relay(line)
        if not piece:
            self._stderr.close()

    def _relay(self, line: bytes) -> None:
        text = mask(line.decode(errors="replace"))  # a native library's, say: ours is masked already
        (self.stacks if self._asked else self.stderr_lines).append(text)
        relay(text)


def _signal_name(number: int) -> str:
    """SIGKILL, say; the real-time signals have no such names."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number} ({signal.strsignal(number)})"

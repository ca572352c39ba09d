"""One supervisor as systemd would run it: started again after 0, 69, 75 and a kill, and checked at every end."""

import signal
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from scripts.chaos.judging.broken import InvariantBroken
from scripts.chaos.judging.cause import KILLED, require_same_cause
from scripts.harness.evsup import GRACE_S
from scripts.harness.host import BOUND, Host
from scripts.harness.marker import marked
from shared.clock import Deadline
from shared.errors import ServiceUnavailable
from supervisor.process.crash_report import CrashReport
from supervisor.process.stop import ABORT_GRACE_S, LATE_S
from supervisor.process.tree import RELEASE_S
from supervisor.status.model import PartitionStatus, TreeStatus
from supervisor.status.status_socket import read_status

RESTART_S = 0.5  # RestartSec of the unit
# I7: from SIGTERM to the exit a drain has its timeout. Then come abort, kill, the release, and a second for the exit.
STOP_GRACE_S = LATE_S + ABORT_GRACE_S + RELEASE_S + 1.0


class Unit:
    """Keeps one tree running until `stop`; `follow` is one turn and never blocks."""

    def __init__(
        self,
        name: str,
        settings: Mapping[str, str],
        directory: Path,
        drain_timeout_s: float,
        entrance: Sequence[str] = (),
    ) -> None:
        self.name, self._host = name, Host(settings, directory, entrance)
        self._stop_limit_s = drain_timeout_s + STOP_GRACE_S
        self.ends: Counter[int] = Counter()
        self.is_frozen = False
        self.is_wanted = True
        self._stop_by: Deadline | None = None
        self._start_due_s = 0.0
        self._leftover: dict[str, Deadline] = {}
        self._cause: str | None = None
        directory.mkdir(mode=0o700)
        self.start()

    def start(self) -> None:
        """Start the next supervisor."""
        self._known = set(self._reports())
        self.evsup = self._host.start(command=BOUND)
        self._cause, self._stop_by, self.is_frozen, self._is_ended = None, None, False, False

    @property
    def is_running(self) -> bool:
        """Whether its supervisor runs and is not frozen."""
        return self.evsup.is_running and not self.is_frozen and not self._start_due_s

    @property
    def takes_part(self) -> bool:
        """Whether its tree has booted, and was not asked to stop."""
        tree = self.status()
        return tree is not None and tree.state in ("standby", "running")

    @property
    def has_stopped(self) -> bool:
        """Whether it was stopped for good, and no process of any of its trees is left."""
        return not self.is_wanted and self._is_ended and not self._leftover

    def status(self) -> TreeStatus | None:
        """What `evsup status` knows; None while there is nobody to ask."""
        if not self.is_running:
            return None
        with suppress(ServiceUnavailable):
            tree = read_status(self.evsup.state_dir)  # once: a turn never waits for one that hangs
            self._cause = tree.cause if tree and tree.cause else self._cause
            return tree
        return None

    def workers(self) -> dict[str, PartitionStatus]:
        """Its workers by partition."""
        tree = self.status()
        return {row.partition: row for row in tree.partitions} if tree else {}

    def send(self, number: signal.Signals, *, group: bool = False) -> None:
        """A signal to the supervisor, or to all its processes as a terminal does."""
        (self.evsup.send_to_group if group else self.evsup.send)(number)
        if number in (signal.SIGTERM, signal.SIGINT) and self._stop_by is None:
            self._stop_by = Deadline.after(self._stop_limit_s)

    def freeze(self, *, group: bool) -> None:
        """Stop the supervisor, or the whole tree, as SIGSTOP does."""
        self.is_frozen = True
        self.send(signal.SIGSTOP, group=group)

    def thaw(self, *, group: bool) -> None:
        """Let it go on; a stop that was asked for before counts from now."""
        self.is_frozen = False
        self._stop_by = self._stop_by and Deadline.after(self._stop_limit_s)
        with suppress(ProcessLookupError):
            self.send(signal.SIGCONT, group=group)

    def stop(self) -> None:
        """Drain it for good. One that has ended is not started again."""
        self.is_wanted, self._start_due_s = False, 0.0
        if self.evsup.is_running:
            self.send(signal.SIGTERM)

    def follow(self, now_s: float) -> None:
        """Judge a tree that has ended, and start the next one when its time has come."""
        self._require_nobody_left(now_s)
        if self._start_due_s:
            if now_s >= self._start_due_s:
                self._start_due_s = 0.0
                self.start()
        elif self.evsup.exit_code is not None:
            self._judge(self.evsup.exit_code, now_s)
        elif self._stop_by and self._stop_by.passed(now_s) and not self.is_frozen:
            raise InvariantBroken("I7", f"{self.name} has not stopped {self._stop_limit_s:.0f} s after it was asked to")

    def close(self) -> None:
        """End it and its workers, whatever became of them."""
        self._host.close()

    def _judge(self, code: int, now_s: float) -> None:
        if self._is_ended:
            return
        self._is_ended = True
        self.ends[code] += 1
        self._leftover[self.evsup.marker] = Deadline.after(GRACE_S, now_s)
        if self.is_wanted:
            self._start_due_s = now_s + RESTART_S
        require_same_cause(code, self.evsup.stderr, self._new_reports(), None if code == KILLED else self._cause)

    def _require_nobody_left(self, now_s: float) -> None:
        for marker, deadline in tuple(self._leftover.items()):
            if not (pids := marked(marker)):
                del self._leftover[marker]
            elif deadline.passed(now_s):
                raise InvariantBroken("I6", f"{self.name} left {pids} behind {GRACE_S:.0f} s after its end")

    def _new_reports(self) -> list[CrashReport]:
        paths = sorted(set(self._reports()) - self._known)
        return [msgspec.json.decode(path.read_bytes(), type=CrashReport) for path in paths]

    def _reports(self) -> list[Path]:
        return list(self._host.directory.glob("state/crash-*.json"))

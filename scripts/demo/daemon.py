"""evsup as its user has it: the console script in a process of its own, its settings in the environment."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from scripts.demo import bound
from scripts.demo.failure import DemoFailed
from scripts.localcloud.service import REPOSITORY
from supervisor.status.model import TreeStatus
from supervisor.status.status_socket import read_status

EVSUP = Path(sys.executable).parent / "evsup"
OUR_VARIABLES = ("EVENTHUB_", "SNOWFLAKE_", "CONTROL_", "EVSUP_")
STOP_S = 5.0  # for a tree that is told twice to stop
ORPHANS_S = 10.0  # promise 6 of the contract
SHOWN_LINES = 12


class Opened(msgspec.Struct, frozen=True):
    """A line of the log: the worker reads on after this sequence number, for that reason."""

    event: str
    partition: str
    after: int | None
    reason: str


class Evsup:
    """`evsup` with one set of settings, and the tree that it runs now or ran last."""

    def __init__(self, settings: Mapping[str, str], directory: Path) -> None:
        self.log = directory / "evsup.log"
        self._directory, self._state = directory, directory / "state"
        alien = {name: value for name, value in os.environ.items() if not name.startswith(OUR_VARIABLES)}
        own = {"EVSUP_STATE_DIR": str(self._state), "EVSUP_LOG_FORMAT": "json"}
        self._environment = {**alien, **settings, **own}
        self._log_start = 0
        self._process: subprocess.Popen[bytes] | None = None

    def init(self) -> str:
        """`evsup init`; returns what it says."""
        done = self._call("init")
        if done.returncode:
            raise DemoFailed(f"evsup init ended with exit code {done.returncode}", done.stderr)
        return done.stderr.strip()

    def start(self, *options: str) -> None:
        """`evsup start`, in a session of its own so that Ctrl-C is ours, and bound to us; stderr goes to the log."""
        with self.log.open("ab") as log:
            self._log_start = log.tell()
            self._process = subprocess.Popen(
                [sys.executable, "-m", bound.__name__, self._directory, EVSUP, "start", *options],
                stdin=subprocess.DEVNULL,
                stderr=log,
                env=self._environment,
                cwd=REPOSITORY,
                start_new_session=True,
            )

    def status(self) -> TreeStatus | None:
        """What `evsup status` knows; None when no tree answers."""
        return read_status(self._state)

    @property
    def pid(self) -> int:
        """The supervisor, which leads its process group."""
        assert self._process
        return self._process.pid

    @property
    def said(self) -> str:
        """What this run has logged so far."""
        return self.log.read_bytes()[self._log_start :].decode(errors="replace")

    @property
    def exit_code(self) -> int | None:
        """The tree's exit code, None while it runs."""
        return self._process.poll() if self._process else None

    def drain(self) -> None:
        """SIGTERM to the supervisor."""
        if self._process:
            self._process.terminate()

    def left_behind(self) -> list[int]:
        """Processes of the tree that are still there after its end, within the promised time."""
        until_s = time.monotonic() + ORPHANS_S
        while (pids := self._group()) and time.monotonic() < until_s:
            time.sleep(0.1)
        return pids

    def opened(self, partition: str) -> Opened | None:
        """What this run's log says of how a partition was opened; None when it says nothing yet."""
        for line in self.said.splitlines():
            with suppress(msgspec.MsgspecError):
                entry = msgspec.json.decode(line, type=Opened)
                if entry.event == "partition_opened" and entry.partition == partition:
                    return entry
        return None

    def last_lines(self, count: int = SHOWN_LINES) -> str:
        """The end of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-count:]) if self.log.exists() else ""

    def kill(self) -> None:
        """End whatever is left of the tree: two SIGTERMs stop it at once, then SIGKILL for all."""
        if self._process is None:
            return
        for _ in range(2):
            if self._process.poll() is None:
                self._process.terminate()
                time.sleep(0.1)  # the kernel merges two signals that are both pending
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_S)
        if self._group():
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _call(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [EVSUP, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            env=self._environment,
            cwd=self._directory,  # no .env of somebody else's
        )

    def _group(self) -> list[int]:
        """Living processes of the tree's process group."""
        if self._process is None:
            return []
        stats = (_stat(path) for path in Path("/proc").glob("[0-9]*/stat"))
        return [pid for pid, state, group in filter(None, stats) if group == self._process.pid and state not in "ZX"]


def _stat(path: Path) -> tuple[int, str, int] | None:
    """Process id, state and process group of a process (https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html)."""
    try:
        state, _, group, *_ = path.read_text().rpartition(")")[2].split()
    except OSError:  # it has just ended
        return None
    return int(path.parent.name), state, int(group)

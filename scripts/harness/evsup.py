"""One `evsup start` as a process: its status and log, signals to it, and the check that it leaves nothing behind."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from scripts.harness.failure import NotAsPromised
from scripts.harness.marker import MARKER, grouped, marked, new_marker
from scripts.harness.waiting import PATIENCE_S, POLL_S, eventually
from shared.clock import Deadline
from shared.errors import ServiceUnavailable
from supervisor.status.model import PartitionStatus, TreeStatus
from supervisor.status.status_socket import read_status

EVSUP = str(Path(sys.executable).parent / "evsup")
GRACE_S = 10.0  # no orphan lives longer (contract, promise 6)
ABORT_S = 5.0  # for a tree that is asked twice to stop
SHOWN_LINES = 12

Truth = TypeVar("Truth")


class Evsup:
    """One running supervisor. What it writes is in `directory`; its standard output has to stay empty.

    `command` is what starts evsup; `stderr`, a descriptor, takes its log instead of the file in `directory`.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        directory: Path,
        *arguments: str,
        command: Sequence[str] = (EVSUP,),
        stderr: int | None = None,
    ) -> None:
        directory.mkdir()
        mark = new_marker()
        self.marker, self.state_dir = mark[MARKER], Path(environment["EVSUP_STATE_DIR"])
        self._stderr, self._stdout = directory / "stderr", directory / "stdout"
        with self._stderr.open("wb") as errors, self._stdout.open("wb") as output:
            self._process = subprocess.Popen(
                [*command, "start", *arguments],
                env={**environment, **mark},
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors if stderr is None else stderr,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The supervisor, which leads its process group."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    @property
    def is_running(self) -> bool:
        """Whether the supervisor is there."""
        return self.exit_code is None

    # --- what it says -------------------------------------------------------------------------------------------------

    @property
    def stderr(self) -> str:
        """What it wrote so far."""
        return self._stderr.read_text(errors="replace")

    @property
    def last_line(self) -> str:
        """The last line of its log: why it ended, when it has."""
        return self.last_lines(1)

    def last_lines(self, count: int = SHOWN_LINES) -> str:
        """The end of its log."""
        return "\n".join(self.stderr.splitlines()[-count:])

    def events(self, event: str, **fields: object) -> list[dict[str, Any]]:
        """Its log lines of this event that have these fields."""
        whole = (line for line in self.stderr.splitlines(keepends=True) if line.startswith("{") and line[-1] == "\n")
        wanted = {"event": event, **fields}.items()
        return [line for line in map(json.loads, whole) if wanted <= line.items()]

    def status(self) -> TreeStatus | None:
        """What `evsup status --json` shows; None before the socket is there.

        A tree on a busy machine may not answer in time, and is asked again.
        """
        deadline = Deadline.after(PATIENCE_S)
        while True:
            try:
                return read_status(self.state_dir)
            except ServiceUnavailable:
                if deadline.passed():
                    raise

    def workers(self) -> dict[str, PartitionStatus]:
        """Its workers by partition."""
        tree = self.status()
        return {row.partition: row for row in tree.partitions} if tree else {}

    def running(self) -> dict[str, PartitionStatus]:
        """Its workers that receive."""
        return {partition: row for partition, row in self.workers().items() if row.state == "running"}

    # --- waiting ------------------------------------------------------------------------------------------------------

    def until(
        self, condition: Callable[[], Truth], what: str, timeout_s: float = PATIENCE_S, every_s: float = POLL_S
    ) -> Truth:
        """As `eventually`, as long as the tree runs. What it raises has the end of the log."""

        def holds() -> Truth:
            if (code := self.exit_code) is not None:
                raise NotAsPromised(f"evsup ended with {code} before {what}")
            return condition()

        try:
            return eventually(holds, what, timeout_s, every_s)
        except NotAsPromised as failure:
            raise NotAsPromised(failure.what, failure.evidence or self.last_lines()) from None

    def await_running(self, partitions: int) -> dict[str, PartitionStatus]:
        """Wait until so many workers receive."""

        def all_running() -> dict[str, PartitionStatus]:
            running = self.running()
            return running if len(running) == partitions else {}

        return self.until(all_running, f"{partitions} workers run")

    def wait(self, timeout_s: float = PATIENCE_S) -> int:
        """Its exit code, when it has ended. Raises NotAsPromised if it does not, left a process, or wrote on stdout."""
        try:
            code = self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise NotAsPromised(f"evsup has not ended after {timeout_s:g} s", self.last_lines()) from None
        if output := self._stdout.read_bytes():
            raise NotAsPromised(f"start wrote on standard output: {output!r}")
        eventually(lambda: not self._others(), "none of its processes is left", GRACE_S)
        return code

    # --- ending it ----------------------------------------------------------------------------------------------------

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the supervisor alone."""
        self._process.send_signal(number)

    def send_to_group(self, number: signal.Signals) -> None:
        """Send a signal to all its processes, as a terminal and systemd do."""
        os.killpg(self.pid, number)

    def stop(self, timeout_s: float = PATIENCE_S) -> int:
        """Drain it; its exit code. Raises as `wait` does."""
        self.send(signal.SIGTERM)
        return self.wait(timeout_s)

    def abort(self) -> None:
        """Stop it at once, with its leases released, by two SIGTERMs; what is left after that is killed."""
        for _ in range(2):
            if self.is_running:
                self.send(signal.SIGTERM)
                time.sleep(0.1)  # the kernel merges two signals that are both pending
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(ABORT_S)
        self.kill()

    def kill(self) -> None:
        """End it and its workers, whatever became of them."""
        if self.is_running:
            self.send(signal.SIGKILL)
        for pid in self._others():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()
        eventually(lambda: not self._others(), "what was killed has ended")  # on a busy machine it takes a moment

    def _others(self) -> list[int]:
        return sorted({*marked(self.marker), *grouped(self.pid)} - {self.pid})

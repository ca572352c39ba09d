"""evsup itself: `evsup start`, watched through its status socket."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from scripts.bench.measure import Run, Sample, steady
from shared.clock import Deadline
from supervisor.status.model import TreeStatus
from supervisor.status.status_socket import read_status

EVSUP = (sys.executable, "-m", "supervisor")
LIMIT_S = 300.0
DRAIN_S = 60.0
LOOK_S = 0.25


class TreeRun(Run, frozen=True, kw_only=True):
    """A run of evsup, with the supervisor's memory beside the worker's."""

    supervisor_rss_bytes: int


class Tree:
    """A context manager: one supervisor runs inside it, and is drained at the end."""

    def __init__(self, environment: dict[str, str], partitions: int) -> None:
        self._environment, self._partitions = os.environ | environment, partitions
        self._directory = Path(environment["EVSUP_STATE_DIR"])

    def __enter__(self) -> Self:
        subprocess.run([*EVSUP, "init"], env=self._environment, check=True, stderr=subprocess.DEVNULL)
        command = [*EVSUP, "start", "--max-partitions", str(self._partitions)]
        self._log = (self._directory / "log").open("w+b")
        self._process = subprocess.Popen(command, env=self._environment, stderr=self._log)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._log:
            self._process.send_signal(signal.SIGTERM)
            if self._process.wait(DRAIN_S) and error is None:
                raise RuntimeError(f"evsup ended with {self._process.returncode}: {self._last_words()}")

    @property
    def runs(self) -> bool:
        """Whether the supervisor has not ended."""
        return self._process.poll() is None

    def status(self) -> TreeStatus | None:
        """What it says of itself, once its workers do."""
        status = read_status(self._directory)
        return status if status and status.partitions else None

    def _last_words(self) -> str:
        self._log.seek(0)
        return self._log.read().decode()[-2000:]


def move(environment: dict[str, str], total: int) -> TreeRun:
    """Start evsup with one partition, wait until `total` events are durable, drain it."""
    with Tree(environment, 1) as tree:
        looks = _watch(tree, total)
    workers = [look.partitions[0] for look in looks]
    samples = [Sample(row.reported_at_s, row.rows_total) for row in workers]
    run = steady(samples, total, max(row.rss_bytes for row in workers))
    supervisor = max(look.rss_bytes for look in looks)
    return TreeRun(events=run.events, seconds=run.seconds, rss_bytes=run.rss_bytes, supervisor_rss_bytes=supervisor)


def _watch(tree: Tree, total: int) -> list[TreeStatus]:
    looks: list[TreeStatus] = []
    deadline = Deadline.after(LIMIT_S)
    while not looks or (looks[-1].partitions[0].durable or 0) < total - 1:
        if not tree.runs or deadline.passed():
            break
        if status := tree.status():
            looks.append(status)
        time.sleep(LOOK_S)
    return looks

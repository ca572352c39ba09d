"""evsup itself: `evsup start` with one partition, watched through its status socket."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from scripts.bench.measure import Run, Sample, steady
from shared.clock import Deadline
from supervisor.status import TreeStatus, read_status

EVSUP = (sys.executable, "-m", "supervisor")
LIMIT_S = 300.0
LOOK_S = 0.25


class TreeRun(Run, frozen=True, kw_only=True):
    """A run of evsup, with the supervisor's memory beside the worker's."""

    supervisor_rss_bytes: int


def move(environment: dict[str, str], total: int) -> TreeRun:
    """Start evsup, wait until `total` events are durable, drain it."""
    env = os.environ | environment
    subprocess.run([*EVSUP, "init"], env=env, check=True, stderr=subprocess.DEVNULL)
    directory = Path(environment["EVSUP_STATE_DIR"])
    process = subprocess.Popen([*EVSUP, "start", "--max-partitions", "1"], env=env, stderr=subprocess.PIPE)
    try:
        looks = _watch(directory, process, total)
    finally:
        process.send_signal(signal.SIGTERM)
        _, stderr = process.communicate(timeout=60)
    if process.returncode:
        raise RuntimeError(f"evsup ended with {process.returncode}: {stderr.decode()[-2000:]}")
    workers = [look.partitions[0] for look in looks]
    samples = [Sample(row.reported_at_s, row.rows_total) for row in workers]
    run = steady(samples, total, max(row.rss_bytes for row in workers))
    supervisor = max(look.rss_bytes for look in looks)
    return TreeRun(events=run.events, seconds=run.seconds, rss_bytes=run.rss_bytes, supervisor_rss_bytes=supervisor)


def _watch(directory: Path, process: "subprocess.Popen[bytes]", total: int) -> list[TreeStatus]:
    looks: list[TreeStatus] = []
    deadline = Deadline.after(LIMIT_S)
    while not looks or (looks[-1].partitions[0].durable or 0) < total - 1:
        if process.poll() is not None or deadline.passed():
            break
        status = read_status(directory)
        if status and status.partitions:
            looks.append(status)
        time.sleep(LOOK_S)
    return looks

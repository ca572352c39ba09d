"""evsup itself: one supervisor, watched through its status socket."""

import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import psutil
from msgspec import structs

from scripts.bench.measure import Run, Sample, steady
from scripts.harness.evsup import Evsup
from scripts.harness.failure import NotAsPromised
from scripts.harness.host import BOUND, Host
from shared.clock import Deadline
from supervisor.status.model import TreeStatus

LIMIT_S = 300.0
LOOK_S = 0.25


class EvsupRun(Run, frozen=True, kw_only=True):
    """A run of evsup, with the supervisor's memory beside the worker's."""

    supervisor_rss_bytes: int


@contextmanager
def running(environment: Mapping[str, str], directory: Path, partitions: int) -> Iterator[Evsup]:
    """A tree that is drained at the end. Raises NotAsPromised unless it ends with 0."""
    with closing(Host(environment, directory)) as host:
        host.output("init")
        evsup = host.start("--max-partitions", str(partitions), command=BOUND)
        yield evsup
        if code := evsup.stop():
            raise NotAsPromised(f"evsup ended with {code}", evsup.last_lines())


def move(environment: Mapping[str, str], directory: Path, total: int) -> EvsupRun:
    """Start evsup with one partition, wait until `total` events are durable, drain it."""
    with running(environment, directory, 1) as evsup:
        looks = _watch(evsup, total)
    workers = [look.partitions[0] for look, _ in looks]
    samples = [Sample(look.partitions[0].reported_at_s, look.partitions[0].rows_total, cpu_s) for look, cpu_s in looks]
    run = steady(samples, total, max(row.rss_bytes for row in workers))
    supervisor = max(look.rss_bytes for look, _ in looks)
    return EvsupRun(**structs.asdict(run), supervisor_rss_bytes=supervisor)


def _watch(evsup: Evsup, total: int) -> list[tuple[TreeStatus, float]]:
    """What the tree said of itself, again and again, and the processor time that its worker had taken by then."""
    looks: list[tuple[TreeStatus, float]] = []
    deadline = Deadline.after(LIMIT_S)
    while not looks or (looks[-1][0].partitions[0].durable or 0) < total - 1:
        if not evsup.is_running or deadline.passed():
            break
        if (status := evsup.status()) and status.partitions:
            looks.append((status, _cpu_s(status.partitions[0].pid)))
        time.sleep(LOOK_S)
    return looks


def _cpu_s(pid: int | None) -> float:
    if pid is None:
        return 0.0
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system

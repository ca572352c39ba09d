"""evsup itself: one supervisor, its workers watched from outside, by the kernel's counters and Snowflake's tokens."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from scripts.bench.lab import core_share
from scripts.bench.lab.lab import Turn
from scripts.bench.lab.measure import Run
from scripts.harness.evsup import Evsup
from scripts.harness.failure import NotAsPromised
from scripts.harness.host import BOUND, Host
from shared.clock import Deadline, monotonic

LIMIT_S = 120.0
FIRST_LOOK_S, LOOK_S = 0.005, 0.03
STARTED = 0.1  # of all events: a link begins with a credit of one, and the SDK with small files
FEWEST_COMMITS = 3  # between which there is a speed


@contextmanager
def running(environment: Mapping[str, str], directory: Path, partitions: int) -> Iterator[Evsup]:
    """A tree that is drained at the end. Raises NotAsPromised unless it ends with 0."""
    with closing(Host(environment, directory)) as host:
        host.output("init")
        evsup = host.start("--max-partitions", str(partitions), command=BOUND)
        yield evsup
        if code := evsup.stop():
            raise NotAsPromised(f"evsup ended with {code}", evsup.last_lines())


def family(pid: int) -> list[int]:
    """A process and all below it."""
    return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]


def cpu_s(pids: Sequence[int]) -> float:
    """Processor time of these processes, and of their children that have ended."""
    return float(sum(sum(psutil.Process(pid).cpu_times()[:4]) for pid in pids))


@dataclass(frozen=True, slots=True)
class Sample:
    """What was there at a moment: events, and the processor time of the workers until then."""

    at_s: float
    events: int
    cpu_s: float
    rss_bytes: int


def move(turn: Turn, total: int, partitions: int = 1, *, on_shares: bool = False) -> Run:
    """Start evsup on full partitions, watch until all `total` events are durable, drain it.

    `on_shares` gives each worker `core_share.SHARE` of a core.
    """
    with ExitStack() as after, running(turn.environment, turn.directory, partitions) as evsup:
        workers, first = _first(turn, evsup, partitions)
        for worker in workers if on_shares else ():
            after.enter_context(core_share.limited(worker.pid))
        samples = _samples(turn, evsup, workers, total)
    return run_of(first, samples, total)


def run_of(first: Sample, samples: list[Sample], total: int) -> Run:
    """The cost of all events, and the speed between two commits.

    The cost is the workers' own from the first event until the last one is durable. The speed is that between the
    first commit after the start and the last one in full stream: neither the start is throughput, nor the last commit,
    before which the SDK waited in vain for more. A run that is too short for that has its speed from the first event
    to the last. Raises NotAsPromised when there were so few that all had left the hub before the first look.
    """
    if first.events >= total:
        raise NotAsPromised(f"{total} events are too few to measure", "the hub had sent all of them at the first look")
    last, moved = samples[-1], total - first.events
    stream = [one for one in samples[:-1] if one.events >= total * STARTED]
    begun, ended = (stream[0], stream[-1]) if len(stream) >= FEWEST_COMMITS else (first, last)
    speed = (ended.events - begun.events) / (ended.at_s - begun.at_s)
    return Run(
        events=moved,
        seconds=moved / speed,
        cpu_s=last.cpu_s - first.cpu_s,
        rss_bytes=max(one.rss_bytes for one in (first, *samples)),
    )


def _first(turn: Turn, evsup: Evsup, partitions: int) -> tuple[list[psutil.Process], Sample]:
    """The workers, and the moment when the hub has sent the first events to one of them."""
    pids: list[int] = []

    def sent() -> int:
        if len(pids) < partitions and (status := evsup.status()):
            pids[:] = [row.pid for row in status.partitions]
        if len(pids) < partitions:
            return 0
        return sum(link.sent for one in turn.cloud.hub.facts().partitions.values() for link in one.receivers)

    events = evsup.until(sent, "events come", every_s=FIRST_LOOK_S)
    workers = [psutil.Process(pid) for pid in pids]
    return workers, _sample(workers, events)


def _samples(turn: Turn, evsup: Evsup, workers: list[psutil.Process], total: int) -> list[Sample]:
    """One for each commit."""
    samples: list[Sample] = []
    deadline = Deadline.after(LIMIT_S)
    while not samples or samples[-1].events < total:
        if not evsup.is_running or deadline.passed():
            raise NotAsPromised(f"not all of {total} events are durable", evsup.last_lines())
        events = sum(number + 1 for number in turn.durable().values())
        if events and (not samples or events > samples[-1].events):
            samples.append(_sample(workers, events))
        time.sleep(LOOK_S)
    return samples


def _sample(workers: list[psutil.Process], events: int) -> Sample:
    times = [worker.cpu_times() for worker in workers]
    return Sample(
        monotonic(),
        events,
        sum(one.user + one.system for one in times),
        max(worker.memory_info().rss for worker in workers),
    )

"""A measured run: counters with their times, and the speed that follows from them."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

STARTED = 0.05  # of all events


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """Events moved between the first and the last sample of a run."""

    events: int
    seconds: float
    rss_bytes: int = 0
    """Most resident memory of the process that moved them."""
    cpu_s: float = 0.0
    """Processor time that it took for them, on all its threads."""

    @property
    def per_s(self) -> float:
        """Events a second."""
        return self.events / self.seconds if self.seconds > 0 else 0.0

    @property
    def cpu_us(self) -> float:
        """Microseconds of a processor for an event."""
        return 1e6 * self.cpu_s / self.events if self.events else 0.0


@dataclass(frozen=True, slots=True)
class Sample:
    """A counter, and when it was read on the monotonic clock."""

    at_s: float
    count: int
    cpu_s: float = 0.0
    """Processor time of the process until then."""


def median(runs: Sequence[Run]) -> Run:
    """The run of middle speed."""
    return sorted(runs, key=lambda run: run.per_s)[len(runs) // 2]


def steady(samples: list[Sample], total: int, rss_bytes: int) -> Run:
    """The run between the first and the last sample of the moving stream.

    Neither start-up (a worker begins with a credit of four events) nor the wait for the sample that shows the end is
    throughput.
    """
    moving = [sample for sample in samples if total * STARTED <= sample.count < total]
    first, last = moving[0], moving[-1]
    return Run(
        events=last.count - first.count,
        seconds=last.at_s - first.at_s,
        rss_bytes=rss_bytes,
        cpu_s=last.cpu_s - first.cpu_s,
    )

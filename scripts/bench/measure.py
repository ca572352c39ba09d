"""A measured run: counts at moments, and what follows from them."""

from dataclasses import dataclass

import msgspec


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """Events moved between the first and the last sample of a run."""

    events: int
    seconds: float
    rss_bytes: int = 0
    """Most resident memory of the process that moved them."""

    @property
    def per_s(self) -> float:
        """Events a second."""
        return self.events / self.seconds if self.seconds > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Sample:
    """A counter at a moment of the monotonic clock."""

    at_s: float
    count: int


def steady(samples: list[Sample], total: int, rss_bytes: int) -> Run:
    """The run between the first sample that moved and the first that is complete: start-up is not throughput."""
    moved = [sample for sample in samples if sample.count > 0]
    first = moved[0]
    last = next((sample for sample in moved if sample.count >= total), moved[-1])
    return Run(events=last.count - first.count, seconds=last.at_s - first.at_s, rss_bytes=rss_bytes)

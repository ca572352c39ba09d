"""What a measured run is, and what several of them say."""

import os
import sys
from collections.abc import Sequence
from statistics import median_low

import msgspec


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """Events that were moved, and what that took."""

    events: int
    seconds: float
    cpu_s: float = 0.0
    """Processor time of the process that moved them, on all its threads."""
    rss_bytes: int = 0
    """Most resident memory of that process."""

    @property
    def per_s(self) -> float:
        """Events a second."""
        return self.events / self.seconds if self.seconds > 0 else 0.0

    @property
    def cpu_us(self) -> float:
        """Microseconds of a processor for an event."""
        return 1e6 * self.cpu_s / self.events if self.events else 0.0


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """Medians over the runs of one program."""

    per_s: float
    cpu_us: float
    rss_bytes: int
    turns: int

    @classmethod
    def of(cls, runs: Sequence[Run]) -> "Side":
        """Each figure by itself: the run of middle speed need not be the one of middle cost."""
        return cls(
            per_s=median_low([run.per_s for run in runs]),
            cpu_us=median_low([run.cpu_us for run in runs]),
            rss_bytes=max(run.rss_bytes for run in runs),
            turns=len(runs),
        )


def hand_over(run: Run) -> None:
    """Print a run for the program that started this one, and end: no SDK's thread may keep the process."""
    sys.stdout.write(msgspec.json.encode(run).decode() + "\n")
    sys.stdout.flush()
    os._exit(0)

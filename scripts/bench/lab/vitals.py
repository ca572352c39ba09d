"""What the processes of a tree hold while it runs, and what of it has grown."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median_low

from shared.clock import monotonic
from supervisor.status.model import TreeStatus

GROWTH_BYTES = 20_000_000


@dataclass(frozen=True)
class Vitals:
    """What one process holds."""

    rss_bytes: int
    descriptors: int
    threads: int

    @classmethod
    def of(cls, pid: int) -> "Vitals":
        """Read /proc (https://man7.org/linux/man-pages/man5/proc_pid_status.5.html). Raises OSError if it has ended."""
        status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        if "VmRSS" not in status:
            raise ProcessLookupError(f"process {pid} is a zombie")
        descriptors = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        return cls(int(status["VmRSS"].split()[0]) * 1024, descriptors, int(status["Threads"]))


@dataclass(frozen=True)
class Look:
    """One look: rows moved so far, and the vitals of the supervisor, then of each worker."""

    at_s: float
    rows: int
    processes: tuple[Vitals, ...]

    @classmethod
    def at(cls, status: TreeStatus) -> "Look":
        """Look now at the tree that says so of itself. Raises OSError when one of its processes has ended."""
        pids = (status.pid, *(row.pid for row in status.partitions))
        rows = sum(row.rows_total for row in status.partitions)
        return cls(monotonic(), rows, tuple(Vitals.of(pid) for pid in pids))


def grown(looks: Sequence[Look]) -> list[str]:
    """What of a process grows from the first third of the looks to the second, and again from there to the last.

    A leak goes on, but what is opened once and kept is one step. Of descriptors and threads the fewest count, because
    connections come and go. Of memory the medians count, and `GROWTH_BYTES` or less is no growth.
    """
    third = len(looks) // 3
    supervisor, *workers = zip(*(look.processes for look in looks), strict=True)
    named = {"supervisor": supervisor} | {f"worker {number}": each for number, each in enumerate(workers)}
    return [
        f"{what} of {name}"
        for name, vitals in named.items()
        for what in _growing(vitals[:third], vitals[third:-third], vitals[-third:])
    ]


def _growing(*thirds: Sequence[Vitals]) -> Iterator[str]:
    first, *_, last = (median_low(one.rss_bytes for one in part) for part in thirds)
    if last - first > GROWTH_BYTES:
        yield "memory"
    if _rises([min(one.descriptors for one in part) for part in thirds]):
        yield "descriptors"
    if _rises([min(one.threads for one in part) for part in thirds]):
        yield "threads"


def _rises(numbers: Sequence[int]) -> bool:
    return all(late > early for early, late in pairwise(numbers))

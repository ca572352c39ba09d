"""What the processes of a tree hold while it runs, and what of it has grown."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median_low

from shared.clock import monotonic
from supervisor.status.model import TreeStatus

WARM_UP = 0.1  # of the looks: buffers and caches fill
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
    """What is more in the last quarter of the looks than in the first quarter after the warm-up.

    Of memory the medians are compared, because it goes up and down. Of descriptors and threads the fewest are, because
    connections come and go, and what leaked is in every later look.
    """
    warm = looks[int(len(looks) * WARM_UP) :]
    quarter = max(1, len(warm) // 4)
    supervisor, *workers = zip(*(look.processes for look in warm), strict=True)
    named = {"supervisor": supervisor} | {f"worker {number}": each for number, each in enumerate(workers)}
    return [
        f"{what} of {name}" for name, vitals in named.items() for what in _more(vitals[:quarter], vitals[-quarter:])
    ]


def _more(early: Sequence[Vitals], late: Sequence[Vitals]) -> Iterator[str]:
    if median_low(one.rss_bytes for one in late) - median_low(one.rss_bytes for one in early) > GROWTH_BYTES:
        yield "memory"
    if min(one.descriptors for one in late) > min(one.descriptors for one in early):
        yield "descriptors"
    if min(one.threads for one in late) > min(one.threads for one in early):
        yield "threads"

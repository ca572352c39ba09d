"""How fresh the table was and how fast rows moved in the last minutes: for the curves of the page at `/`."""

from collections import deque
from collections.abc import Callable, Sequence

from msgspec import Struct

from supervisor.status.model import PartitionStatus, TreeStatus
from supervisor.status.words.columns import age, count
from supervisor.status.words.summary import known

EVERY_S = 5.0
MOST = 120  # ten minutes


class Sample(Struct, frozen=True):
    """The tree at one time, as four numbers; None: not known."""

    row_age_s: float | None
    lag_s: float | None
    lag: int | None
    rows_per_s: float | None


class Figure(Struct, frozen=True):
    """A number that says how the tree is, now and in the last minutes."""

    name: str
    """What it is."""
    text: str
    """Its value now."""
    note: str
    """The highest value of the last minutes; empty: there are none yet."""
    values: tuple[float | None, ...]
    """One every 5 s, the oldest first; None: it was not known."""


class History:
    """The samples of the last ten minutes. For one thread."""

    def __init__(self) -> None:
        self._samples: deque[Sample] = deque(maxlen=MOST)

    def add(self, tree: TreeStatus) -> None:
        """Take a sample. To be called every 5 s."""
        self._samples.append(sample(tree.partitions))

    def samples(self) -> tuple[Sample, ...]:
        """The oldest first."""
        return tuple(self._samples)


def sample(rows: Sequence[PartitionStatus]) -> Sample:
    """The newest row of all partitions, the longest way behind, and the sums of lag and rows."""
    lags = known(rows, lambda row: row.lag)
    return Sample(
        row_age_s=min(known(rows, lambda row: row.row_age_s), default=None),
        lag_s=max(known(rows, lambda row: row.lag_s), default=None),
        lag=int(sum(lags)) if lags else None,
        rows_per_s=round(sum(row.rows_per_s for row in rows), 1) if rows else None,
    )


def figures(now: Sample, before: Sequence[Sample]) -> tuple[Figure, ...]:
    """What the page shows in large letters, with its curves."""
    return tuple(
        _figure(name, write, unit, [getattr(one, field) for one in (*before, now)])
        for field, name, write, unit in SHOWN
    )


def _figure(name: str, write: Callable[[float], str], unit: str, values: Sequence[float | None]) -> Figure:
    text = "-" if values[-1] is None else f"{write(values[-1])}{unit}"
    numbers = [value for value in values if value is not None]
    most = f"highest {write(max(numbers))} in {age((len(values) - 1) * EVERY_S)}" if len(numbers) > 1 else ""
    return Figure(name, text, most, tuple(values))


SHOWN: tuple[tuple[str, str, Callable[[float], str], str], ...] = (
    ("lag_s", "Behind", age, ""),
    ("row_age_s", "Newest row", age, " old"),
    ("lag", "Lag", count, " events"),
    ("rows_per_s", "Throughput", count, " rows/s"),
)

"""A metric as a value: name, type, unit and meaning, and how it is read from the tree's status.

Names follow https://prometheus.io/docs/practices/naming/: base units, `_total` for counters, no label that grows with
the data.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from shared.ipc.messages import Histogram
from supervisor.status.model import PartitionStatus, TreeStatus

Kind: TypeAlias = Literal["counter", "gauge", "histogram"]
Unit: TypeAlias = Literal["", "bytes", "events", "partitions", "rows", "seconds"]
Sample: TypeAlias = tuple[tuple[str, ...], float | Histogram]
Read: TypeAlias = Callable[[TreeStatus, float], Iterable[Sample]]

# Of every sample, so that two hubs in one scrape job share no series. `source` is namespace and hub.
GROUP_LABELS = ("source", "consumer_group")


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric, and how its samples (the labels' values, the value) are read from a status at a given time.

    `labels` come after those of `GROUP_LABELS`, which every sample has.
    """

    name: str
    kind: Kind
    unit: Unit
    labels: tuple[str, ...]
    meaning: str
    read: Read


def of_tree(
    name: str, unit: Unit, meaning: str, value: Callable[[TreeStatus], float | None], kind: Kind = "gauge"
) -> Metric:
    """One sample; none where there is no number yet."""

    def read(tree: TreeStatus, _: float) -> Iterator[Sample]:
        if (number := value(tree)) is not None:
            yield (), number

    return Metric(name, kind, unit, (), meaning, read)


def of_partition(
    name: str, unit: Unit, meaning: str, value: Callable[[PartitionStatus], float | None], kind: Kind = "gauge"
) -> Metric:
    """One sample for each partition owned here; none where there is no number yet."""

    def read(tree: TreeStatus, _: float) -> Iterator[Sample]:
        for row in tree.partitions:
            if (number := value(row)) is not None:
                yield (row.partition,), number

    return Metric(name, kind, unit, ("partition",), meaning, read)

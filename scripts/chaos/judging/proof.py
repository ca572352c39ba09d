"""What the table holds against what was published."""

from collections.abc import Mapping, Sequence

from scripts.chaos.judging.broken import InvariantBroken
from scripts.harness.table import PartitionCount, count, foreign_bodies, relation
from scripts.localcloud.snow.admin import SnowAdmin


def prove(snow: SnowAdmin, published: Mapping[str, int], columns: Sequence[str] = ()) -> dict[str, PartitionCount]:
    """Ask the table, where keys may have columns, and judge every partition."""
    table = relation(columns)
    counts = count(snow, table=table)
    for partition, events in published.items():
        require_each_once(partition, events, counts.get(partition, PartitionCount()))
    if rows := foreign_bodies(snow, table):
        raise InvariantBroken("I2", f"{rows} rows have the body of another event")
    return counts


def require_each_once(partition: str, published: int, held: PartitionCount) -> None:
    """I1 and I2: min = 0, max − min + 1 = count = distinct = published."""
    if held.duplicates:
        raise InvariantBroken("I2", f"partition {partition}: {held}")
    if not held.is_whole(published):
        raise InvariantBroken("I1", f"partition {partition}, {published} published: {held}")

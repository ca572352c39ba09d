"""What a run says at its end: faults, partitions, and how the trees ended."""

from collections import Counter
from collections.abc import Mapping

from rich import box
from rich.table import Table

from scripts.chaos.run import Run
from scripts.harness.table import PartitionCount


def faults_table(run: Run) -> Table:
    """Every fault of the mix, and how often it struck."""
    table = _table("fault", "struck", "fired")
    for name, blows in sorted(Counter(blow.fault.name for blow in run.storm.blows).items()):
        fired = sum(blow.fired for blow in run.storm.blows if blow.fault.name == name)
        table.add_row(name, f"{blows}", f"{fired}")
    return table


def counts_table(counts: Mapping[str, PartitionCount]) -> Table:
    """A line for each partition."""
    table = _table("partition", "rows", "distinct", "first", "last")
    for partition, one in sorted(counts.items()):
        table.add_row(partition, *(f"{number:,}" for number in (one.rows, one.distinct, one.first, one.last)))
    return table


def verdict(run: Run, seed: int) -> str:
    """The last line of a run in which everything held."""
    ends = sum((unit.ends for unit in run.scene.units), Counter[int]())
    codes = ", ".join(f"{count} × {code}" for code, count in sorted(ends.items()))
    return (
        f"HELD with seed {seed}: {len(run.strikes)} faults, {run.scene.load.total:,} events, {run.moved:,} of them"
        f" moved under fire, the rest {run.recovered_s:.1f} s after it; trees ended {codes};"
        f" {run.changes['checkpoint']:,} checkpoints and {run.changes['ownership']:,} leases audited"
    )


def _table(first: str, *others: str) -> Table:
    table = Table(box=box.SIMPLE, show_edge=False, pad_edge=False)
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="right")
    return table

"""What a run says at its end: faults, partitions, and how the trees ended."""

from collections import Counter
from collections.abc import Sequence

from rich import box
from rich.table import Table

from scripts.chaos.proof import PartitionProof
from scripts.chaos.run import Run


def faults_table(run: Run) -> Table:
    """Every fault of the mix, and how often it struck."""
    table = _table("fault", "struck", "fired")
    for name, blows in sorted(Counter(blow.fault.name for blow in run.storm.blows).items()):
        fired = sum(blow.fired for blow in run.storm.blows if blow.fault.name == name)
        table.add_row(name, f"{blows}", f"{fired}")
    return table


def proof_table(proofs: Sequence[PartitionProof]) -> Table:
    """A line for each partition."""
    table = _table("partition", "published", "rows", "distinct", "first", "last")
    for one in proofs:
        counts = (one.published, one.rows, one.distinct, one.first, one.last)
        table.add_row(one.partition, *(f"{count:,}" for count in counts))
    return table


def verdict(run: Run, seed: int, proofs: Sequence[PartitionProof]) -> str:
    """The last line of a run in which everything held."""
    ends = sum((unit.ends for unit in run.scene.units), Counter[int]())
    codes = ", ".join(f"{count} × {code}" for code, count in sorted(ends.items()))
    published = sum(one.published for one in proofs)
    return (
        f"HELD with seed {seed}: {len(run.strikes)} faults, {published:,} events, {run.moved:,} of them moved under"
        f" fire, the rest {run.recovered_s:.1f} s after it; trees ended {codes}; {run.changes['checkpoint']:,}"
        f" checkpoints and {run.changes['ownership']:,} leases audited"
    )


def _table(first: str, *others: str) -> Table:
    table = Table(box=box.SIMPLE, show_edge=False, pad_edge=False)
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="right")
    return table

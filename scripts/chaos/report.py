"""What a run says at its end: faults, partitions, and how the trees ended."""

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median

from rich import box
from rich.table import Table

from scripts.chaos.acts.act import Played
from scripts.chaos.acts.storm import Storm
from scripts.chaos.run import Run
from scripts.harness.table import PartitionCount


def faults_table(storm: Storm) -> Table:
    """Every fault of the mix, and how often it struck."""
    table = _table("fault", "struck", "fired")
    for name, blows in sorted(Counter(blow.fault.name for blow in storm.blows).items()):
        fired = sum(blow.fired for blow in storm.blows if blow.fault.name == name)
        table.add_row(name, f"{blows}", f"{fired}")
    return table


def counts_table(counts: Mapping[str, PartitionCount]) -> Table:
    """A line for each partition."""
    table = _table("partition", "rows", "distinct", "first", "last")
    for partition, one in sorted(counts.items()):
        table.add_row(partition, *(f"{number:,}" for number in (one.rows, one.distinct, one.first, one.last)))
    return table


def acts_table(played: Sequence[Played]) -> Table:
    """A line for each act: how long it took, and how long partitions stood still in it."""
    table = _table("act", "took", "pauses", "p50", "longest")
    for act in played:
        pauses_s = act.pauses_s or (0.0,)
        times = (f"{seconds:.1f} s" for seconds in (median(pauses_s), max(pauses_s)))
        table.add_row(act.name, f"{act.took_s:.1f} s", f"{len(act.pauses_s)}", *times)
    return table


def verdict(run: Run, faults: int, seed: int) -> str:
    """The last line of a run in which everything held."""
    ends = sum((unit.ends for unit in run.scene.units), Counter[int]())
    codes = ", ".join(f"{count} × {code}" for code, count in sorted(ends.items()))
    return (
        f"HELD with seed {seed}: {faults} faults, {run.scene.load.total:,} events, {run.moved:,} of them"
        f" moved while faults struck, the rest {run.recovered_s:.1f} s after that; trees ended with {codes};"
        f" {run.changes['checkpoint']:,} checkpoints and {run.changes['ownership']:,} leases audited"
    )


def _table(first: str, *others: str) -> Table:
    table = Table(box=box.SIMPLE, show_edge=False, pad_edge=False)
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="right")
    return table

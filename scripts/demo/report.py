"""The two tables at the end: the proof, and the flights by airline."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from scripts.demo.proof import ContentProof, PartitionProof, Proof


def proof_table(proof: Proof) -> Table:
    """A line for each partition, and their sum."""
    table = _table(show_footer=True)
    table.add_column("partition", "all")
    for name, total in _sums(proof).items():
        table.add_column(name, f"{total:,}" if isinstance(total, int) else total, justify="right")
    table.add_column("", Text("✓", "green") if proof.holds else Text("✗", "bold red"))
    for one in proof.partitions:
        table.add_row(*_cells(one), style="" if one.holds else "red")
    return table


def contents_line(contents: ContentProof, events: int) -> str:
    """What the comparison of the bodies found."""
    if contents.holds:
        return f"Each of the {events:,} bodies is there once, value for value, key included"
    return f"Bodies: {contents.missing:,} missing, {contents.repeated:,} repeated, {contents.altered:,} altered"


def verdict(proof: Proof) -> str:
    """The last line."""
    counts = (
        f"{proof.sent:,} events published, {proof.rows:,} rows, {proof.missing:,} missing,"
        f" {proof.duplicates:,} duplicates"
    )
    if proof.holds:
        return f"PROVED: {counts}"
    bad = ", ".join(one.partition for one in proof.partitions if not one.holds) or "none by number, see the bodies"
    return f"NOT PROVED: {counts}; partitions at fault: {bad}"


def carriers_table(rows: Sequence[tuple[Any, ...]], names: Mapping[str, str]) -> Table:
    """Flights by airline, from rows of (carrier, flights, cancelled, mean delay in minutes)."""
    table = _table()
    table.add_column("airline", no_wrap=True)
    for name in ("flights", "cancelled", "mean departure delay"):
        table.add_column(name, justify="right")
    for carrier, flights, cancelled, delay in rows:
        mean = "-" if delay is None else f"{float(delay):.1f} min"
        table.add_row(names.get(carrier, carrier), f"{flights:,}", f"{cancelled:,}", mean)
    return table


def _table(*, show_footer: bool = False) -> Table:
    return Table(box=box.SIMPLE, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), show_footer=show_footer)


def _sums(proof: Proof) -> dict[str, int | str]:
    ones = proof.partitions
    return {
        "published": sum(one.published for one in ones),
        "rows": proof.rows,
        "distinct": sum(one.held.distinct for one in ones),
        "first": "",
        "last": "",
        "gaps": sum(one.held.gaps for one in ones),
        "duplicates": sum(one.held.duplicates for one in ones),
    }


def _cells(one: PartitionProof) -> list[str | Text]:
    held = one.held
    ends = (f"{end:,}" if held.rows else "-" for end in (held.first, held.last))
    mark = Text("✓", "green") if one.holds else Text("✗", "bold red")
    counts = (f"{number:,}" for number in (one.published, held.rows, held.distinct))
    return [one.partition, *counts, *ends, f"{held.gaps:,}", f"{held.duplicates:,}", mark]

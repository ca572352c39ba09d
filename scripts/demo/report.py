"""The two tables at the end: the proof, and the flights by airline."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from rich import box
from rich.table import Table
from rich.text import Text

from scripts.demo.proof import ContentProof, PartitionProof, Proof

PROOF = ("partition", "published", "rows", "distinct", "first", "last", "gaps", "duplicates", "")
PROOF_WIDTH = 80
NARROW_PROOF = (0, 1, 2, 7, 8)  # the mark at the end stands for the others, too
CARRIERS = ("airline", "flights", "cancelled", "mean departure delay")

Cells: TypeAlias = Sequence[str | Text]


def proof_table(proof: Proof, width: int) -> Table:
    """A line for each partition, and their sum, for a terminal of this width."""
    columns = range(len(PROOF)) if width >= PROOF_WIDTH else NARROW_PROOF
    head, sums, *rows = (
        [cells[column] for column in columns] for cells in (PROOF, _sums(proof), *map(_cells, proof.partitions))
    )
    table = _table(head, [*rows, sums], footer=sums)
    for one, cells in zip(proof.partitions, rows, strict=True):
        table.add_row(*cells, style="" if one.holds else "red")
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
    lines = [
        (
            names.get(carrier, carrier),
            f"{flights:,}",
            f"{cancelled:,}",
            "-" if delay is None else f"{float(delay):.1f} min",
        )
        for carrier, flights, cancelled, delay in rows
    ]
    table = _table(CARRIERS, lines)
    for line in lines:
        table.add_row(*line)
    return table


def _table(head: Cells, rows: Sequence[Cells], footer: Cells = ()) -> Table:
    """A table without its rows. In a narrow terminal the first column and the head are broken, but no figure is."""
    table = Table(box=box.SIMPLE, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), show_footer=bool(footer))
    (name, total, *_), *figures = zip(head, footer or [""] * len(head), *rows, strict=True)
    table.add_column(name, total, overflow="fold")
    for name, total, *cells in figures:
        widest = max(map(len, cells), default=0)
        table.add_column(name, total, justify="right", overflow="fold", min_width=widest)
    return table


def _sums(proof: Proof) -> Cells:
    ones = proof.partitions
    published, distinct = sum(one.published for one in ones), sum(one.held.distinct for one in ones)
    gaps, duplicates = sum(one.held.gaps for one in ones), sum(one.held.duplicates for one in ones)
    counts = (f"{number:,}" for number in (published, proof.rows, distinct))
    return ["all", *counts, "", "", f"{gaps:,}", f"{duplicates:,}", _mark(holds=proof.holds)]


def _cells(one: PartitionProof) -> Cells:
    held = one.held
    ends = (f"{end:,}" if held.rows else "-" for end in (held.first, held.last))
    counts = (f"{number:,}" for number in (one.published, held.rows, held.distinct))
    return [one.partition, *counts, *ends, f"{held.gaps:,}", f"{held.duplicates:,}", _mark(holds=one.holds)]


def _mark(*, holds: bool) -> Text:
    return Text("✓", "green") if holds else Text("✗", "bold red")

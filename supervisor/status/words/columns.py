"""Columns of the tables that people see: which of them fit, and how a value is written in a cell."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from shared.log.printable import printable

GAP = 2  # characters between two columns

Shown = TypeVar("Shown")


@dataclass(frozen=True, slots=True)
class Column(Generic[Shown]):
    """A column: its heading, its alignment, the text of a cell, and how early it is left out: 0 is never.

    `field` names the attribute that it shows, where the rows may be sorted by it.
    """

    name: str
    justify: Literal["left", "right"]
    cell: Callable[[Shown], str]
    rank: int = 0
    field: str = ""

    def width(self, rows: Sequence[Shown]) -> int:
        """Characters of its widest cell."""
        return max(len(self.name), *(len(printable(self.cell(row))) for row in rows)) if rows else len(self.name)


def fitting(columns: Sequence[Column[Shown]], rows: Sequence[Shown], width: int | None) -> list[Column[Shown]]:
    """The columns that fit into `width` (None: all do), without those of the highest ranks."""
    kept = list(columns)
    widths = {column.name: column.width(rows) for column in columns}
    while width is not None and sum(widths[column.name] + GAP for column in kept) - GAP > width:
        least = max(kept, key=lambda column: column.rank)
        if least.rank == 0:
            break
        kept.remove(least)
    return kept


# --- cells ------------------------------------------------------------------------------------------------------------


def number(value: int | None) -> str:
    """As it is, to be copied."""
    return "-" if value is None else str(value)


def count(value: float | None) -> str:
    """A number of things, to be compared: with separators."""
    return "-" if value is None else f"{value:,.0f}"


def span(first: int | None, last: int | None) -> str:
    """A range of sequence numbers."""
    return "-" if first is None or last is None else f"{first}-{last}"


def mib(size_bytes: int) -> str:
    """A size of memory."""
    return f"{size_bytes / 1024 / 1024:.0f} MiB"


def age(seconds: float | None) -> str:
    """A time span in its two largest units."""
    if seconds is None:
        return "-"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, hours, days = int(seconds // 60), int(seconds // 3600), int(seconds // 86400)
    if hours < 1:
        return f"{minutes} min"
    return f"{hours} h {minutes % 60} min" if days < 1 else f"{days} d {hours % 24} h"


def left(seconds: float | None) -> str:
    """How long until something happens."""
    return "begins now" if seconds == 0 else "-" if seconds is None else f"in {age(seconds)}"

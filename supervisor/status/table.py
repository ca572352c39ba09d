"""Tables that never cut a number: where not all columns fit, the least important ones are left out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from shared.log.printable import printable

GAP = 2  # characters between two columns

Shown = TypeVar("Shown")


@dataclass(frozen=True, slots=True)
class Column(Generic[Shown]):
    """A column: its heading, its alignment, the text of a cell, and how early it is left out: 0 is never."""

    name: str
    justify: Literal["left", "right"]
    cell: Callable[[Shown], str]
    rank: int = 0

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


def table(columns: Sequence[Column[Shown]], rows: Sequence[Shown]) -> Table:
    """The columns for these rows. On a terminal that is too narrow even for them, a cell goes on in the next line."""
    made = Table(box=None, pad_edge=False, header_style="bold", padding=(0, GAP, 0, 0))
    for column in columns:
        made.add_column(column.name, justify=column.justify, overflow="fold")
    for row in rows:
        made.add_row(*(Text(printable(column.cell(row))) for column in columns))
    return made


def fitted(
    columns: Sequence[Column[Shown]],
    rows: Sequence[Shown],
    width: int | None,
    lines: int | None,
    sum_up: Callable[[Sequence[Shown]], str],
) -> list[RenderableType]:
    """A table of so many lines at most. `sum_up` says in one of them what the rows have in common that are not shown.

    How wide a column is hangs on all rows, or it would jump while rows come and go.
    """
    kept = fitting(columns, rows, width)
    if lines is None or len(rows) < lines:
        return [table(kept, rows)]
    shown, rest = rows[: lines - 2], rows[lines - 2 :]
    hint = " (`| cat` shows them)"
    text = sum_up(rest)
    return [table(kept, shown), Text(text + hint if width and len(text + hint) <= width else text, "dim")]


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

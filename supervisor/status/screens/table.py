"""Tables that never cut a number: where not all columns fit, the least important ones are left out."""

from collections.abc import Callable, Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from shared.log.printable import printable
from supervisor.status.words.columns import GAP, Column, Shown, fitting


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
    shown, rest = rows[: lines - 2], rows[lines - 2 :]  # without the line of the headings, and that of the sum
    hint = " (`| cat` shows them)"
    text = sum_up(rest)
    return [table(kept, shown), Text(text + hint if width and len(text + hint) <= width else text, "dim")]

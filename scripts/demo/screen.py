"""What the demo shows: headings, ticks, and a live picture of the bars above the screen of `evsup status`.

Where the output is no terminal (CI, a pipe), the live picture becomes a plain line now and then.
"""

import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from supervisor.status.model import TreeStatus
from supervisor.status.screens.status import tree_screen

INDENT = 3
BAR_WIDTH = 40
LEAST_WIDTH = 20  # of a quotation; a terminal may say that it has no columns
PLAIN_PERIOD_S = 2.0
SPINS_PER_S = 12.5  # as the spinner is drawn


@dataclass(frozen=True)
class Progress:
    """One look at the move. `rows` are counted in the table, `tree` is what evsup says (None: it does not run)."""

    total: int
    published: int
    rows: int
    tree: TreeStatus | None


class View:
    """Shows one `Progress` after the other; the last one stays."""

    def __init__(self, console: Console, live: Live | None) -> None:
        self._console, self._live = console, live
        self._shown_s = 0.0
        self._last: Progress | None = None

    def show(self, progress: Progress) -> None:
        """Show it in place of the one before."""
        self._last = progress
        if self._live:
            self._live.update(_picture(progress, self._console.width), refresh=True)
        elif time.monotonic() >= self._shown_s + PLAIN_PERIOD_S:
            self._shown_s = time.monotonic()
            self._console.print(Padding(_line(progress), (0, 0, 0, INDENT), expand=False))

    def close(self) -> None:
        """Leave the whole picture of the end, also where no terminal is."""
        if self._live is None and self._last:
            self._console.print(_picture(self._last, self._console.width))


class Screen:
    """The output from top to bottom."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False)
        self._act = 0

    def title(self, title: str, text: str) -> None:
        """Begin: what this is."""
        self.console.print(f"\n[bold]{title}[/bold]\n")
        self.note(text)

    def act(self, title: str, command: str = "") -> None:
        """Begin the next act, with what a user would type."""
        self._act += 1
        self.console.print(f"\n[bold]{self._act}. {title}[/bold]\n")
        if command:
            self._indented(Text.assemble(("$ ", "dim"), (command, "cyan")))

    def done(self, text: str) -> None:
        """Something went as it should."""
        self._marked("✓", "green", text)

    def failed(self, text: str) -> None:
        """Something did not."""
        self._marked("✗", "bold red", text)

    def note(self, text: str) -> None:
        """Something on the side."""
        self._indented(Text(text, style="dim"))

    def quote(self, text: str) -> None:
        """A quotation of evsup."""
        width = max(LEAST_WIDTH, self.console.width - INDENT - 4)
        lines = [line for long in text.splitlines() for line in textwrap.wrap(long, width, break_on_hyphens=False)]
        for line in lines:
            self._indented(Text.assemble(("  │ ", "dim"), line))

    def show(self, what: RenderableType) -> None:
        """Anything else, such as a table."""
        self._indented(what)
        self.gap()

    def gap(self) -> None:
        """An empty line."""
        self.console.print()

    @contextmanager
    def waiting(self, text: str) -> Iterator[None]:
        """A spinner while something short is waited for; nothing where no terminal is."""
        if not self.console.is_terminal:
            yield
            return
        spinner = Padding(Spinner("dots", Text(text, "dim")), (0, 0, 0, INDENT))
        with Live(spinner, console=self.console, transient=True, refresh_per_second=SPINS_PER_S):
            yield

    @contextmanager
    def live(self) -> Iterator[View]:
        """The live picture."""
        self.gap()
        if not self.console.is_terminal:
            view = View(self.console, None)
            yield view
            view.close()
        else:
            with Live(console=self.console, auto_refresh=False) as live:
                yield View(self.console, live)
        self.gap()

    def _marked(self, mark: str, style: str, text: str) -> None:
        grid = Table.grid(padding=(0, 1, 0, 0))
        grid.add_row(Text(mark, style), Text(text))
        self._indented(grid)

    def _indented(self, what: RenderableType) -> None:
        self.console.print(Padding(what, (0, 0, 0, INDENT), expand=False))


def _picture(progress: Progress, width: int) -> RenderableType:
    parts: list[RenderableType] = [_bars(progress)]
    if progress.tree:
        prompt = Text.assemble("\n", ("$ ", "dim"), ("evsup status", "cyan"))
        parts += [prompt, tree_screen(progress.tree, width - INDENT)]
    return Padding(Group(*parts), (0, 0, 0, INDENT), expand=False)


def _bars(progress: Progress) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    for name, count in (("published", progress.published), ("in the table", progress.rows)):
        bar = ProgressBar(total=progress.total, completed=count, width=BAR_WIDTH)
        grid.add_row(name, bar, f"{count:,} of {progress.total:,}")
    return grid


def _line(progress: Progress) -> str:
    tree = progress.tree
    running = sum(one.state == "running" for one in tree.partitions) if tree else 0
    return f"{progress.rows:,} rows of {progress.published:,} published events; {running} workers run"

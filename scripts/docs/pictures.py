"""Draw the pictures of the README from a run of the demo, which takes a minute or two.

`demo.svg` is what `make demo` prints from the kill of a worker to the proof. `status.svg` is what `evsup status
--watch` shows at that time. Both are the output of this run, and only the name of the host is another one.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import structs
from rich.console import Console
from rich.text import Text

from scripts.command_line import Parser, run
from scripts.demo.__main__ import main as play_demo
from scripts.demo.screen import Progress, Screen, View
from scripts.docs.generated import ROOT
from scripts.docs.terminal import svg
from supervisor.status.screens.status import tree_screen

if TYPE_CHECKING:
    from supervisor.status.model import TreeStatus

FOLDER = ROOT / "docs" / "pictures"
WIDTH = 100
HOST = "loader-1"
FIRST, FIRST_UNSEEN, LAST = "Kill a worker", "Ask the table", "It took"


def recorder() -> Console:
    """A console that remembers what it prints, for `svg`, and prints it nowhere."""
    return Console(record=True, width=WIDTH, file=StringIO(), highlight=False)


class Look(View):
    """The live picture, of which only the end is printed."""

    def __init__(self, console: Console) -> None:
        super().__init__(console, None)
        self.trees: list[TreeStatus] = []

    def show(self, progress: Progress) -> None:
        """Remember it."""
        if progress.tree:
            self.trees.append(structs.replace(progress.tree, host=HOST))
            progress = replace(progress, tree=self.trees[-1])
        self._last = progress


class Recording(Screen):
    """Records the acts of the picture, and every status on the way."""

    def __init__(self) -> None:
        super().__init__(recorder())
        self.pictured = recorder()
        self._unseen = self.console
        self.trees: list[TreeStatus] = []

    def act(self, title: str, command: str = "") -> None:
        """Begin the next act, in the picture or beside it."""
        if title.startswith(FIRST):
            self.console = self.pictured
        elif title.startswith(FIRST_UNSEEN):
            self.console = self._unseen
        super().act(title, command)

    def note(self, text: str) -> None:
        """The last note comes before the verdict, which is in the picture."""
        if text.startswith(LAST):
            self.console = self.pictured
        super().note(text)

    @contextmanager
    def live(self) -> Iterator[View]:
        """The end of the live picture, as a terminal keeps it."""
        look = Look(self.console)
        yield look
        self.gap()
        look.close()
        self.gap()
        self.trees += look.trees


def main(folder: Path = FOLDER) -> int:
    """Play the demo and draw; the demo's exit code."""
    Parser("scripts.docs.pictures", __doc__).parse_args()
    recording = Recording()
    code = play_demo(recording)
    if code == 0:
        watch = recorder()
        watch.print(Text.assemble(("$ ", "dim"), ("evsup status --watch", "cyan")))
        watch.print(tree_screen(max(recording.trees, key=_busy), WIDTH))
        folder.mkdir(exist_ok=True)
        (folder / "demo.svg").write_text(svg(recording.pictured, "make demo: a worker is killed, every event is there"))
        (folder / "status.svg").write_text(svg(watch, "evsup status --watch"))
    else:
        print(recording.pictured.export_text() or recording.console.export_text(), file=sys.stderr)
    return code


def _busy(tree: "TreeStatus") -> tuple[int, int]:
    """How much there is to see of a tree: partitions of which a commit is known, then rows in flight."""
    rows = tree.partitions
    return sum(row.commit_age_s is not None for row in rows), sum(row.rows_inflight for row in rows)


if __name__ == "__main__":
    run(main)

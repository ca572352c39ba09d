"""How commands write their results on standard output."""

import re
import sys
from shutil import get_terminal_size
from typing import IO, TYPE_CHECKING, cast

import click

from supervisor.json_text import encoded

if TYPE_CHECKING:
    from rich.console import Console

WIDE = 10_000  # characters a line where no terminal is: every column fits, and no sentence is broken
_PADDING = re.compile(" +$", re.MULTILINE)


def console() -> "Console":
    """A console on standard output. A pipe has no width, and tables cut at 80 columns are of no use to a script."""
    from rich.console import Console  # here, because JSON and lines need none

    return Console() if sys.stdout.isatty() else Console(width=WIDE, file=cast("IO[str]", _Unpadded()))


class _Unpadded:
    """Standard output, without the spaces with which tables fill their lines."""

    encoding = property(lambda _: sys.stdout.encoding)

    def write(self, text: str) -> int:
        return sys.stdout.write(_PADDING.sub("", text))

    def flush(self) -> None:
        sys.stdout.flush()

    def isatty(self) -> bool:
        return False


def terminal_width() -> int | None:
    """Characters in a line of the terminal on standard output; None where there is none."""
    return get_terminal_size().columns if sys.stdout.isatty() else None


def print_json(document: object) -> None:
    """Write one JSON document."""
    click.echo(encoded(document).decode())

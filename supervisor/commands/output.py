"""How commands write their results on standard output."""

import sys
from shutil import get_terminal_size
from typing import TYPE_CHECKING

import click

from supervisor.json_text import encoded

if TYPE_CHECKING:
    from rich.console import Console

WIDE = 240  # characters a line where no terminal is: every column fits


def console() -> "Console":
    """A console on standard output. A pipe has no width, and tables cut at 80 columns are of no use to a script."""
    from rich.console import Console  # here, because JSON and lines need none

    return Console() if sys.stdout.isatty() else Console(width=WIDE)


def terminal_width() -> int | None:
    """Characters in a line of the terminal on standard output; None where there is none."""
    return get_terminal_size().columns if sys.stdout.isatty() else None


def print_json(document: object) -> None:
    """Write one JSON document."""
    click.echo(encoded(document).decode())

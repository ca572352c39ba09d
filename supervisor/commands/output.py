"""How commands write their results on standard output."""

import sys

import click
import msgspec
from rich.console import Console

from supervisor.status.screen import WIDE


def console() -> Console:
    """A console on standard output. A pipe has no width, and tables cut at 80 columns are of no use to a script."""
    return Console() if sys.stdout.isatty() else Console(width=2 * WIDE)


def print_json(document: object) -> None:
    """Write one JSON document."""
    click.echo(msgspec.json.encode(document).decode())

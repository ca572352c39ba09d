"""`evsup config`: the effective settings and where each came from."""

import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from shared.config.environment import DEFAULT, Loaded, load
from shared.config.variables import VARIABLES, Variable, as_text, shown
from supervisor.commands import shared_options
from supervisor.version import JSON_VERSION

if TYPE_CHECKING:
    from rich.table import Table

NOT_SET = "-"
WIDEST_SOURCE = 16  # columns; a longer path of a .env file continues in the next line


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document: settings and warnings.")
@shared_options.env_file
def config(*, as_json: bool, env_file: Path | None) -> None:
    """Show the effective settings and their sources.

    Secrets are masked. Exits with 78, and reports every fault at once, when they cannot be used.
    """
    loaded = load(env_file)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(document(loaded)), indent=2))
    elif sys.stdout.isatty():
        from rich.console import Console  # here, because JSON and lines need none

        console = Console()
        for table in tables(loaded):
            console.print(table)
            console.print()
    else:
        click.echo("\n".join(lines(loaded)))
    if not as_json:
        for warning in loaded.warnings:
            click.echo(f"evsup: warning: {warning}", err=True)


class EffectiveSetting(msgspec.Struct, frozen=True, kw_only=True):
    """One setting, by the name of its variable."""

    value: str | int | float | bool | dict[str, Any] | None
    """Typed; a secret is `***`, unset is null."""
    source: str
    """`environment`, `default`, an option of the command line, or the path of the settings file."""


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """What `evsup config --json` prints."""

    version: int = JSON_VERSION
    """Of the document."""
    settings: dict[str, EffectiveSetting]
    """By variable."""
    warnings: tuple[str, ...]
    """What is allowed and probably a mistake."""


def document(loaded: Loaded) -> Configuration:
    """The settings with their sources."""
    settings = {
        name: EffectiveSetting(value=shown(variable.of(loaded.settings)), source=loaded.sources[name])
        for name, variable in VARIABLES.items()
    }
    return Configuration(settings=settings, warnings=tuple(loaded.warnings))


def lines(loaded: Loaded) -> Iterator[str]:
    """Plain text in columns, for pipes and files: variable, source and, because it may be long, the value last."""
    width = max(map(len, VARIABLES))
    source_width = max(map(len, loaded.sources.values()))
    for name, variable in VARIABLES.items():
        yield f"{name:{width}}  {loaded.sources[name]:{source_width}}  {_value(variable, loaded)}"


def tables(loaded: Loaded) -> "Iterator[Table]":
    """One table for each section, for a terminal, with the columns of `lines`. Defaults are dim."""
    from rich.table import Table
    from rich.text import Text

    width = max(map(len, VARIABLES))
    source_width = max(map(len, loaded.sources.values()))
    for title, variables in groupby(VARIABLES.values(), key=lambda variable: variable.title):
        table = Table(title=title, title_justify="left", title_style="bold underline", box=None, show_header=False)
        table.add_column(min_width=width, no_wrap=True)
        table.add_column(min_width=min(source_width, WIDEST_SOURCE), max_width=WIDEST_SOURCE, overflow="fold")
        table.add_column(overflow="fold")
        for variable in variables:
            source = loaded.sources[variable.name]
            style = "dim" if source == DEFAULT else "bold"
            table.add_row(variable.name, Text(source, style), Text(_value(variable, loaded), style))
        yield table


def _value(variable: Variable, loaded: Loaded) -> str:
    return as_text(shown(variable.of(loaded.settings))) or NOT_SET

"""`evsup config`: the effective settings and where each came from."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from shared.config.environment import DEFAULT, Loaded, load
from shared.config.variables import VARIABLES, Variable, as_text, shown
from supervisor.commands import shared_options
from supervisor.commands.command import Command
from supervisor.json_text import encoded
from supervisor.version import JSON_VERSION

if TYPE_CHECKING:
    from rich.text import Text

NOT_SET = "-"
WIDEST_SOURCE = 16  # columns; a longer path of a .env file continues in the next line
OWN_LINE = "     "  # before a value that has a line of its own


@click.command(
    cls=Command,
    page="docs/settings.md",
    examples={
        "evsup config": "Every setting of ./.env, the environment and the defaults.",
        "evsup config --changed": "Only those that differ from their defaults.",
        "evsup config --env-file /etc/evsup/flights.env": "Those of another file.",
        "evsup config --json": "For scripts; docs/json.md has the fields.",
    },
)
@click.option("--changed", is_flag=True, help="Only settings that differ from their defaults.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document: settings and warnings.")
@shared_options.env_file
def config(*, changed: bool, as_json: bool, env_file: Path | None) -> None:
    """Show the effective settings and their sources.

    Secrets are masked. Exits with 78, and reports every fault at once, when they cannot be used.
    """
    loaded = load(env_file)
    shown_ones = [each for each in VARIABLES.values() if not changed or is_changed(each, loaded)]
    if as_json:
        click.echo(msgspec.json.format(encoded(document(loaded, shown_ones)), indent=2))
    elif sys.stdout.isatty():
        from rich.console import Console  # here, because JSON and lines need none

        console = Console()
        for section in sections(loaded, shown_ones, console.width):
            console.print(section)
    else:
        click.echo("\n".join(lines(loaded, shown_ones)))
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
    """By variable. With `--changed` only those that differ from their defaults."""
    warnings: tuple[str, ...]
    """What is allowed and probably a mistake."""


def is_changed(variable: Variable, loaded: Loaded) -> bool:
    """Whether it differs from its default; one that has none always does."""
    return variable.required or variable.of(loaded.settings) != variable.default


def document(loaded: Loaded, variables: Sequence[Variable]) -> Configuration:
    """The settings with their sources."""
    settings = {
        each.name: EffectiveSetting(value=shown(each.of(loaded.settings)), source=loaded.sources[each.name])
        for each in variables
    }
    return Configuration(settings=settings, warnings=tuple(loaded.warnings))


def lines(loaded: Loaded, variables: Sequence[Variable]) -> Iterator[str]:
    """Plain text in columns, for pipes and files: variable, source and, because it may be long, the value last."""
    width = _widest(each.name for each in variables)
    source_width = _widest(loaded.sources[each.name] for each in variables)
    for each in variables:
        yield f"{each.name:{width}}  {loaded.sources[each.name]:{source_width}}  {_value(each, loaded)}"


def sections(loaded: Loaded, variables: Sequence[Variable], width: int) -> "Iterator[Text]":
    """The settings for a terminal, by section, with the columns of `lines`. Defaults are dim.

    A value that does not fit in its line has one of its own, so that a path is not taken to pieces.
    """
    from rich.text import Text

    name_width = _widest(each.name for each in variables)
    source_width = min(_widest(loaded.sources[each.name] for each in variables), WIDEST_SOURCE)
    for title, members in groupby(variables, key=lambda variable: variable.title):
        section = Text().append(f"{title}\n", "bold underline")  # a style of the whole would go on to the end
        for each in members:
            head = f" {each.name:{name_width}}  {loaded.sources[each.name]:{source_width}}  "
            value, style = _value(each, loaded), "dim" if loaded.sources[each.name] == DEFAULT else "bold"
            if len(head) + len(value) > width:
                head, value = f" {each.name}  {loaded.sources[each.name]}", f"\n{OWN_LINE}{value}"
            section.append(f"{head}{value}\n", style)
        yield section


def _value(variable: Variable, loaded: Loaded) -> str:
    return as_text(shown(variable.of(loaded.settings))) or NOT_SET


def _widest(texts: Iterable[str]) -> int:
    return max(map(len, texts))

"""Options that several commands share, and options that messages repeat."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from shared import command_line

Command = TypeVar("Command", bound=Callable[..., Any])


def repeated(*names: str, **attributes: Any) -> Callable[[Command], Command]:
    """An option that names the configuration: a command in a message repeats it (`shared.command_line`)."""
    return click.option(*names, callback=_remember, **attributes)


def _remember(context: click.Context, option: click.Parameter, value: object) -> object:
    command_line.remember(context.command_path.partition(" ")[2], option.opts[0], value)
    return value


env_file = repeated(
    "--env-file", type=click.Path(path_type=Path), metavar="F", help="Read this settings file instead of ./.env."
)

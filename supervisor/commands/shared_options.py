"""Options that several commands share, options that messages repeat, and what may be typed as a value."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from click.types import IntParamType, StringParamType

from shared import command_line
from shared.config.variables import VARIABLES

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


class OfSetting(StringParamType):
    """The value of an option that stands for a setting: it takes what the setting takes."""

    def __init__(self, variable: str) -> None:
        self.name, self._variable = variable, VARIABLES[variable]

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The typed value. Fails with what the setting allows."""
        try:
            return self._variable.parse(str(value))
        except ValueError as error:
            self.fail(f"'{value}' {error}, like {self.name}", param, ctx)


class WholeNumber(IntParamType):
    """A whole number from `least` to `most`, both included; None: without an end."""

    name = "number"

    def __init__(self, least: int, most: int | None = None) -> None:
        self._least, self._most = least, most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number. Fails with what is allowed."""
        try:
            number = int(value)
        except ValueError:
            number = self._least - 1
        if number < self._least or (self._most is not None and number > self._most):
            end = " up" if self._most is None else f" to {self._most}"
            self.fail(f"'{value}' must be a whole number from {self._least}{end}", param, ctx)
        return number

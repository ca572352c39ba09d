"""What is wrong with a command line, in one sentence: the option, what was typed, and what is allowed."""

import click

from supervisor.commands.command import NoCommand, UnknownCommand


def sentence(error: click.UsageError) -> str:
    """What is wrong, and where the help is. Of a group that was called without a command it is the help."""
    if isinstance(error, NoCommand):
        return error.message
    command = error.ctx.command_path if error.ctx else "evsup"
    return f"evsup: {_problem(error, command).rstrip('.')}.{_question(error)} See {command} --help."


def _problem(error: click.UsageError, command: str) -> str:
    match error:
        case UnknownCommand():
            return error.message
        case click.NoSuchOption():
            return f"{command} has no option {error.option_name}"
        case click.MissingParameter(param=click.Option() as option):
            return f"{command} needs {option.opts[0]} {option.metavar}"
        case click.BadParameter(param=click.Option() as option):
            return f"{option.opts[0]} {error.message}"
    return error.format_message()


def _question(error: click.UsageError) -> str:
    match error:
        case UnknownCommand(meant=[_, *_] as meant) | click.NoSuchOption(possibilities=[_, *_] as meant):
            return f" Did you mean {' or '.join(meant)}?"
    return ""

"""The command line: one module for each command, and one place where errors become exit codes."""

import sys
from importlib import import_module
from io import StringIO
from typing import Any

import click

from shared.errors import EvsupError, ExitCode
from shared.limits import limit_error
from shared.log import logger
from shared.log.secret import mask
from supervisor import standard_streams

COMMANDS = ("start", "status", "init", "check", "verify", "checkpoints", "replay", "config")


class Commands(click.Group):
    """The commands. Each is imported when it is called, because `evsup status` must not load the SDKs.

    https://click.palletsprojects.com/en/stable/complex/#lazily-loading-subcommands
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which users need them."""
        del ctx  # click's signature
        return list(COMMANDS)

    def invoke(self, ctx: click.Context) -> Any:
        """Click takes every EPIPE, also one of a database's socket, for a closed stdout and exits with 1 silently."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise RuntimeError(str(error)) from error

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command `name` in the module `supervisor.commands.<name>`."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"supervisor.commands.{cmd_name}"), cmd_name)
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="evsup", prog_name="evsup")
def evsup() -> None:
    """Move Azure Event Hubs events into Snowflake, each one once.

    Settings come from the environment and a .env file; `evsup config` shows them. Exit codes follow sysexits(3):
    0 drained, 64 usage, 65 data refused, 69 unavailable, 70 bug, 75 try again, 77 not permitted, 78 configuration.
    """


def main() -> None:
    """Run the command line. Each `EvsupError` becomes one message on stderr and its exit code."""
    standard_streams.install()
    logger.begin("warning", libraries="error")  # libraries raise what fails; their retries are no news
    sys.exit(_exit_code())


def _exit_code() -> int:
    try:
        code = _run()
        sys.stdout.flush()
    except click.UsageError as error:
        refusal = StringIO()
        error.show(refusal)
        click.echo(mask(refusal.getvalue()), err=True, nl=False)  # it quotes what was typed, which may be a secret
        return ExitCode.USAGE
    except (click.Abort, KeyboardInterrupt):
        return ExitCode.TEMPORARY
    except EvsupError as error:
        logger.final_line(f"evsup: {error}")
        return error.exit_code
    except BaseException as error:  # noqa: BLE001 (nobody above reports it; a panic in Rust is not an Exception)
        logger.get_logger().error("supervisor_crashed", exc_info=error)
        if limit := limit_error(error, "evsup cannot go on"):
            logger.final_line(f"evsup: {limit}")
            return limit.exit_code
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        logger.final_line(f"evsup: this is a bug of evsup: {reason}. Please report the log above.")
        return ExitCode.BUG
    return code


def _run() -> int:
    """The exit code of a command that raised nothing."""
    try:
        return int(evsup.main(standalone_mode=False) or 0)
    except SystemExit as leaving:
        return int(leaving.code or 0)

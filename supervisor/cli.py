"""The command line: one file a command, one place where errors become exit codes."""

import os
import sys
from importlib import import_module

import click

from shared import log
from shared.errors import EvsupError, ExitCode
from shared.secret import mask
from supervisor.version import VERSION

COMMANDS = ("start", "status", "init", "check", "verify", "checkpoints", "replay", "config")


class Commands(click.Group):
    """The commands, each imported when it is called: `evsup status` has no use for the SDKs.

    https://click.palletsprojects.com/en/stable/complex/#lazily-loading-subcommands
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which people meet them."""
        del ctx  # click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """`supervisor.commands.<name>` has a command of the same name."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"supervisor.commands.{cmd_name}"), cmd_name)
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(VERSION, prog_name="evsup")
def evsup() -> None:
    """Move Azure Event Hubs events into Snowflake, each one once.

    Settings come from the environment and a .env file; `evsup config` shows them. Exit codes follow sysexits(3):
    0 drained, 64 usage, 65 data refused, 69 unavailable, 70 bug, 75 try again, 77 not permitted, 78 configuration.
    """


def main() -> None:
    """Run the command line; every error of ours ends in one message on stderr and its exit code."""
    try:
        code = evsup.main(standalone_mode=False)
    except click.UsageError as error:
        error.show()
        code = ExitCode.USAGE
    except click.Abort:
        code = ExitCode.TEMPORARY
    except EvsupError as error:
        log.last_word(f"evsup: {error}")
        code = error.exit_code
    except BrokenPipeError:  # `| head` closed our stdout: nobody is left to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = ExitCode.OK
    except Exception as error:  # noqa: BLE001 (the last place where it can be said)
        log.get_logger().error("supervisor_crashed", exc_info=error)
        reason = f"{type(error).__name__}: {mask(str(error))}"
        log.last_word(f"evsup: this is a bug of evsup: {reason}. Please report the log above.")
        code = ExitCode.BUG
    sys.exit(int(code or 0))

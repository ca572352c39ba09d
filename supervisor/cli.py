"""The command line: one file a command, one place where errors become exit codes."""

import os
import sys

import click

from shared import log
from shared.errors import EvsupError, ExitCode
from shared.secret import mask
from supervisor.commands.config import config
from supervisor.commands.init import init
from supervisor.commands.start import start
from supervisor.commands.status import status
from supervisor.version import VERSION


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(VERSION, prog_name="evsup")
def evsup() -> None:
    """Move Azure Event Hubs events into Snowflake, each one once.

    Settings come from the environment and a .env file; `evsup config` shows them. Exit codes follow sysexits(3):
    0 drained, 64 usage, 65 data refused, 69 unavailable, 70 bug, 75 try again, 77 not permitted, 78 configuration.
    """


for command in (start, status, init, config):
    evsup.add_command(command)


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
        _say(f"evsup: {error}")
        code = error.exit_code
    except BrokenPipeError:  # `| head` closed our stdout: nobody is left to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = ExitCode.OK
    except Exception as error:  # noqa: BLE001 (the last place where it can be said)
        log.get_logger().error("supervisor_crashed", exc_info=error)
        _say(f"evsup: this is a bug of evsup: {type(error).__name__}: {mask(str(error))}. Please report the log above.")
        code = ExitCode.BUG
    sys.exit(int(code or 0))


def _say(text: str) -> None:
    log.relay(text)  # behind all that was logged: the reason is the last line
    log.flush()

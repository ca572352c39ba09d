"""The command line: one module for each command, and one place where errors become exit codes."""

import os
import sys
from contextlib import suppress
from importlib import import_module
from typing import Any

import click

from shared.errors import EvsupError, ExitCode
from shared.limits import limit_error
from shared.log import logger
from shared.log.line import takes_colour
from supervisor import standard_streams
from supervisor.commands import usage
from supervisor.commands.command import Entry, Group

_HERE = "supervisor.commands."
COMPLETES = "_EVSUP_COMPLETE"  # set while a shell asks
_COLOUR = None if takes_colour(os.environ) else False  # None: as the terminal is. Click does not look by itself.
SECTIONS = {
    "Set up": {
        "config": Entry(f"{_HERE}config:config", "Show the effective settings and where each came from."),
        "init": Entry(f"{_HERE}init:init", "Create the control tables, the target table and its views."),
        "check": Entry(f"{_HERE}check:check", "Check everything that a start needs, and change nothing."),
    },
    "Run": {
        "start": Entry(f"{_HERE}start:start", "Claim partitions and run a worker process for each."),
        "status": Entry(f"{_HERE}status:status", "Show the running tree, or the whole consumer group."),
    },
    "Prove": {
        "verify": Entry(f"{_HERE}verify:verify", "Prove that each event is in the table once."),
    },
    "Mend": {
        "checkpoints": Entry(
            f"{_HERE}checkpoints:checkpoints", "Show or move the position of a partition.", is_group=True
        ),
        "replay": Entry(f"{_HERE}replay:replay", "Read events again into a side table."),
    },
}


class Evsup(Group):
    """The whole command line."""

    def invoke(self, ctx: click.Context) -> Any:
        """Click takes every EPIPE, also one of a database's socket, for a closed stdout and exits with 1 silently."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise RuntimeError(str(error)) from error


@click.group(
    cls=Evsup,
    sections=SECTIONS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100, "color": _COLOUR},
    page="docs/README.md; how a shell completes commands: docs/operations.md#shell-completion",
    examples={
        "evsup config": "Are the settings right?",
        "evsup init --target": "Make the tables.",
        "evsup check": "Would a start work?",
        "evsup start": "Move events until Ctrl-C.",
    },
)
@click.version_option(package_name="evsup", prog_name="evsup")
def evsup() -> None:
    """Move Azure Event Hubs events into Snowflake, each one once.

    Settings come from the environment and a .env file; `evsup config` shows them. Exit codes follow sysexits(3):
    0 drained, 64 usage, 65 data refused, 69 unavailable, 70 bug, 75 try again, 77 not permitted, 78 configuration.
    """


def main() -> None:
    """Run the command line. Each `EvsupError` becomes one message on stderr and its exit code."""
    standard_streams.install()
    _begin_log()
    code = _exit_code()
    with suppress(EvsupError, OSError):  # what cannot be written has been said, or cannot be said
        sys.stdout.flush()
    sys.stderr.flush()
    logger.flush()
    # Python would wait for threads of libraries, and they for services that may never answer.
    os._exit(code)


def _begin_log() -> None:
    try:
        logger.begin("warning", libraries="error")  # libraries raise what fails; their retries are no news
    except RuntimeError as error:  # there is no thread for it, so nothing else can be logged
        if limit := limit_error(error, "evsup cannot begin"):
            print(f"evsup: {limit}", file=sys.stderr, flush=True)
            os._exit(limit.exit_code)
        raise


def _exit_code() -> int:
    try:
        code = _run()
        sys.stdout.flush()
    except click.UsageError as error:
        logger.final_line(usage.sentence(error))
        return ExitCode.USAGE
    except (click.Abort, KeyboardInterrupt):
        logger.flush()
        os._exit(ExitCode.TEMPORARY)  # what is left for stdout would wait for its reader
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
    if COMPLETES in os.environ:
        import_module(f"{_HERE}completion")
    try:
        return int(evsup.main(standalone_mode=False) or 0)
    except SystemExit as leaving:
        return int(leaving.code or 0)

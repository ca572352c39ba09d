"""`evsup check`: whether a start would work. Nothing is changed."""

import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from shared.command_line import complete
from shared.log.printable import printable
from supervisor.check.checks import StartChecks
from supervisor.check.runner import CheckResult, exit_code, run_all
from supervisor.commands import shared_options
from supervisor.commands.output import print_json
from supervisor.commands.progress import Progress
from supervisor.version import JSON_VERSION

NAME_WIDTH = 16
COLOURS = {"ok": "green", "warn": "yellow", "fail": "red", "skipped": "bright_black"}


class Checks(msgspec.Struct, frozen=True, kw_only=True):
    """What `evsup check --json` prints."""

    version: int = JSON_VERSION
    """Of the document."""
    exit_code: int
    """That of the first check that failed; 0: none did."""
    checks: tuple[CheckResult, ...]
    """In the order in which they were made."""


@click.command(short_help="Check everything that a start needs, and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, at the end.")
@shared_options.env_file
def check(*, as_json: bool, env_file: Path | None) -> None:
    """Check settings, Event Hubs, control store and Snowflake, and where each partition would resume.

    Nothing is changed: no channel is opened, no partition claimed. Exits with the code of the first failure, else 0.
    """
    logging.getLogger("azure").setLevel(logging.CRITICAL)  # its errors are raised, too
    results = []
    with Progress() as progress:
        stages = StartChecks(env_file).stages()
        for result in run_all(stages, waiting=lambda names: progress.show(_waiting_for(names))):
            progress.hide()
            results.append(_with_whole_commands(result))
            if not as_json:
                _show(results[-1])
    if as_json:
        print_json(Checks(exit_code=exit_code(results), checks=tuple(results)))
    sys.stdout.flush()
    os._exit(exit_code(results))  # a thread that waits for a silent service would keep the process alive


def _waiting_for(names: Sequence[str]) -> str:
    first, *others = names
    return f"waiting for {first}" + (f" and {len(others)} more" if others else "")


def _with_whole_commands(result: CheckResult) -> CheckResult:
    return msgspec.structs.replace(result, detail=complete(result.detail), fix=complete(result.fix))


def _show(result: CheckResult) -> None:
    verdict = click.style(f"{result.verdict:8}", fg=COLOURS[result.verdict])
    click.echo(f"{verdict}{result.name:{NAME_WIDTH}}  {printable(result.detail)}")
    if result.fix:
        click.echo(f"{'':{NAME_WIDTH + 10}}{printable(result.fix)}")

"""`evsup check`: whether a start would work, line by line, without changing anything."""

import logging
import os
import sys
from pathlib import Path

import click
import msgspec

from shared.command_line import complete
from shared.log.printable import printable
from supervisor.check.checks import Preflight
from supervisor.check.runner import Result, exit_code, results
from supervisor.commands import options

WIDTH = 16  # of the longest name
COLOURS = {"ok": "green", "warn": "yellow", "fail": "red", "skipped": "bright_black"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON array on stdout, when all is known.")
@options.env_file
def check(*, as_json: bool, env_file: Path | None) -> None:
    """Look before a start: settings, Event Hubs, control store, Snowflake, and where each partition would go on.

    Nothing is changed, no channel is opened, no partition claimed. Exit code of the first failure, 0 without one.
    """
    logging.getLogger("azure").setLevel(logging.CRITICAL)  # what matters is raised
    found = []
    for result in map(_completed, results(Preflight(env_file).checks())):
        found.append(result)
        if not as_json:
            _show(result)
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
    sys.stdout.flush()
    os._exit(exit_code(found))  # a thread that waits for a silent service would hold the process


def _completed(result: Result) -> Result:
    """The result with whole commands in its texts."""
    return msgspec.structs.replace(result, detail=complete(result.detail), fix=complete(result.fix))


def _show(result: Result) -> None:
    verdict = click.style(f"{result.verdict:8}", fg=COLOURS[result.verdict])
    click.echo(f"{verdict}{result.name:{WIDTH}}  {printable(result.detail)}")
    if result.fix:
        click.echo(f"{'':{WIDTH + 10}}{printable(result.fix)}")

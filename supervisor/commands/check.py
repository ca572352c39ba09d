"""`evsup check`: whether a start would work. Nothing is changed."""

import logging
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import click
import msgspec

from shared.clock import monotonic
from shared.command_line import complete
from supervisor.check.checks import StartChecks
from supervisor.check.runner import CheckResult, exit_code, run_all
from supervisor.check.screen import VERDICT_WIDTH, collapsed, is_of_partition, lines, summary, wrapped
from supervisor.commands import shared_options
from supervisor.commands.command import Command
from supervisor.commands.output import print_json, terminal_width
from supervisor.commands.progress import Progress
from supervisor.status.otlp import extra
from supervisor.status.otlp.collector import cautions, collector_of
from supervisor.version import JSON_VERSION

COLOURS = {"ok": "green", "warn": "yellow", "fail": "red", "skipped": "bright_black"}


class Checks(msgspec.Struct, frozen=True, kw_only=True):
    """What `evsup check --json` prints."""

    version: int = JSON_VERSION
    """Of the document."""
    exit_code: int
    """That of the first check that failed; 0: none did."""
    took_s: float
    """How long all of it took."""
    checks: tuple[CheckResult, ...]
    """In the order in which they were made."""


@click.command(
    cls=Command,
    page="docs/operations.md",
    examples={
        "evsup check": "Would a start with ./.env work?",
        "evsup check --env-file /etc/evsup/flights.env": "With the settings of another file.",
        "evsup check --json": "For scripts; docs/json.md has the fields.",
    },
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, at the end.")
@shared_options.env_file
def check(*, as_json: bool, env_file: Path | None) -> None:
    """Check settings, Event Hubs, control store and Snowflake, and where each partition would resume.

    Nothing is changed: no channel is opened, no partition claimed. Exits with the code of the first failure, else 0.
    """
    logging.getLogger("azure").setLevel(logging.CRITICAL)  # its errors are raised, too
    began_s = monotonic()
    results = []
    with Progress() as progress:
        stages = StartChecks(env_file, _of_opentelemetry).stages()
        for result in run_all(stages, waiting=lambda names: progress.show(_waiting_for(names))):
            results.append(_with_whole_commands(result))
            if not as_json and not is_of_partition(result):
                progress.hide()
                _show(results[-1])
    took_s = round(monotonic() - began_s, 3)
    if as_json:
        print_json(Checks(exit_code=exit_code(results), took_s=took_s, checks=tuple(results)))
    else:
        for result in collapsed(list(filter(is_of_partition, results))):
            _show(result)
        click.echo("\n".join(wrapped(complete(summary(results, took_s)), terminal_width())))
    sys.stdout.flush()
    os._exit(exit_code(results))  # a thread that waits for a silent service would keep the process alive


def _of_opentelemetry(environ: Mapping[str, str]) -> Iterable[str]:
    if collector_of(environ):
        extra.load()
    return cautions(environ)


def _waiting_for(names: Sequence[str]) -> str:
    first, *others = names
    return f"waiting for {first}" + (f" and {len(others)} more" if others else "")


def _with_whole_commands(result: CheckResult) -> CheckResult:
    return msgspec.structs.replace(result, detail=complete(result.detail), fix=complete(result.fix))


def _show(result: CheckResult) -> None:
    first, *others = lines(result, terminal_width())
    click.secho(first[:VERDICT_WIDTH], fg=COLOURS[result.verdict], nl=False)
    click.echo("\n".join([first[VERDICT_WIDTH:], *others]))

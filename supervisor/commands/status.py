"""`evsup status`: the running tree on this host, or with `--all` the whole consumer group."""

import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, closing, nullcontext, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import click

from shared.command_line import complete
from shared.config import environment
from shared.config.settings import EventHubSettings
from shared.errors import EvsupError, ServiceUnavailable
from shared.eventhubs.retention import time_to_loss_s
from shared.log.printable import printable
from supervisor import last_failure, standard_streams
from supervisor.commands import shared_options
from supervisor.commands.command import Command
from supervisor.commands.output import console, print_json
from supervisor.state_dir import state_dir
from supervisor.status.group import GroupStatus, read_group, with_losses
from supervisor.status.model import SORTS, Sort, TreeStatus
from supervisor.status.status_socket import read_status

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live

    from shared.model import PartitionFacts

# As `systemctl status`: https://www.freedesktop.org/software/systemd/man/latest/systemctl.html#Exit%20status
HEALTHY, DEGRADED, NOT_RUNNING = 0, 1, 3
REFRESH_S = 1.0
ELSEWHERE = "To see another one, name its settings file with --env-file, or its directory in EVSUP_STATE_DIR."

Status: TypeAlias = TreeStatus | GroupStatus | None


@click.command(
    cls=Command,
    page="docs/operations.md",
    examples={
        "evsup status": "The tree on this host, and what is wrong with it.",
        "evsup status --watch": "The same every second, until Ctrl-C.",
        "evsup status --all --sort age": "The whole group; the partition with the oldest newest row first.",
        "evsup status --json": "For scripts; docs/json.md has the fields.",
    },
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="One JSON document on stdout; with --watch one each second, on its own line.",
)
@click.option("--watch", is_flag=True, help="Refresh every second until Ctrl-C.")
@click.option("--all", "everybody", is_flag=True, help="The consumer group, supervisors on other hosts included.")
@click.option(
    "--sort",
    type=click.Choice(SORTS),
    default="lag",
    show_default=True,
    help="What comes first: the most lag, the oldest newest row, or the lowest partition.",
)
@shared_options.env_file
def status(*, as_json: bool, watch: bool, everybody: bool, sort: Sort, env_file: Path | None) -> None:
    """Show the running tree, or the whole group. Exit 0 healthy, 1 degraded, 3 not running."""
    if everybody:
        sys.exit(_show_group(as_json=as_json, watch=watch, sort=sort, env_file=env_file))
    directory = state_dir(environment.load_one("EVSUP_STATE_DIR", env_file))
    not_running = partial(_not_running, directory)
    sys.exit(_show(lambda: read_status(directory), not_running, as_json=as_json, watch=watch, sort=sort))


def _not_running(directory: Path) -> str:
    failure = last_failure.read(directory)
    text = f"evsup is not running here ({directory})"
    return f"{text}. {failure}" if failure else f"{text}, or was started a moment ago. {ELSEWHERE}"


def _show_group(*, as_json: bool, watch: bool, sort: Sort, env_file: Path | None) -> int:
    """The store's rows and, if the hub answers, its partition facts."""
    from shared.control.open import store_of  # here, because the status of a tree needs no SDK

    settings = environment.load(env_file).settings

    def read() -> GroupStatus:
        facts = _facts(settings.eventhub)
        last = {partition_id: partition.last for partition_id, partition in facts.items()}
        return with_losses(
            read_group(store, settings.control.store, last), partial(_time_to_loss_s, settings.eventhub, facts)
        )

    with closing(store_of(settings)) as store:
        store.check()
        return _show(read, as_json=as_json, watch=watch, sort=sort)


def _facts(settings: EventHubSettings) -> "Mapping[str, PartitionFacts]":
    """The facts of every partition. When the hub does not answer: none, and a message on stderr."""
    from shared.eventhubs.client import EventHubClient

    try:
        with EventHubClient(settings) as hub:
            facts = hub.hub()
            return hub.partitions(facts.partition_ids, facts)
    except EvsupError as error:
        click.echo(printable(complete(f"Without lag: {error}")), err=True)
        return {}


def _time_to_loss_s(
    settings: EventHubSettings, facts: "Mapping[str, PartitionFacts]", partition_id: str, checkpoint: int | None
) -> float | None:
    """Time to loss of the event after the checkpoint. When that cannot be read: None, and a message on stderr."""
    from shared.eventhubs.client import EventHubClient

    if settings.retention_hours is None:
        return None
    if facts[partition_id].is_empty:
        return 0.0  # all events have left
    try:
        with EventHubClient(settings) as hub:
            number, enqueued = hub.next_after(partition_id, checkpoint)
    except EvsupError as error:
        click.echo(printable(complete(f"Without time to loss: {error}")), err=True)
        return None
    is_lost = checkpoint is not None and number > checkpoint + 1
    return 0.0 if is_lost else time_to_loss_s(enqueued, settings.retention_hours, datetime.now(UTC))


def _show(
    read: Callable[[], Status], not_running: Callable[[], str] = str, *, as_json: bool, watch: bool, sort: Sort
) -> int:
    if watch:
        return _watch(read, not_running, as_json=as_json, sort=sort)
    found = read()
    if as_json:
        print_json(found)
    else:
        output = console()
        output.print(_screen(found, output, sort, not_running()))
    return _exit_code(found)


def _watch(read: Callable[[], Status], not_running: Callable[[], str], *, as_json: bool, sort: Sort) -> int:
    """Show it every second, also while what is watched restarts, until Ctrl-C or until nobody reads the output."""
    output, found = console(), None
    with suppress(KeyboardInterrupt), _live(output, as_json=as_json) as live:
        while True:
            found, trouble = _found(read, not_running)
            if standard_streams.is_unread():
                break
            if as_json:
                print_json(found)
            elif live:
                live.update(_screen(found, output, sort, trouble), refresh=True)
            else:
                output.print(_screen(found, output, sort, trouble))
            time.sleep(REFRESH_S)
    return _exit_code(found)


def _live(output: "Console", *, as_json: bool) -> "AbstractContextManager[Live | None]":
    """A picture that is drawn anew in its place, where a person sees it."""
    from rich.live import Live

    is_drawn = output.is_terminal and not as_json
    return Live(console=output, auto_refresh=False, vertical_overflow="crop") if is_drawn else nullcontext()


def _found(read: Callable[[], Status], not_running: Callable[[], str]) -> tuple[Status, str]:
    """What there is to see; where there is nothing, what is waited for."""
    try:
        return read(), f"{not_running()}\nWaiting for it; Ctrl-C ends this"
    except ServiceUnavailable as error:
        return None, f"{error} Waiting; Ctrl-C ends this"


def _screen(found: Status, output: "Console", sort: Sort, nothing: str) -> "RenderableType":
    from rich.text import Text  # here, because JSON needs none

    from supervisor.status.screens.status import group_screen, tree_screen

    height = output.height if output.is_terminal else None
    match found:
        case TreeStatus():
            return tree_screen(found, output.width, height, sort)
        case GroupStatus():
            return group_screen(found, output.width, height, sort)
        case None:
            return Text(printable(complete(nothing)))


def _exit_code(found: Status) -> int:
    if found is None or (isinstance(found, GroupStatus) and not any(row.is_live for row in found.supervisors)):
        return NOT_RUNNING
    return HEALTHY if found.healthy else DEGRADED

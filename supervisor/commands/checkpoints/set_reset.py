"""`evsup checkpoints set` and `reset`."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import click

from shared.errors import DataRefused, UsageError
from shared.eventhubs.client import EventHubClient
from shared.model import MOST, Checkpoint, PartitionFacts
from shared.resume import reset_command
from supervisor.checkpoints import admin_session, plan
from supervisor.checkpoints.admin_session import Site
from supervisor.checkpoints.plan import Position
from supervisor.commands import options as common
from supervisor.commands.checkpoints import plan_and_act

OLDEST, LATEST = "-1", "@latest"


@click.command("set")
@click.option("--partition", required=True, metavar="P", help="The partition.")
@click.option(
    "--sequence-number", type=click.IntRange(min=0), metavar="N", help="The last event that is to count as done."
)
@click.option("--table-end", is_flag=True, help="The last event in the table, or set aside, counts as done.")
@click.option(
    "--rejected-rows",
    type=click.IntRange(min=0, max=MOST),
    metavar="N",
    help="Accept rejected rows: N is the channel's whole count, as the refusal names it; the position stays.",
)
@plan_and_act.options
@common.env_file
def set_(
    *,
    partition: str,
    sequence_number: int | None,
    table_end: bool,
    rejected_rows: int | None,
    yes: bool,
    actor: str,
    env_file: Path | None,
) -> None:
    """Move a partition to a position, or accept rejected rows where it stands."""
    if [sequence_number is not None, table_end, rejected_rows is not None].count(True) != 1:
        raise UsageError("Say what to set", fix="Give either --sequence-number or --table-end or --rejected-rows.")
    with admin_session.site(env_file) as site:
        [(_, facts)] = site.partitions([partition]).items()
        if rejected_rows is not None:
            _accept(site, partition, rejected_rows, actor, yes=yes)
            return
        number = _table_end(site, partition, facts.hub_created_at_s) if table_end else sequence_number
        move = plan.plan(site.checkpoint(partition), Position(number), facts)
        plan_and_act.act(site, [move], "set", actor, yes=yes)


@click.command()
@click.option("--partition", "partitions", multiple=True, metavar="P", help="A partition; may be repeated.")
@click.option("--all", "everything", is_flag=True, help="All partitions, as after the hub was recreated.")
@click.option(
    "--to",
    metavar="POSITION",
    help="-1 (oldest event), @latest, or an ISO 8601 time with zone; default: EVENTHUB_STARTING_POSITION.",
)
@plan_and_act.options
@common.env_file
def reset(
    *, partitions: tuple[str, ...], everything: bool, to: str | None, yes: bool, actor: str, env_file: Path | None
) -> None:
    """Begin partitions anew: at their oldest event, at their end, or at a time."""
    if everything == bool(partitions):
        raise UsageError("Say which partitions to reset", fix="Give --partition, more than once if need be, or --all.")
    with admin_session.site(env_file, EVENTHUB_STARTING_POSITION=to) as site:
        planned = [
            plan.plan(site.checkpoint(partition_id), _beginning(site, partition_id, facts), facts)
            for partition_id, facts in site.partitions(partitions).items()
        ]
        plan_and_act.act(site, planned, "reset", actor, yes=yes)


def _table_end(site: Site, partition_id: str, hub_created_at_s: float) -> int:
    with site.tables(hub_created_at_s) as tables:
        landed = tables.landed(partition_id, since=None).get(partition_id)
    if landed is None:
        raise DataRefused(
            f"The table has no row of partition {partition_id}",
            "so it has no end",
            f"Run `{reset_command(partition_id, None)}` to begin with the oldest event that the hub has.",
        )
    return landed.last


def _accept(site: Site, partition_id: str, rejected_rows: int, actor: str, *, yes: bool) -> None:
    before = site.checkpoint(partition_id)
    known, position = before.rows_error_count, before.sequence_number
    click.echo(f"Partition {partition_id}: rejected rows {known} to {rejected_rows}; position {position} stays")
    plan_and_act.settle(partial(_accepted, site, replace(before, rows_error_count=rejected_rows), actor), yes=yes)


def _accepted(site: Site, checkpoint: Checkpoint, actor: str) -> None:
    with admin_session.holding(site.store, [checkpoint.partition_id], actor) as terms:
        [term] = terms.values()
        site.store.accept_rejected(replace(checkpoint, epoch=term.epoch), actor, "accept_rejected")


def _beginning(site: Site, partition_id: str, facts: PartitionFacts) -> Position:
    """A number wherever there is one: the end of a partition is another one by the time it is read."""
    to = site.settings.eventhub.starting_position
    if to == OLDEST or facts.last < 0:
        return Position(None)
    if to == LATEST:
        return Position(facts.last, facts.last_offset)
    with EventHubClient(site.settings.eventhub) as own:  # finding the event ends the client
        return Position(own.last_before(partition_id, to, facts))

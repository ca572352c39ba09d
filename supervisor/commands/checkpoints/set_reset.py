"""`evsup checkpoints set` and `reset`."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import click

from shared.errors import DataRefused, UsageError
from shared.eventhubs.client import EventHubClient
from shared.model import LATEST, MOST, OLDEST, Checkpoint, PartitionFacts
from shared.resume import reset_command
from supervisor.checkpoints.admin_session import AdminSession, claimed, open_session
from supervisor.checkpoints.move import Destination, plan_move
from supervisor.commands import shared_options
from supervisor.commands.checkpoints import confirmation
from supervisor.commands.command import Command


@click.command(
    "set",
    cls=Command,
    page="docs/checkpoints.md",
    examples={
        "evsup checkpoints set --partition 3 --sequence-number 1234": "Show what would repeat or be skipped.",
        "evsup checkpoints set --partition 3 --sequence-number 1234 --yes": "Resume after event 1234.",
        "evsup checkpoints set --partition 3 --table-end --yes": "Resume after the last row of the table.",
    },
)
@click.option("--partition", required=True, metavar="P", help="The partition.")
@click.option(
    "--sequence-number",
    type=shared_options.WholeNumber(0),
    metavar="N",
    help="The last event that is to count as done.",
)
@click.option("--table-end", is_flag=True, help="The last event in the table or the quarantine counts as done.")
@click.option(
    "--rejected-rows",
    type=shared_options.WholeNumber(0, MOST),
    metavar="N",
    help="Accept rejected rows: N is the channel's whole count, as the refusal names it; the position stays.",
)
@confirmation.options
@shared_options.env_file
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
    with open_session(env_file) as session:
        [(_, facts)] = session.partitions([partition]).items()
        if rejected_rows is not None:
            _accept_rejected(session, partition, rejected_rows, actor, yes=yes)
            return
        number = _table_end(session, partition, facts.hub_created_at_s) if table_end else sequence_number
        move = plan_move(session.checkpoint(partition), Destination(number), facts)
        confirmation.show_and_move(session, [move], "set", actor, yes=yes)


@click.command(
    cls=Command,
    page="docs/checkpoints.md",
    examples={
        "evsup checkpoints reset --partition 3 --to -1 --yes": "Read partition 3 from its oldest event.",
        "evsup checkpoints reset --partition 3 --partition 4 --to @latest --yes": "Skip what is there in two of them.",
        "evsup checkpoints reset --all --to 2026-01-31T00:00:00Z": "Show what a time would mean for each.",
    },
)
@click.option("--partition", "partitions", multiple=True, metavar="P", help="A partition; may be repeated.")
@click.option("--all", "everything", is_flag=True, help="All partitions, as after the hub was recreated.")
@click.option(
    "--to",
    metavar="POSITION",
    help="-1 (oldest event), @latest, or an ISO 8601 time with zone; default: EVENTHUB_STARTING_POSITION.",
)
@confirmation.options
@shared_options.env_file
def reset(
    *, partitions: tuple[str, ...], everything: bool, to: str | None, yes: bool, actor: str, env_file: Path | None
) -> None:
    """Begin partitions anew: at their oldest event, at their end, or at a time."""
    if everything == bool(partitions):
        raise UsageError("Say which partitions to reset", fix="Give --partition, more than once if need be, or --all.")
    with open_session(env_file, EVENTHUB_STARTING_POSITION=to) as session:
        found = session.partitions(partitions)
        moves = [
            plan_move(checkpoint, _destination(session, each, found[each]), found[each])
            for each, checkpoint in session.checkpoints(found).items()
        ]
        confirmation.show_and_move(session, moves, "reset", actor, yes=yes)


def _table_end(session: AdminSession, partition_id: str, hub_created_at_s: float) -> int:
    with session.tables(hub_created_at_s) as tables:
        landed = tables.count(partition_id, since=None).get(partition_id)
    if landed is None:
        raise DataRefused(
            f"The table has no row of partition {partition_id}",
            fix=f"Run `{reset_command(partition_id, None)}` to begin with the oldest event in the hub.",
        )
    return landed.last


def _accept_rejected(session: AdminSession, partition_id: str, rejected_rows: int, actor: str, *, yes: bool) -> None:
    before = session.checkpoint(partition_id)
    counts = f"accepted rejected rows {before.rows_error_count} to {rejected_rows}"
    click.echo(f"Partition {partition_id}: {counts}; position {before.sequence_number} stays")
    after = replace(before, rows_error_count=rejected_rows)
    confirmation.act_if_confirmed(partial(_write_accepted, session, after, actor), yes=yes)


def _write_accepted(session: AdminSession, checkpoint: Checkpoint, actor: str) -> None:
    with claimed(session.store, [checkpoint.partition_id], actor) as terms:
        [term] = terms.values()
        session.store.accept_rejected(replace(checkpoint, epoch=term.epoch), actor, "accept_rejected")


def _destination(session: AdminSession, partition_id: str, facts: PartitionFacts) -> Destination:
    """A sequence number wherever there is one, because `@latest` means a later event by the time of the start."""
    to = session.settings.eventhub.starting_position
    if to == OLDEST or facts.last < 0:
        return Destination(None)
    if to == LATEST:
        return Destination(facts.last, facts.last_offset)
    with EventHubClient(session.settings.eventhub) as own:  # finding the event closes its client
        return Destination(own.last_before(partition_id, to, facts))

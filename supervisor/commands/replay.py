"""`evsup replay`: a range of a partition again, into a table beside the live one."""

import os
from contextlib import closing
from pathlib import Path

import click
import msgspec

import worker.tasks.replay
from shared.config.formats.identifier import quoted, stored_name
from shared.config.settings import SnowflakeSettings
from shared.errors import DataRefused, OwnershipLost, PartitionHeld, UsageError
from shared.ipc.task import send
from shared.model import PartitionFacts
from shared.snowflake.session import SqlSession
from shared.snowflake.target_table import Target
from supervisor.checkpoints import admin_session
from supervisor.checkpoints.admin_session import Site
from supervisor.commands import options
from supervisor.target.rows_fit import look


@click.command()
@click.option("--partition", required=True, metavar="P", help="The partition.")
@click.option("--from", "first", required=True, type=click.IntRange(min=0), metavar="N", help="The first event.")
@click.option("--to", "last", required=True, type=click.IntRange(min=0), metavar="M", help="The last event.")
@options.repeated(
    "--into", metavar="TABLE", help="In the target's schema; created if missing. Default: <TABLE>_REPLAY."
)
@options.repeated("--consumer-group", metavar="G", help="Read through this group, beside a supervisor that runs.")
@options.env_file
def replay(
    *, partition: str, first: int, last: int, into: str | None, consumer_group: str | None, env_file: Path | None
) -> None:
    """Read events N to M again into a side table. Live position, channel and owner stay as they are.

    The same command again goes on where it was cut short, and adds nothing once it is done.
    """
    with admin_session.site(env_file) as site:
        group = consumer_group or site.store.group.consumer_group
        facts = site.partitions([partition])[partition]
        _refuse_range(partition, first, last, facts)
        if group.lower() == site.store.group.consumer_group.lower() and (owner := site.owners().get(partition)):
            raise _held(partition, f"{owner} holds it")
        target = _side(site, into)
        with closing(Target(target, facts.hub_created_at_s)) as table:
            table.create()
            _refuse_misfit(target)
            order = worker.tasks.replay.Order(partition, first, last, target.table, group, os.getpid())
            _carry_out(order)
            landed = table.landed_range(partition, first, last)
    wanted = last - first + 1
    found = (landed.rows, landed.numbers) if landed else (0, 0)
    if found != (wanted, wanted):
        raise DataRefused(
            f"{target.table} does not have events {first} to {last} once each",
            f"it has {found[0]} rows of {found[1]} events, and {wanted} were to be there",
            "Give another --into, and replay again.",
        )
    click.echo(f"Events {first} to {last} of partition {partition} are in {target.table}: {wanted} rows, each once.")


def _side(site: Site, into: str | None) -> SnowflakeSettings:
    live = site.settings.snowflake
    side = into or quoted(f"{stored_name(live.table)}_REPLAY")
    return msgspec.structs.replace(live, table=side, pipe=None)


def _refuse_misfit(target: SnowflakeSettings) -> None:
    """A table that was there may be anybody's, and what has no column in it would be dropped."""
    with closing(SqlSession(target)) as session:
        look(session, target).refuse()


def _carry_out(order: worker.tasks.replay.Order) -> None:
    try:
        send(worker.tasks.replay.run, order, limit_s=None)
    except OwnershipLost as error:
        raise _held(order.partition_id, error.why) from error


def _refuse_range(partition: str, first: int, last: int, facts: PartitionFacts) -> None:
    if first > last:
        raise UsageError(f"--from {first} is behind --to {last}", fix="Give the first event, then the last.")
    if facts.is_empty or first < facts.first or last > facts.last:
        retained = "none" if facts.is_empty else f"{facts.first} to {facts.last}"
        raise DataRefused(
            f"Events {first} to {last} of partition {partition} cannot be read again",
            f"the hub has {retained}",
            "Give a range that it has.",
        )


def _held(partition: str, why: str) -> PartitionHeld:
    """Beside a reader with an owner level Event Hubs takes none without one, in the same group.

    https://learn.microsoft.com/azure/event-hubs/event-hubs-event-processor-host#epoch
    """
    return PartitionHeld(
        f"Partition {partition} is being read in this consumer group",
        why,
        "Give another group with --consumer-group, or stop the supervisors first.",
    )

"""`evsup replay`: reads a range of a partition again, into a side table."""

import os
from contextlib import closing
from pathlib import Path

import click

import worker.tasks.replay
from shared.config.formats.identifier import problem, quoted, stored_name
from shared.config.settings import SnowflakeSettings
from shared.errors import DataRefused, OwnershipLost, PartitionHeld, UsageError
from shared.ipc.messages import TableColumns
from shared.ipc.task import send
from shared.model import PartitionFacts
from shared.snowflake.session import SqlSession
from shared.snowflake.target_table import PartitionRows, Target
from supervisor.checkpoints.admin_session import AdminSession, open_session
from supervisor.commands import shared_options
from supervisor.commands.command import Command
from supervisor.target.target_check import check_target


@click.command(
    cls=Command,
    page="docs/verify.md#read-a-range-again",
    examples={
        "evsup replay --partition 3 --from 100 --to 199": "100 events, into <TABLE>_REPLAY.",
        "evsup replay --partition 3 --from 100 --to 199 --into FLIGHTS_AGAIN": "Into a table of another name.",
        "evsup replay --partition 3 --from 100 --to 199 --consumer-group audit": "While supervisors run.",
    },
)
@click.option("--partition", required=True, metavar="P", help="The partition.")
@click.option(
    "--from", "first", required=True, type=shared_options.WholeNumber(0), metavar="N", help="The first event."
)
@click.option("--to", "last", required=True, type=shared_options.WholeNumber(0), metavar="M", help="The last event.")
@shared_options.repeated(
    "--into", metavar="TABLE", help="In the target's schema; created if missing. Default: <TABLE>_REPLAY."
)
@shared_options.repeated("--consumer-group", metavar="G", help="Read through this group while supervisors run.")
@shared_options.env_file
def replay(
    *, partition: str, first: int, last: int, into: str | None, consumer_group: str | None, env_file: Path | None
) -> None:
    """Read events N to M again into a side table. Live position, channel and owner stay as they are.

    When it was interrupted, the same command resumes. When it is done, the same command adds nothing.
    """
    with open_session(env_file) as session:
        group = consumer_group or session.store.group.consumer_group
        facts = session.partitions([partition])[partition]
        # Before a table is made: a range that cannot be read leaves nothing in Snowflake.
        _refuse_range(partition, first, last, facts)
        if group.lower() == session.store.group.consumer_group.lower() and (owner := session.owners().get(partition)):
            raise _is_read(partition, f"{owner} holds it")
        target = _side_table(session, into)
        with closing(Target(target, facts.hub_created_at_s)) as table:
            table.create_beside(session.settings.snowflake)
            columns = _columns(target)
            _replay(worker.tasks.replay.Order(partition, first, last, target.table, group, os.getpid(), columns))
            # Counted in the table, not by the task: also the rows of an earlier, interrupted replay count.
            landed = table.count_range(partition, first, last)
    _require_each_once(target.table, first, last, landed)
    click.echo(
        f"Events {first} to {last} of partition {partition} are in {target.table}: {last - first + 1} rows, each once."
    )


def _require_each_once(table: str, first: int, last: int, landed: PartitionRows | None) -> None:
    expected = last - first + 1
    rows, events = (landed.rows, landed.numbers) if landed else (0, 0)
    if (rows, events) != (expected, expected):
        raise DataRefused(
            f"{table} does not have events {first} to {last} once each",
            f"it has {rows} rows of {events} events instead of {expected} of each",
            "Give another --into, and replay again.",
        )


def _side_table(session: AdminSession, into: str | None) -> SnowflakeSettings:
    """The settings with the side table, and its default pipe, for a target."""
    live = session.settings.snowflake
    side = into or quoted(f"{stored_name(live.table)}_REPLAY")
    if reason := problem(side):
        raise UsageError("There is no name for the side table", f"{side!r} {reason}", "Name another one with --into.")
    return live.beside(side)


def _columns(target: SnowflakeSettings) -> TableColumns | None:
    """Where keys can go. A table of that name may exist with other columns, and Snowflake would drop fields without a
    column.
    """
    with closing(SqlSession(target)) as session:
        check = check_target(session, target)
    check.refuse()
    return check.filled


def _replay(order: worker.tasks.replay.Order) -> None:
    try:
        send(worker.tasks.replay.run, order, limit_s=None)
    except OwnershipLost as error:
        raise _is_read(order.partition_id, error.why) from error


def _refuse_range(partition: str, first: int, last: int, facts: PartitionFacts) -> None:
    if first > last:
        raise UsageError(f"--from {first} is greater than --to {last}", fix="Give the first event, then the last.")
    if facts.is_empty or first < facts.first or last > facts.last:
        retained = "no event in it" if facts.is_empty else f"events {facts.first} to {facts.last}"
        raise DataRefused(
            f"Events {first} to {last} of partition {partition} cannot be read again",
            f"the hub has {retained}",
            "Give a range that it has.",
        )


def _is_read(partition: str, why: str) -> PartitionHeld:
    """In one group, Event Hubs refuses a receiver without an owner level beside one that has a level.

    https://learn.microsoft.com/azure/event-hubs/event-hubs-event-processor-host#epoch
    """
    return PartitionHeld(
        f"Partition {partition} is being read in this consumer group",
        why,
        "Give another group with --consumer-group, or stop the supervisors first.",
    )

"""`evsup verify`: proves that every event is in the table once."""

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec

from shared.config.settings import SnowflakeSettings
from shared.errors import DataRefused, UsageError
from shared.snowflake.session import SqlSession
from shared.snowflake.target_table import PartitionRows, Target
from supervisor.checkpoints.admin_session import AdminSession, open_session
from supervisor.checkpoints.channels import statuses_of_partitions
from supervisor.checkpoints.verification import Evidence, Proof, beginning, prove
from supervisor.commands import shared_options
from supervisor.commands.output import console, print_json
from supervisor.status.checkpoint_screens import proof_screen
from supervisor.target.target_check import check_target
from supervisor.version import JSON_VERSION

STATUSES_S = 20.0  # for the statuses of all channels


class Proofs(msgspec.Struct, frozen=True, kw_only=True):
    """What `evsup verify --json` prints."""

    version: int = JSON_VERSION
    """Of the document."""
    proven: bool
    """Whether no partition is refuted."""
    source: str
    """Namespace and hub."""
    consumer_group: str
    """Its name."""
    table: str
    """Database, schema and table."""
    pipe: str
    """The pipe that rows go through, and why its rows can be counted as events."""
    since: str | None
    """As `--since`, with its offset."""
    partitions: tuple[Proof, ...]
    """Those of the hub, or the one of `--partition`."""


@click.command(short_help="Prove that each event is in the table once.")
@click.option("--partition", metavar="P", help="One partition only.")
@click.option("--since", metavar="TIME", help="Only events enqueued since this ISO 8601 time; UTC without an offset.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@shared_options.env_file
def verify(*, partition: str | None, since: str | None, as_json: bool, env_file: Path | None) -> None:
    """Prove that each event is in the table once: hub, channel token, checkpoint and table side by side.

    It only reads, and may run while the tree runs. Exit 0 proven, 65 when an event is missing or there twice.
    """
    since_time = None if since is None else _iso_time(since)
    with open_session(env_file) as session:
        proofs = _proofs(session, partition, since_time)
    if as_json:
        print_json(proofs)
    else:
        output = console()
        output.print(proof_screen(proofs.source, proofs.table, proofs.pipe, proofs.partitions, output.width))
    _refuse_refuted(proofs)


def _proofs(session: AdminSession, partition: str | None, since: str | None) -> Proofs:
    """Read the four sources in the order that `supervisor.checkpoints.verification` needs."""
    hub = session.hub_facts([partition] if partition is not None else [])
    ids = hub.partition_ids
    checkpoints = {partition_id: session.checkpoint(partition_id) for partition_id in ids}
    prefix = session.settings.snowflake.channel_prefix
    channels = statuses_of_partitions(prefix, session.store.group, checkpoints.values(), STATUSES_S)
    with session.tables(hub.created_at_s) as tables:
        bodiless = tables.without_body(partition, since)
        landed = _located(tables, partition, since)
    # Last: the hub's end has to be at or after everything that was read before.
    facts = session.partitions(ids)
    start = session.settings.eventhub.starting_position
    found = [
        Evidence(checkpoints[each], channels[each], landed.get(each), facts[each], bodiless.get(each))
        for each in sorted(ids, key=lambda one: (len(one), one))
    ]
    proven = tuple(prove(one, beginning(one, start, since)) for one in found)
    group, target = session.store.group, session.settings.snowflake
    return Proofs(
        proven=all(one.verdict != "refuted" for one in proven),
        source=group.hub,
        consumer_group=group.consumer_group,
        table=f"{target.database}.{target.schema}.{target.table}",
        pipe=_pipe_summary(target),
        since=since,
        partitions=proven,
    )


def _pipe_summary(target: SnowflakeSettings) -> str:
    """The pipe as it is defined now. Rows that an earlier definition loaded may be different."""
    with closing(SqlSession(target)) as session:
        return check_target(session, target).pipe_summary


def _located(target: Target, partition: str | None, since: str | None) -> dict[str, PartitionRows]:
    """One statement for all partitions, and two more for each with missing or repeated events, to locate these."""
    return {
        partition_id: target.locate(partition_id, since, landed) if landed.missing or landed.repeated else landed
        for partition_id, landed in target.count(partition, since).items()
    }


def _iso_time(text: str) -> str:
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"--since {text} is not a time", str(error), "Write 2026-01-31T00:00:00Z.") from error
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).isoformat()


def _refuse_refuted(proofs: Proofs) -> None:
    refuted = [one for one in proofs.partitions if one.verdict == "refuted"]
    if refuted:
        worst = refuted[0]
        raise DataRefused(
            f"{len(refuted)} of {len(proofs.partitions)} partitions are not proven",
            f"partition {worst.partition}: {worst.findings[0].text}",
            "docs/verify.md says what each finding means and what can be done.",
        )

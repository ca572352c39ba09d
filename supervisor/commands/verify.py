"""`evsup verify`: the proof that every event is in the table, once."""

import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec
from rich.console import Console

from shared.config.settings import SnowflakeSettings
from shared.errors import DataRefused, UsageError
from shared.snowflake.session import SqlSession
from shared.snowflake.target_table import Landed, Target
from supervisor.checkpoints import admin_session
from supervisor.checkpoints.admin_session import Site
from supervisor.checkpoints.channels import statuses_of_partitions
from supervisor.checkpoints.verification import Evidence, Proof, beginning, prove
from supervisor.commands import options
from supervisor.status.screen import WIDE, proof_screen
from supervisor.target.rows_fit import look

ANSWER_S = 20.0  # of Snowflake, about the channels


class Proofs(msgspec.Struct, frozen=True, kw_only=True):
    """What `evsup verify --json` prints."""

    proven: bool
    source: str
    consumer_group: str
    table: str
    pipe: str
    """The one that rows go through, and why its rows can be counted as events."""
    since: str | None
    partitions: tuple[Proof, ...]


@click.command()
@click.option("--partition", metavar="P", help="One partition only.")
@click.option("--since", metavar="TIME", help="Only events enqueued since this ISO 8601 time; UTC without an offset.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@options.env_file
def verify(*, partition: str | None, since: str | None, as_json: bool, env_file: Path | None) -> None:
    """Prove that each event is in the table once: hub, channel token, checkpoint and table side by side.

    It reads only, and may run beside the tree. Exit 0 proven, 65 when an event is missing or there twice.
    """
    moment = None if since is None else _moment(since)
    with admin_session.site(env_file) as site:
        proofs = _proofs(site, partition, moment)
    if as_json:
        click.echo(msgspec.json.encode(proofs).decode())
    else:
        console = Console() if sys.stdout.isatty() else Console(width=2 * WIDE)
        console.print(proof_screen(proofs.source, proofs.table, proofs.pipe, proofs.partitions))
    _refuse_refuted(proofs)


def _proofs(site: Site, partition: str | None, since: str | None) -> Proofs:
    """Read in the order in which the numbers mean something together; see `supervisor.checkpoints.verification`."""
    hub = site.hub_facts([partition] if partition is not None else [])
    ids = hub.partition_ids
    checkpoints = {partition_id: site.checkpoint(partition_id) for partition_id in ids}
    prefix = site.settings.snowflake.channel_prefix
    channels = statuses_of_partitions(prefix, site.store.group, checkpoints.values(), ANSWER_S)
    with site.tables(hub.created_at_s) as tables:
        bodiless = tables.without_body(partition, since)
        landed = _located(tables, partition, since)
    facts = site.partitions(ids)
    start = site.settings.eventhub.starting_position
    found = [
        Evidence(checkpoints[each], channels[each], landed.get(each), facts[each], bodiless.get(each))
        for each in sorted(ids, key=lambda one: (len(one), one))
    ]
    proven = tuple(prove(one, beginning(one, start, since)) for one in found)
    group, target = site.store.group, site.settings.snowflake
    return Proofs(
        proven=all(one.verdict != "refuted" for one in proven),
        source=group.hub,
        consumer_group=group.consumer_group,
        table=f"{target.database}.{target.schema}.{target.table}",
        pipe=_trust(target),
        since=since,
        partitions=proven,
    )


def _trust(target: SnowflakeSettings) -> str:
    """What is known of the pipe. What it does now says nothing of rows that an earlier definition loaded."""
    with closing(SqlSession(target)) as session:
        return look(session, target).trust


def _located(target: Target, partition: str | None, since: str | None) -> dict[str, Landed]:
    """One statement for all; two more for each partition where something is wrong, to say where."""
    return {
        partition_id: target.located(partition_id, since, landed) if landed.missing or landed.repeated else landed
        for partition_id, landed in target.landed(partition, since).items()
    }


def _moment(text: str) -> str:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"--since {text} is no time", str(error), "Write 2026-01-31T00:00:00Z.") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat()


def _refuse_refuted(proofs: Proofs) -> None:
    refuted = [one for one in proofs.partitions if one.verdict == "refuted"]
    if refuted:
        worst = refuted[0]
        raise DataRefused(
            f"{len(refuted)} of {len(proofs.partitions)} partitions are not proven",
            f"partition {worst.partition}: {worst.findings[0].text}",
            "docs/verify.md says what each finding means and what can be done.",
        )

"""`evsup verify`: proves that every event is in the table once."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec

from shared.config.settings import SnowflakeSettings
from shared.errors import DataRefused, EvsupError, UsageError
from shared.ipc.messages import ChannelStatus
from shared.model import Checkpoint, HubFacts, by_number
from shared.snowflake.session import SqlSession
from shared.snowflake.target_table import Bodiless, PartitionRows, Target
from shared.timeout import side_by_side
from supervisor.checkpoints.admin_session import AdminSession, open_session
from supervisor.checkpoints.channels import statuses_of_partitions
from supervisor.checkpoints.verification import Evidence, Proof, beginning, prove, unknown
from supervisor.commands import shared_options
from supervisor.commands.command import Command
from supervisor.commands.output import console, print_json
from supervisor.commands.progress import Progress
from supervisor.status.screens.checkpoints import proof_screen
from supervisor.target.target_check import check_target
from supervisor.version import JSON_VERSION

STATUSES_S = 20.0  # for the statuses of all channels
PARTITION_S = 10.0  # for the hub to answer for one partition, as in `evsup check`


class Proofs(msgspec.Struct, frozen=True, kw_only=True):
    """What `evsup verify --json` prints."""

    version: int = JSON_VERSION
    """Of the document."""
    proven: bool
    """Whether no partition is refuted, and none unknown."""
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


@click.command(
    cls=Command,
    page="docs/verify.md",
    examples={
        "evsup verify": "Every event of every partition.",
        "evsup verify --partition 3": "One partition only.",
        "evsup verify --since 2026-01-31T00:00:00Z": "Only events that the hub took since then.",
    },
)
@click.option("--partition", metavar="P", help="One partition only.")
@click.option("--since", metavar="TIME", help="Only events enqueued since this ISO 8601 time; UTC without an offset.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@shared_options.env_file
def verify(*, partition: str | None, since: str | None, as_json: bool, env_file: Path | None) -> None:
    """Prove that each event is in the table once: hub, channel token, checkpoint and table side by side.

    It only reads, and may run while the tree runs. Exit 0 proven, 65 when an event is missing or there twice.
    """
    since_time = None if since is None else _iso_time(since)
    with open_session(env_file) as session, Progress() as progress:
        sources = _read(session, partition, since_time, progress)
        found = list(_prove(session, sources, since_time, progress))
    proofs = _proofs(session, sources, since_time, [proof for proof, _ in found])
    if as_json:
        print_json(proofs)
    else:
        output = console()
        output.print(proof_screen(proofs.source, proofs.table, proofs.pipe, proofs.partitions, output.width))
    _refuse_refuted(proofs)
    _raise_first([error for _, error in found if error], len(found))


@dataclass(frozen=True, slots=True)
class _Sources:
    """What store, channels and table say, by partition, and the hub in which these are. Read in this order."""

    checkpoints: Mapping[str, Checkpoint]
    channels: Mapping[str, ChannelStatus]
    bodiless: Mapping[str, Bodiless]
    landed: Mapping[str, PartitionRows]
    hub: HubFacts
    pipe: str


def _read(session: AdminSession, partition: str | None, since: str | None, progress: Progress) -> _Sources:
    """Read the sources in the order that makes the proof hold while a tree runs; the hub's partitions are last."""
    progress.show("waiting for the hub")
    hub = session.hub_facts([partition] if partition is not None else [])
    settings = session.settings.snowflake
    with side_by_side(1, "pipe") as beside:
        # Beside the process that asks for the channels: to import the connector and sign in takes as long.
        pipe = beside.submit(_pipe_summary, settings)
        # The checkpoint before the token: then the token is at least as far.
        checkpoints = session.checkpoints(hub.partition_ids)
        progress.show(f"waiting for {len(checkpoints)} channels")
        channels = statuses_of_partitions(
            settings.channel_prefix, session.store.group, checkpoints.values(), STATUSES_S
        )
        # The table after the token: committed rows stay, so it has at least the rows up to it. It may have more by now,
        # but without gaps: the rows of a channel are committed in order. So timing never makes a gap or a second row.
        # https://docs.snowflake.com/en/user-guide/snowpipe-streaming/snowpipe-streaming-high-performance-overview
        progress.show("waiting for the table")
        with session.tables(hub.created_at_s) as tables:
            bodiless = tables.without_body(partition, since)
            landed = _located(tables, partition, since)
        return _Sources(checkpoints, channels, bodiless, landed, hub, pipe.result())


def _prove(
    session: AdminSession, sources: _Sources, since: str | None, progress: Progress
) -> Iterator[tuple[Proof, EvsupError | None]]:
    """Each partition, and why nothing is known of it when the hub did not answer."""
    start = session.settings.eventhub.starting_position
    ids = sorted(sources.hub.partition_ids, key=by_number)
    # Last: the hub's end has to be at or after everything that was read before. Its first event may leave retention
    # meanwhile, and then fewer rows are required, never more.
    answers = session.hub.ask_partitions(ids, sources.hub, PARTITION_S)
    for each in ids:
        progress.show(f"waiting for partition {each} of {len(ids)}")
        checkpoint, channel, landed = sources.checkpoints[each], sources.channels[each], sources.landed.get(each)
        try:
            evidence = Evidence(checkpoint, channel, landed, answers[each].result(), sources.bodiless.get(each))
        except EvsupError as error:
            yield unknown(checkpoint, channel, landed, error), error
        else:
            yield prove(evidence, beginning(evidence, start, since)), None


def _proofs(session: AdminSession, sources: _Sources, since: str | None, partitions: Sequence[Proof]) -> Proofs:
    group, target = session.store.group, session.settings.snowflake
    return Proofs(
        proven=all(one.verdict in ("proven", "nothing") for one in partitions),
        source=group.hub,
        consumer_group=group.consumer_group,
        table=f"{target.database}.{target.schema}.{target.table}",
        pipe=sources.pipe,
        since=since,
        partitions=tuple(partitions),
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


def _raise_first(failures: Sequence[EvsupError], partitions: int) -> None:
    """Raise why nothing is known of a partition, when nothing is wrong with any other."""
    if failures:
        first = failures[0]
        what = f"{len(failures)} of {partitions} partitions are unknown"
        raise type(first)(what, f"{first.what}: {first.why}", first.fix)

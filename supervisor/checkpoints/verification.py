"""Whether each event of a partition is in the table once: decided from four sources.

The hub knows which events can be read (first and last), the channel's token T and the checkpoint K say which rows are
committed, and the table has the rows. They are read in the order K, T, table, hub, so the result holds while the tree
runs: `supervisor.commands.verify` says why where it reads them.

| Events | Required |
|---|---|
| from where the rows begin up to T | one row for each sequence number |
| from T up to the table's last row | the same: these rows were committed after T was read |
| from T up to the hub's last event | no row yet: the lag |
| before the rows begin | nothing |

The rows begin after `begins_after` of the checkpoint where that is known (`@latest`, a checkpoint moved by hand), else
with the oldest event in the hub. With a starting time or `--since` they begin with the first row. Without a token the
checkpoint takes its place, unless the channel begins at the checkpoint.

An event whose row was rejected and quarantined has its one row in the quarantine, so the two tables are counted
together. Rejected rows that were not quarantined, and events that a person skipped, are missing like any others. The
finding says what is known of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import msgspec
from msgspec.structs import replace

from shared.counted import counted
from shared.errors import EvsupError, ResumeRefused
from shared.ipc.messages import ChannelStatus
from shared.model import LATEST, OLDEST, Checkpoint, lag
from shared.resume import decide

if TYPE_CHECKING:
    from shared.model import PartitionFacts
    from shared.snowflake.target_table import Bodiless, PartitionRows

Verdict = Literal["proven", "nothing", "refuted", "unknown"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is wrong. `first` and `last` are sequence numbers, None where they are not known."""

    kind: Literal["missing", "repeated", "no_body", "contradiction", "no_answer"]
    """[What each means](verify.md)."""
    text: str
    """A sentence for people."""
    count: int = 0
    """Of events, or of rows too many."""
    first: int | None = None
    """The first event that it is about."""
    last: int | None = None
    """The last one."""


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """One partition of `evsup verify`. All positions are sequence numbers; None: there is none."""

    partition: str
    """Its id."""
    verdict: Verdict
    """`nothing`: no row is required, and the table has none. `unknown`: the hub did not answer."""
    hub_first: int | None
    """The oldest event in the hub."""
    hub_last: int | None
    """The last one."""
    checkpoint: int | None
    """In the control store."""
    token: int | None
    """Of the channel."""
    generation: int
    """The channel's generation."""
    rejected: int
    """Rows that Snowflake rejected since the channel was created."""
    rows: int
    """In the table."""
    quarantined: int
    """Rejected rows in the quarantine. The other fields count them as if they were in the table."""
    first: int | None
    """The first event in the table."""
    last: int | None
    """The last one."""
    begins: str
    """With which event the rows have to begin, and why."""
    missing: int
    """Events that should be there and are not."""
    repeated: int
    """Rows too many."""
    lag: int | None
    """Events in the hub after the token; None where the hub did not answer."""
    findings: tuple[Finding, ...]
    """All that is wrong."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the four sources say of one partition. `landed` is None where the table has no row of it."""

    checkpoint: Checkpoint
    channel: ChannelStatus
    landed: "PartitionRows | None"
    partition: "PartitionFacts"
    bodiless: "Bodiless | None" = None


@dataclass(frozen=True, slots=True)
class Beginning:
    """The first sequence number that has to be in the table, and why. None: the one of the first row."""

    first: int | None
    reason: str


def beginning(evidence: Evidence, starting_position: str, since: str | None) -> Beginning:
    """Where the rows begin, as far as it is known."""
    checkpoint, partition = evidence.checkpoint, evidence.partition
    # Which event is the first one since a time, only the table's first row says.
    if since is not None:
        return Beginning(None, f"with the first row since {since}")
    if checkpoint.begins_after is not None:
        return Beginning(checkpoint.begins_after + 1, f"after event {checkpoint.begins_after}, as the checkpoint says")
    # A partition that was moved by hand begins with its oldest event, whatever the setting says.
    if checkpoint.channel_generation == 0 and starting_position not in (OLDEST, LATEST):
        return Beginning(None, f"with the first row: EVENTHUB_STARTING_POSITION={starting_position}")
    return Beginning(partition.oldest, f"with the oldest event in the hub, {partition.oldest}")


def prove(evidence: Evidence, begins: Beginning) -> Proof:
    """The verdict with all findings."""
    checkpoint, channel, partition = evidence.checkpoint, evidence.channel, evidence.partition
    findings = (
        *_contradictions(evidence),
        *_missing(evidence, begins),
        *_repeated(evidence.landed),
        *_bodiless(evidence.bodiless),
    )
    # Without a token nothing is committed in this channel; what the checkpoint knows was written to an earlier one.
    reached = checkpoint.durable_up_to if channel.token is None else channel.token
    return replace(
        _unjudged(checkpoint, channel, evidence.landed),
        verdict="refuted" if findings else "proven" if evidence.landed else "nothing",
        hub_first=None if partition.is_empty else partition.first,
        hub_last=None if partition.last < 0 else partition.last,
        begins=begins.reason,
        missing=sum(each.count for each in findings if each.kind == "missing"),
        lag=lag(partition.last, reached),
        findings=findings,
    )


def unknown(checkpoint: Checkpoint, channel: ChannelStatus, landed: "PartitionRows | None", error: EvsupError) -> Proof:
    """No verdict, because the hub did not answer; the finding says why."""
    finding = Finding(kind="no_answer", text=error.beside(f"partition {checkpoint.partition_id}"))
    return replace(_unjudged(checkpoint, channel, landed), findings=(finding,))


def _unjudged(checkpoint: Checkpoint, channel: ChannelStatus, landed: "PartitionRows | None") -> Proof:
    return Proof(
        partition=checkpoint.partition_id,
        verdict="unknown",
        hub_first=None,
        hub_last=None,
        checkpoint=checkpoint.sequence_number,
        token=channel.token,
        generation=checkpoint.channel_generation,
        rejected=channel.rows_error_count,
        rows=landed.rows - landed.quarantined if landed else 0,
        quarantined=landed.quarantined if landed else 0,
        first=landed.first if landed else None,
        last=landed.last if landed else None,
        begins="",
        missing=0,
        repeated=landed.repeated if landed else 0,
        lag=None,
        findings=(),
    )


def _committed(evidence: Evidence) -> int | None:
    """The last event whose row has to be there; None: no row has to."""
    checkpoint, token = evidence.checkpoint, evidence.channel.token
    if token is not None:
        return token
    # A channel that begins at its checkpoint, as after a move by hand, owes no row before its first.
    return None if checkpoint.sequence_number == checkpoint.begins_after else checkpoint.sequence_number


def _contradictions(evidence: Evidence) -> Iterator[Finding]:
    """Reasons for which a start would be refused, and rows of events that the hub never had."""
    try:
        decide(
            evidence.channel.token,
            evidence.checkpoint,
            evidence.partition,
            "fail",
            channel_exists=evidence.channel.exists,
        )
    except ResumeRefused as refusal:
        text = refusal.beside(f"partition {evidence.checkpoint.partition_id}")
        yield Finding(kind="contradiction", text=text)
    landed, partition = evidence.landed, evidence.partition
    if landed and landed.last > partition.last:
        text = f"the table has event {landed.last}, the hub's last is {partition.last}: another hub's rows"
        yield Finding(kind="contradiction", text=text, first=partition.last + 1, last=landed.last)


def _missing(evidence: Evidence, begins: Beginning) -> Iterator[Finding]:
    """One finding for each known range of missing events, and one with the number of all others."""
    landed = evidence.landed
    known = [*_before(landed, begins), *(landed.gaps if landed else ()), *_after(evidence, begins)]
    for numbers in known:
        text = f"{_events(numbers)} not in the table{_explained(numbers, evidence)}"
        yield Finding(kind="missing", text=text, count=len(numbers), first=numbers[0], last=numbers[-1])
    unnamed = landed.missing - sum(map(len, landed.gaps)) if landed else 0
    if unnamed > 0:
        more = "more " if landed and landed.gaps else ""
        yield Finding(kind="missing", text=f"{unnamed} {more}events are missing between the rows", count=unnamed)


def _before(landed: "PartitionRows | None", begins: Beginning) -> list[range]:
    """Missing events before the first row."""
    if landed is None or begins.first is None or begins.first >= landed.first:
        return []
    return [range(begins.first, landed.first)]


def _after(evidence: Evidence, begins: Beginning) -> list[range]:
    """Committed events after the last row."""
    committed, landed = _committed(evidence), evidence.landed
    if committed is None:
        return []
    if landed is not None:
        return [range(landed.last + 1, committed + 1)] if landed.last < committed else []
    if begins.first is None or begins.first > committed:
        return []
    return [range(begins.first, committed + 1)]


def _repeated(landed: "PartitionRows | None") -> Iterator[Finding]:
    if landed is None or not landed.repeated:
        return
    where = f", the first of event {landed.repeats[0]}" if landed.repeats else ""
    first, last = (landed.repeats[0], landed.repeats[-1]) if landed.repeats else (None, None)
    of_both = ", table and quarantine together" if landed.quarantined else ""
    text = f"{counted(landed.repeated, 'row')} too many{where}{of_both}"
    yield Finding(kind="repeated", text=text, count=landed.repeated, first=first, last=last)


def _bodiless(found: "Bodiless | None") -> Iterator[Finding]:
    """Rows without the body of their event."""
    if found is None:
        return
    rows = f"{counted(found.rows, 'row')} of events {found.first} to {found.last} hold no body"
    missing = f": the table has no column {' and no '.join(found.missing)}" if found.missing else ""
    text = f"{rows}, neither in PAYLOAD nor in RAW_BODY{missing}"
    yield Finding(kind="no_body", text=text, count=found.rows, first=found.first, last=found.last)


def _explained(numbers: range, evidence: Evidence) -> str:
    """Why they may be missing, if anything is known."""
    checkpoint, quarantined = evidence.checkpoint, evidence.landed.quarantined if evidence.landed else 0
    rejected = evidence.channel.rows_error_count - quarantined
    if rejected > 0:
        reason = evidence.channel.last_error or "no message"
        return f"; Snowflake rejected {counted(rejected, 'row')} of this channel ({reason})"
    if checkpoint.channel_generation and checkpoint.begins_after is not None and numbers[-1] <= checkpoint.begins_after:
        return f"; the present channel begins after event {checkpoint.begins_after}"
    return ""


def _events(numbers: range) -> str:
    if len(numbers) == 1:
        return f"event {numbers[0]} is"
    return f"{len(numbers)} events, {numbers[0]} to {numbers[-1]}, are"

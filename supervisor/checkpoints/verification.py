"""Whether a partition's events are in the table, each once: a pure decision over four witnesses.

The hub says what can be read (first and last event), the channel's token T and the checkpoint K what is committed, the
table what is there. They are read in the order K, T, table, hub, and so the answer holds while the tree runs:

- T is at least K, and the table has at least what T says, for what is committed stays. It may have more by then, in
  order, because Snowflake commits a channel's rows in order: a gap or a second row is never a matter of timing.
- The hub's last event is not before any of these. Its first may have left meanwhile; what is then asked of the table
  is less, never more.

| Between | Has to be |
|---|---|
| where the rows begin, and T | one row a sequence number |
| T and the table's last row | the same: committed since T was read |
| T and the hub's last event | nothing yet: the lag |
| before where the rows begin | nothing is asked of |

Rows begin after `begins_after` of the checkpoint where that is known (`@latest`, a checkpoint moved by hand), else with
the oldest event that the hub has, else (a starting time, or `--since`) with the first row. Without a token the
checkpoint takes its place, unless it is where the channel begins.

An event whose row Snowflake rejected and evsup set aside has its one row in the quarantine: of the two tables together
the same is asked. Rejected rows that nobody set aside, and events that a person skipped, are missing like all others:
the finding says so.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import msgspec

from shared.errors import ResumeRefused
from shared.ipc.messages import ChannelStatus
from shared.model import Checkpoint, lag
from shared.resume import decide

if TYPE_CHECKING:
    from shared.model import PartitionFacts
    from shared.snowflake.target_table import Bodiless, Landed

Verdict = Literal["proven", "nothing", "refuted"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something that does not hold. `first` and `last` are sequence numbers, None where the place is not known."""

    kind: Literal["missing", "repeated", "no_body", "contradiction"]
    text: str
    count: int = 0
    first: int | None = None
    last: int | None = None


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """One partition of `evsup verify`. All positions are sequence numbers; None: there is none."""

    partition: str
    verdict: Verdict
    """`nothing`: no row has to be there, and none is."""
    hub_first: int | None
    hub_last: int | None
    checkpoint: int | None
    token: int | None
    generation: int
    """Of the channel."""
    rejected: int
    """Rows that Snowflake did not take, since the channel was created."""
    rows: int
    """In the table."""
    quarantined: int
    """Rejected rows in the quarantine; for everything else they count as if they were in the table."""
    first: int | None
    last: int | None
    begins: str
    """Why the first row that has to be there is the one it is."""
    missing: int
    repeated: int
    lag: int
    """Events in the hub beyond the token."""
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the four say of one partition; `landed` is None where the table has no row of it."""

    checkpoint: Checkpoint
    channel: ChannelStatus
    landed: "Landed | None"
    partition: "PartitionFacts"
    bodiless: "Bodiless | None" = None


@dataclass(frozen=True, slots=True)
class Beginning:
    """The first sequence number that has to be in the table, None when that is the first row's; and why."""

    first: int | None
    reason: str


def beginning(evidence: Evidence, starting_position: str, since: str | None) -> Beginning:
    """Where the rows begin, as far as anybody knows."""
    checkpoint, partition = evidence.checkpoint, evidence.partition
    if since is not None:
        return Beginning(None, f"with the first row since {since}")
    if checkpoint.begins_after is not None:
        return Beginning(checkpoint.begins_after + 1, f"after event {checkpoint.begins_after}, as the checkpoint says")
    if checkpoint.channel_generation == 0 and starting_position not in ("-1", "@latest"):
        return Beginning(None, f"with the first row: EVENTHUB_STARTING_POSITION={starting_position}")
    return Beginning(partition.oldest, f"with the oldest event in the hub, {partition.oldest}")


def prove(evidence: Evidence, begins: Beginning) -> Proof:
    """The verdict, and everything that speaks against."""
    checkpoint, channel, landed, partition = (
        evidence.checkpoint,
        evidence.channel,
        evidence.landed,
        evidence.partition,
    )
    findings = (
        *_contradictions(evidence),
        *_missing(evidence, begins),
        *_repeated(landed),
        *_bodiless(evidence.bodiless),
    )
    reached = checkpoint.reached if channel.token is None else channel.token
    return Proof(
        partition=checkpoint.partition_id,
        verdict="refuted" if findings else "proven" if landed else "nothing",
        hub_first=None if partition.is_empty else partition.first,
        hub_last=None if partition.last < 0 else partition.last,
        checkpoint=checkpoint.sequence_number,
        token=channel.token,
        generation=checkpoint.channel_generation,
        rejected=channel.rows_error_count,
        rows=landed.rows - landed.quarantined if landed else 0,
        quarantined=landed.quarantined if landed else 0,
        first=landed.first if landed else None,
        last=landed.last if landed else None,
        begins=begins.reason,
        missing=sum(each.count for each in findings if each.kind == "missing"),
        repeated=landed.repeated if landed else 0,
        lag=lag(partition.last, reached),
        findings=findings,
    )


def _committed(evidence: Evidence) -> int | None:
    """The last event whose row has to be there; None: no row has to."""
    checkpoint, token = evidence.checkpoint, evidence.channel.token
    if token is not None:
        return token
    return None if checkpoint.sequence_number == checkpoint.begins_after else checkpoint.sequence_number


def _contradictions(evidence: Evidence) -> Iterator[Finding]:
    """What a start would refuse as well, and rows of events that the hub never had."""
    try:
        decide(
            evidence.channel.token,
            evidence.checkpoint,
            evidence.partition,
            "fail",
            now_s=time.time(),
            channel_exists=evidence.channel.exists,
        )
    except ResumeRefused as refusal:
        yield Finding(kind="contradiction", text=f"{refusal.what}: {refusal.why}")
    landed, partition = evidence.landed, evidence.partition
    if landed and landed.last > partition.last:
        text = f"the table has event {landed.last}, the hub's last is {partition.last}: another hub's rows"
        yield Finding(kind="contradiction", text=text, first=partition.last + 1, last=landed.last)


def _missing(evidence: Evidence, begins: Beginning) -> Iterator[Finding]:
    """Every run of missing events that can be named, and how many more there are."""
    landed = evidence.landed
    known = [*_before(landed, begins), *(landed.gaps if landed else ()), *_behind(evidence, begins)]
    for numbers in known:
        text = f"{_events(numbers)} not in the table{_explained(numbers, evidence)}"
        yield Finding(kind="missing", text=text, count=len(numbers), first=numbers[0], last=numbers[-1])
    unnamed = landed.missing - sum(map(len, landed.gaps)) if landed else 0
    if unnamed > 0:
        more = "more " if landed and landed.gaps else ""
        yield Finding(kind="missing", text=f"{unnamed} {more}events are missing between the rows", count=unnamed)


def _before(landed: "Landed | None", begins: Beginning) -> list[range]:
    """Those before the first row."""
    if landed is None or begins.first is None or begins.first >= landed.first:
        return []
    return [range(begins.first, landed.first)]


def _behind(evidence: Evidence, begins: Beginning) -> list[range]:
    """Those between the last row and the last one committed."""
    committed, landed = _committed(evidence), evidence.landed
    if committed is None:
        return []
    if landed is not None:
        return [range(landed.last + 1, committed + 1)] if landed.last < committed else []
    if begins.first is None or begins.first > committed:
        return []
    return [range(begins.first, committed + 1)]


def _repeated(landed: "Landed | None") -> Iterator[Finding]:
    if landed is None or not landed.repeated:
        return
    where = f", the first of event {landed.repeats[0]}" if landed.repeats else ""
    first, last = (landed.repeats[0], landed.repeats[-1]) if landed.repeats else (None, None)
    counted = ", table and quarantine together" if landed.quarantined else ""
    text = f"{landed.repeated} {'row' if landed.repeated == 1 else 'rows'} too many{where}{counted}"
    yield Finding(kind="repeated", text=text, count=landed.repeated, first=first, last=last)


def _bodiless(found: "Bodiless | None") -> Iterator[Finding]:
    """Rows that count as events and hold nothing of them."""
    if found is None:
        return
    rows = f"{found.rows} {'row' if found.rows == 1 else 'rows'} of events {found.first} to {found.last} hold no body"
    missing = f": the table has no column {' and no '.join(found.missing)}" if found.missing else ""
    text = f"{rows}, neither in PAYLOAD nor in RAW_BODY{missing}"
    yield Finding(kind="no_body", text=text, count=found.rows, first=found.first, last=found.last)


def _explained(numbers: range, evidence: Evidence) -> str:
    """What may have become of them, where anything is known."""
    checkpoint, set_aside = evidence.checkpoint, evidence.landed.quarantined if evidence.landed else 0
    rejected = evidence.channel.rows_error_count - set_aside
    if rejected > 0:
        return f"; Snowflake rejected {rejected} rows of this channel ({evidence.channel.last_error or 'no message'})"
    if checkpoint.channel_generation and checkpoint.begins_after is not None and numbers[-1] <= checkpoint.begins_after:
        return f"; the present channel begins after event {checkpoint.begins_after}"
    return ""


def _events(numbers: range) -> str:
    if len(numbers) == 1:
        return f"event {numbers[0]} is"
    return f"{len(numbers)} events, {numbers[0]} to {numbers[-1]}, are"

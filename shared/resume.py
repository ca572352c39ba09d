"""Where a worker starts to read: decided from channel token, checkpoint and partition facts.

The channel's committed token C says what is in the table, the checkpoint K what was confirmed to us, and the partition
what can still be read. Where the three do not fit together every start would be a guess, and a guess loses or repeats
events: it is refused, with what a person can do.

| token C | checkpoint K | then |
|---|---|---|
| C | none | go from C + 1: the process ended between the first commit and its checkpoint |
| C = K | K | go from K + 1 |
| C > K | K | go from C + 1: the checkpoint was behind, as it is after every crash |
| C < K | K | refuse: rows that were committed are not in this channel any more |
| none | K | refuse: the channel was dropped, or expired after 30 idle days |
| none | K, and nothing was written after it, and no rejection is still to be counted | begin the next channel after K |
| none | none | a fresh partition (below); after a reset, from the oldest retained event |
| none | K, where the channel begins | go from K + 1: nothing is committed in it yet |
| none: no such channel, although it was opened | none, or K where it begins | refuse, if events were received since |
| C | the channel was never opened | refuse: it is not new |
| beyond the partition's last event, or another hub creation time | | refuse: the hub was recreated or failed over |
| another event under K's number (`worker/source/continuity`) | K | refuse: the hub failed over and gave it again |
| older than the oldest retained event | | refuse or warn (`EVENTHUB_ON_GAP`): events are lost already |

`EVENTHUB_STARTING_POSITION` is for a fresh group: its first start writes a row for every partition of the hub, with the
number K that `@latest` was (`supervisor/ownership/initial_positions`). A partition without such a row is read from its
oldest event: it was added to the hub since, or the group has positions of another origin, and to skip its events would
hide them.

A channel begins at K when `@latest` was K at the first start, or when a person moved the checkpoint there with
`evsup checkpoints`; that takes the next channel of the partition, for the token of the present one would contradict it.

Nothing was written after K when K is the partition's last event, or when the worker that lost its channel wrote no
further. Whatever is in the hub after K then comes into the next channel, and nothing twice. Rows that were rejected in
the lost channel stay counted where they were: the next one counts from 0. So one that was not counted yet would never
be, and a channel that is lost within a minute of its last commit is for a person to judge. One that expired was idle
for much longer.

An open creates a channel that does not exist, and then it looks like one that never had a row. So where no checkpoint
says what was written to a channel that was opened before, it is asked whether the channel exists before it is opened.

Channels expire: https://docs.snowflake.com/en/user-guide/snowpipe-streaming/snowpipe-streaming-channels
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from shared.clock import utc
from shared.errors import ResumeRefused
from shared.model import OLDEST, Checkpoint

if TYPE_CHECKING:
    from shared.model import PartitionFacts

NO_CHANNEL = (
    "this pipe has no such channel: it expired, was dropped, ended with a table or a pipe that was replaced, or"
    " SNOWFLAKE_PIPE, SNOWFLAKE_TABLE, SNOWFLAKE_CHANNEL_PREFIX or the port :5671 after the namespace changed"
)
GO_ON_WITHOUT = "Run `EVENTHUB_ON_GAP=warn evsup start` once to go on without them."
# A status is read once a second and a commit takes some seconds: a count of rejected rows that comes later than this is
# refused, because the row is not found then.
SETTLED_AFTER_S = 60.0
NOTHING = -1  # no event has this number
CREATION_TOLERANCE_S = 1.0  # created_at has milliseconds on the wire and passes through a database's timestamp


@dataclass(frozen=True, slots=True)
class Resume:
    """Read from the event after sequence number `after`; None: from the configured starting position."""

    after: int | None
    reason: str
    lost: int = 0
    """Events that left retention unread; above zero only with `EVENTHUB_ON_GAP=warn`."""
    begins_next: bool = False
    """Whether the channel is lost and the partition's next one begins after `after`."""


def decide(
    token: int | None,
    checkpoint: Checkpoint,
    partition: "PartitionFacts",
    on_gap: Literal["fail", "warn"],
    written: int | None = None,
    *,
    channel_exists: bool = True,
) -> Resume:
    """Where to start, or `ResumeRefused`. `token` is the one that this open of the checkpoint's channel returned.

    `written` is the last event that the worker who asks has written to the channel, when it was committed; `NOTHING`:
    the channel had no row, and the worker has written none; None: nobody knows. `channel_exists` is for those
    who look at a channel without opening it; who opens it calls `refuse_unseen_rows` before.
    """
    # First: every number below is of the checkpoint's hub, and says nothing of another one.
    refuse_another_hub(checkpoint.partition_id, checkpoint.hub_created_at_s, partition.hub_created_at_s)
    if not channel_exists:
        refuse_unseen_rows(checkpoint, partition)
    # Before the position: a new channel with a token would make a moved checkpoint look like one that is late.
    _refuse_used_channel(token, checkpoint)
    # Asked of the hub, too: what is not in the lost channel has to come from there.
    begins_next = token is None and _ends_at_checkpoint(checkpoint, partition, written)
    if begins_next:
        _refuse_unsettled(checkpoint)
    position, reason = _position(token, checkpoint, begins_next=begins_next)
    if position is None:
        return Resume(None, reason)
    # Also of a token that agrees with its checkpoint: both may be of events that the hub has lost.
    _refuse_beyond_end(checkpoint, position, partition)
    lost = max(0, partition.oldest - (position + 1))
    if lost:
        story = f"events {position + 1} to {position + lost} left retention before they were read"
        if on_gap == "fail":
            fix = f"Nothing can bring them back. {GO_ON_WITHOUT}"
            raise ResumeRefused(f"Partition {checkpoint.partition_id}: {lost} events are lost", story, fix)
        reason = f"{reason}; {story}"
    return Resume(position + lost, reason, lost, begins_next)


def refuse_unseen_rows(checkpoint: Checkpoint, partition: "PartitionFacts") -> None:
    """Raise `ResumeRefused` when the channel does not exist and its first rows may be in the table.

    To be asked before the channel is opened: that would create it, and a new channel looks like one in which nothing
    was ever committed. The first row can only be of an event that the partition has had.
    """
    first = checkpoint.unsettled_from
    if not checkpoint.may_miss_rows or (first is not None and partition.last < first):
        return
    partition_id = checkpoint.partition_id
    raise ResumeRefused(
        f"Partition {partition_id}: its channel does not exist any more, and no checkpoint was written since a worker"
        " opened it",
        f"{NO_CHANNEL}; rows of events up to {partition.last} may be in the table already",
        f"{_set_back(partition_id)}, or {_begin_again(checkpoint)}.",
    )


def _begin_again(checkpoint: Checkpoint) -> str:
    """What to type when the table has no row of the lost channel: begin where that one began."""
    first = checkpoint.unsettled_from
    before = checkpoint.durable_up_to if first is None else first - 1
    if before is None or before < 0:
        return f"`{reset_command(checkpoint.partition_id, None)}` if the table has no row of the partition"
    command = _move_command(replace(checkpoint, sequence_number=before))
    return f"`{command}` if the table has no row of a later event than {before}"


def _ends_at_checkpoint(checkpoint: Checkpoint, partition: "PartitionFacts", written: int | None) -> bool:
    """Whether the lost channel has no row after the checkpoint's event, for sure.

    Either the worker itself knows, or that event is the last one of the hub.
    """
    k = checkpoint.sequence_number
    if k is None or k == checkpoint.begins_after:
        return False
    return k == written or (k == partition.last and _is_its_last(checkpoint, partition))


def _refuse_unsettled(checkpoint: Checkpoint) -> None:
    """Raise when rows of the lost channel may have been rejected that nobody has counted: its count is lost with it."""
    k, first, age_s = checkpoint.sequence_number, checkpoint.unsettled_from, checkpoint.age_s
    is_settled = k is not None and first == k + 1
    is_old = age_s is not None and age_s >= SETTLED_AFTER_S
    if is_settled or is_old:
        return
    raise ResumeRefused(
        f"Partition {checkpoint.partition_id}: the checkpoint is at {k}, but the channel has no token",
        f"{NO_CHANNEL}, less than {SETTLED_AFTER_S:.0f} s after its last commit: rows up to event {k} may have been"
        " rejected without being counted yet",
        f"{_set_back(checkpoint.partition_id)}; verify says whether rows are missing.",
    )


def _is_its_last(checkpoint: Checkpoint, partition: "PartitionFacts") -> bool:
    """Whether the hub's last event is the checkpoint's, and not another one under its number: a hub that was recreated,
    or failed over to a replica, gives numbers again. Where no offset decides, the first receiver looks at the event's
    time (`worker/source/continuity`).
    """
    if checkpoint.hub_created_at_s is None:
        return False
    if checkpoint.offset is None or partition.last_offset is None:
        return checkpoint.enqueued_at_s is not None and not partition.is_empty
    return checkpoint.offset == partition.last_offset


def _position(token: int | None, checkpoint: Checkpoint, *, begins_next: bool) -> tuple[int | None, str]:
    partition_id = checkpoint.partition_id
    match token, checkpoint.sequence_number:
        case None, None if checkpoint.channel_generation:
            return None, "reset to the oldest event, and nothing is committed since"
        case None, None if checkpoint.begins_after is not None:
            return checkpoint.begins_after, "from the end that the partition had when the group began (@latest)"
        case None, None:
            return None, "neither token nor checkpoint: a fresh partition"
        case None, int(k) if k == checkpoint.begins_after:
            return k, f"the channel begins after event {k}, and nothing is committed in it yet"
        case None, int(k) if begins_next:
            return k, f"{NO_CHANNEL}; nothing was written to it after event {k}: the next one begins there"
        case None, int(k):
            raise ResumeRefused(
                f"Partition {partition_id}: the checkpoint is at {k}, but the channel has no token",
                f"{NO_CHANNEL}; events after the checkpoint may be in the table",
                f"{_set_back(partition_id)}.",
            )
        case int(c), None:
            return c, "token without a checkpoint: the first checkpoint was not written"
        case int(c), int(k) if c < k:
            raise ResumeRefused(
                f"Partition {partition_id}: the channel's token {c} is behind the checkpoint {k}",
                f"the rows {c + 1} to {k} were committed once and are not in this channel",
                f"A table, pipe or channel was replaced: {_table_end(partition_id)}.",
            )
        case int(c), int(k) if c > k:
            return c, f"the checkpoint {k} was behind the token"
        case c, _:
            return c, "token and checkpoint agree"


def _refuse_used_channel(token: int | None, checkpoint: Checkpoint) -> None:
    if checkpoint.begins_channel and token is not None:
        raise ResumeRefused(
            f"Partition {checkpoint.partition_id}: its new channel {checkpoint.channel_generation} has the token"
            f" {token} already",
            f"the checkpoint was moved to {checkpoint.sequence_number}; another control store has used this channel",
            f"Run `{_move_command(checkpoint)}` again: it takes the next channel.",
        )


def _move_command(checkpoint: Checkpoint) -> str:
    """The command that moved the checkpoint to where it is."""
    if checkpoint.sequence_number is None:
        return reset_command(checkpoint.partition_id, None)
    return f"evsup checkpoints set --partition {checkpoint.partition_id} --sequence-number {checkpoint.sequence_number}"


def is_another_hub(known_s: float | None, created_at_s: float) -> bool:
    """Whether the hub that was created at `known_s` (None: nobody knows) is gone, and another one has its name."""
    return known_s is not None and abs(known_s - created_at_s) > CREATION_TOLERANCE_S


def refuse_another_hub(partition_id: str, known_s: float | None, created_at_s: float) -> None:
    """Raise `ResumeRefused` unless a hub is the one that was created at `known_s` (None: nobody knows)."""
    if known_s is not None and is_another_hub(known_s, created_at_s):
        raise ResumeRefused(
            f"Partition {partition_id}: the event hub is not the one of the checkpoint",
            f"it was created at {utc(created_at_s)}, the checkpoint's at {utc(known_s)}",
            "Sequence numbers of a recreated hub begin anew. Run `evsup checkpoints reset --all --to -1` to read it"
            " from its oldest event on, or give it a new EVENTHUB_CONSUMER_GROUP.",
        )


def counted_back(partition_id: str, counted: int, known: int) -> ResumeRefused:
    """The error for a count of rejected rows below the one known before: it would hide as many of them."""
    return ResumeRefused(
        f"Partition {partition_id}: Snowflake's count of rejected rows went back from {known} to {counted}",
        "a channel's count never shrinks, so this is another channel under the same name, or the checkpoint is wrong",
        f"Run `{accept_command(partition_id, counted)}` to go on; verify says whether rows are missing.",
    )


def accept_command(partition_id: str, rejected: int) -> str:
    """The command that goes on without the rows that Snowflake has counted as rejected so far."""
    return f"evsup checkpoints set --partition {partition_id} --rejected-rows {rejected}"


def reset_command(partition_id: str, after: datetime | None) -> str:
    """The command that begins a partition with the first event enqueued later than `after`; None: with its oldest."""
    to = OLDEST if after is None else (after + timedelta(milliseconds=1)).isoformat(timespec="milliseconds")
    return f"evsup checkpoints reset --partition {partition_id} --to {to}"


def _refuse_beyond_end(checkpoint: Checkpoint, position: int, partition: "PartitionFacts") -> None:
    """What the hub lost was read before; what it has received since comes after that."""
    if position <= partition.last:
        return
    read_s = _read_s(checkpoint, position)
    read = None if read_s is None else datetime.fromtimestamp(read_s, UTC)
    raise ResumeRefused(
        f"Partition {checkpoint.partition_id}: position {position} is beyond the last event {partition.last}",
        "the hub was recreated, or failed over to a replica that had not received everything",
        f"Run `{reset_command(checkpoint.partition_id, read)}`: it begins with the first event received after that.",
    )


def _read_s(checkpoint: Checkpoint, position: int) -> float | None:
    """Unix time by which all that was read was enqueued: of the position's event or, where that is not known, of the
    checkpoint's write.
    """
    if checkpoint.sequence_number is None:
        return None
    is_known = checkpoint.sequence_number == position and checkpoint.enqueued_at_s is not None
    return checkpoint.enqueued_at_s if is_known else checkpoint.updated_at_s


def _set_back(partition_id: str) -> str:
    return f"If a setting changed, set it back; else {_table_end(partition_id)}"


def _table_end(partition_id: str) -> str:
    return (
        f"run `evsup checkpoints set --partition {partition_id} --table-end` to go on after the last row in the table"
    )

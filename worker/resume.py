"""Where a worker starts to read: one pure decision over three witnesses.

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
| none | none | a fresh partition: `EVENTHUB_STARTING_POSITION` |
| beyond the partition's last event, or another birth of the hub | | refuse: the hub was recreated or failed over |
| older than the oldest retained event | | refuse or warn (`EVENTHUB_ON_GAP`): events are lost already |

Channels expire: https://docs.snowflake.com/en/user-guide/snowpipe-streaming/snowpipe-streaming-channels
"""

from dataclasses import dataclass
from typing import Literal

from shared.azure import PartitionFacts
from shared.errors import ResumeRefused
from shared.store.types import Checkpoint

BIRTH_TOLERANCE_S = 1.0  # created_at has milliseconds on the wire and passes through a database's timestamp


@dataclass(frozen=True, slots=True)
class Resume:
    """Read from the event after sequence number `after`; None: from the configured starting position."""

    after: int | None
    reason: str
    lost: int = 0
    """Events that left retention unread; above zero only with `EVENTHUB_ON_GAP=warn`."""


def decide(
    partition_id: str,
    token: int | None,
    checkpoint: Checkpoint | None,
    partition: PartitionFacts,
    on_gap: Literal["fail", "warn"],
) -> Resume:
    """Where to start, or `ResumeRefused`. `token` is the one that this open of the channel returned."""
    refuse_another_hub(partition_id, checkpoint.hub_created_at_s if checkpoint else None, partition.hub_created_at_s)
    position, reason = _position(partition_id, token, checkpoint.sequence_number if checkpoint else None)
    if position is None:
        return Resume(None, reason)
    _refuse_beyond_end(partition_id, position, partition)
    lost = _events_lost(position, partition)
    if not lost:
        return Resume(position, reason)
    story = f"events {position + 1} to {position + lost} left retention before they were read"
    if on_gap == "fail":
        raise ResumeRefused(
            f"Partition {partition_id}: {lost} events are lost",
            story,
            "Nothing can bring them back; start once with EVENTHUB_ON_GAP=warn to go on without them.",
        )
    return Resume(position + lost, f"{reason}; {story}", lost)


def _position(partition_id: str, token: int | None, checkpoint: int | None) -> tuple[int | None, str]:
    match token, checkpoint:
        case None, None:
            return None, "neither token nor checkpoint: a fresh partition"
        case None, int(k):
            raise ResumeRefused(
                f"Partition {partition_id}: the checkpoint is at {k}, but the channel has no token",
                "it was dropped, or expired after 30 days without rows, or another pipe or channel prefix is set",
                "Look where the table ends (max SEQUENCE_NUMBER of the partition). Set SNOWFLAKE_PIPE and"
                " SNOWFLAKE_CHANNEL_PREFIX back to what they were; or, only if the table holds nothing of the"
                " partition, delete its row in evsup_checkpoint to read it anew from EVENTHUB_STARTING_POSITION.",
            )
        case int(c), None:
            return c, "token without a checkpoint: the first checkpoint was not written"
        case int(c), int(k) if c < k:
            raise ResumeRefused(
                f"Partition {partition_id}: the channel's token {c} is behind the checkpoint {k}",
                f"the rows {c + 1} to {k} were committed once and are not in this channel",
                "Compare the table's newest SEQUENCE_NUMBER of the partition with both: a table, pipe or channel was"
                " replaced. Set back the row in evsup_checkpoint only if the table ends where the token does.",
            )
        case int(c), int(k) if c > k:
            return c, f"the checkpoint {k} was behind the token"
        case c, _:
            return c, "token and checkpoint agree"


def refuse_another_hub(partition_id: str, known_s: float | None, created_at_s: float) -> None:
    """Raise `ResumeRefused` unless a hub is the one that was created at `known_s` (None: nobody knows)."""
    if known_s is not None and abs(known_s - created_at_s) > BIRTH_TOLERANCE_S:
        raise ResumeRefused(
            f"Partition {partition_id}: the event hub is not the one of the checkpoint",
            f"it was created at {created_at_s:.0f} (Unix time), the checkpoint's at {known_s:.0f}",
            "Sequence numbers of a recreated hub begin anew. Give it a new EVENTHUB_CONSUMER_GROUP or"
            " SNOWFLAKE_CHANNEL_PREFIX, or delete the group's rows in evsup_checkpoint and drop its channels.",
        )


def _refuse_beyond_end(partition_id: str, position: int, partition: PartitionFacts) -> None:
    if position > partition.last:
        raise ResumeRefused(
            f"Partition {partition_id}: position {position} is beyond the last event {partition.last}",
            "the hub was recreated, or failed over to a replica that had not received everything",
            "Compare the partition's newest events with the table before any position is set.",
        )


def _events_lost(position: int, partition: PartitionFacts) -> int:
    oldest = partition.last + 1 if partition.is_empty else partition.first
    return max(0, oldest - (position + 1))

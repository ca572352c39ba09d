"""Where a start would resume a partition, or why it would refuse: the worker's own decision, made from outside."""

from typing import Literal

from shared.errors import RowsRejected
from shared.ipc.messages import ChannelStatus
from shared.model import Checkpoint, PartitionFacts
from shared.resume import counted_back, decide
from supervisor.check.runner import Outcome


def start_outcome(
    checkpoint: Checkpoint,
    channel: ChannelStatus,
    partition: PartitionFacts,
    on_gap: Literal["fail", "warn"],
    *,
    quarantines: bool,
) -> Outcome:
    """What a start would do. Raises the error that it would end with."""
    decided = decide(channel.token, checkpoint, partition, on_gap, channel_exists=channel.exists)
    # The next channel counts rejected rows from 0.
    rejected = 0 if decided.begins_next else channel.rows_error_count - checkpoint.rows_error_count
    if rejected < 0:
        raise counted_back(checkpoint.partition_id, channel.rows_error_count, checkpoint.rows_error_count)
    if rejected > 0 and not quarantines:
        raise _rows_rejected(checkpoint.partition_id, rejected, channel)
    if rejected > 0:
        reason = channel.last_error or "no message"
        return Outcome(f"{rejected} rows were rejected ({reason}): a start quarantines them", "warn")
    if decided.lost:
        return Outcome(decided.reason, "warn", "EVENTHUB_ON_GAP=warn goes on without them.")
    after = "at the starting position" if decided.after is None else f"after event {decided.after}"
    return Outcome(f"resumes {after}: {decided.reason}")


def _rows_rejected(partition_id: str, rejected: int, channel: ChannelStatus) -> RowsRejected:
    return RowsRejected(
        f"Snowflake rejected {rejected} rows of partition {partition_id}",
        channel.last_error or "no message was given",
        f"Correct the table or the sender, then run `evsup checkpoints set --partition {partition_id}"
        f" --rejected-rows {channel.rows_error_count}` to go on without them.",
    )

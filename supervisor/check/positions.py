"""Whether a start of a partition would be refused: the worker's own decision, on what can be read from outside."""

import time
from typing import Literal

from shared.errors import RowsRejected
from shared.ipc.messages import ChannelStatus
from shared.model import Checkpoint, PartitionFacts
from shared.resume import counted_back, decide
from supervisor.check.runner import Answer


def reconciled(
    checkpoint: Checkpoint,
    channel: ChannelStatus,
    partition: PartitionFacts,
    on_gap: Literal["fail", "warn"],
    on_reject: Literal["fail", "quarantine"],
) -> Answer:
    """What a start would do. Raises what it would end with."""
    decided = decide(channel.token, checkpoint, partition, on_gap, now_s=time.time(), channel_exists=channel.exists)
    rejected = 0 if decided.begins_next else channel.rows_error_count - checkpoint.rows_error_count
    if rejected < 0:
        raise counted_back(checkpoint.partition_id, channel.rows_error_count, checkpoint.rows_error_count)
    if rejected > 0 and on_reject == "quarantine":
        return Answer(
            f"{rejected} rows were rejected ({channel.last_error or 'no message'}): they are set aside", "warn"
        )
    if rejected > 0:
        raise RowsRejected(
            f"Snowflake rejected {rejected} rows of partition {checkpoint.partition_id}",
            channel.last_error or "no message was given",
            "Correct the table or the sender, then run `evsup checkpoints set --partition"
            f" {checkpoint.partition_id} --rejected-rows {channel.rows_error_count}` to go on without them.",
        )
    if decided.lost:
        return Answer(decided.reason, "warn", "EVENTHUB_ON_GAP=warn goes on without them.")
    goes_on = "the starting position" if decided.after is None else str(decided.after)
    return Answer(f"goes on after {goes_on}: {decided.reason}")

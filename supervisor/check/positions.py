"""Where a start would resume a partition, or why it would refuse: the worker's own decision, made from outside."""

from shared.config.settings import EventHubSettings
from shared.counted import counted
from shared.errors import RowsRejected
from shared.ipc.messages import ChannelStatus
from shared.model import LATEST, OLDEST, Checkpoint, PartitionFacts
from shared.resume import accept_command, counted_back, decide
from supervisor.check.runner import Outcome


def start_outcome(
    checkpoint: Checkpoint,
    channel: ChannelStatus,
    partition: PartitionFacts,
    settings: EventHubSettings,
    *,
    quarantines: bool,
) -> Outcome:
    """What a start would do. Raises the error that it would end with."""
    decided = decide(channel.token, checkpoint, partition, settings.on_gap, channel_exists=channel.exists)
    # The next channel counts rejected rows from 0.
    rejected = 0 if decided.begins_next else channel.rows_error_count - checkpoint.rows_error_count
    if rejected < 0:
        raise counted_back(checkpoint.partition_id, channel.rows_error_count, checkpoint.rows_error_count)
    if rejected > 0 and not quarantines:
        raise _rows_rejected(checkpoint.partition_id, rejected, channel)
    if rejected > 0:
        reason = channel.last_error or "no message"
        return Outcome(f"Snowflake rejected {counted(rejected, 'row')} ({reason}): a start quarantines them", "warn")
    if decided.lost:
        return Outcome(decided.reason, "warn", "EVENTHUB_ON_GAP=warn goes on without them.")
    if decided.after is None:
        return Outcome(f"begins {_beginning(checkpoint, partition, settings.starting_position)}; {decided.reason}")
    return Outcome(f"resumes after event {decided.after}: {decided.reason}")


def _beginning(checkpoint: Checkpoint, partition: PartitionFacts, starting_position: str) -> str:
    """Where a partition begins that has neither token nor position: as `worker.opening`, and as a first start."""
    setting = f"(EVENTHUB_STARTING_POSITION={starting_position})"
    has_row = checkpoint.hub_created_at_s is not None
    if checkpoint.begins_with_oldest or (starting_position == LATEST and has_row):
        return "with its oldest event"
    if starting_position == OLDEST or (starting_position == LATEST and partition.last < 0):
        return f"with its oldest event {setting}"
    if starting_position == LATEST:
        return f"after event {partition.last}, its last one now {setting}"
    return f"with its first event from then on {setting}"


def _rows_rejected(partition_id: str, rejected: int, channel: ChannelStatus) -> RowsRejected:
    return RowsRejected(
        f"Snowflake rejected {counted(rejected, 'row')} of partition {partition_id}",
        channel.last_error or "no message was given",
        f"Correct the table or the sender, then run `{accept_command(partition_id, channel.rows_error_count)}` to go on"
        " without them.",
    )

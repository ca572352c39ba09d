"""What happens once, before the first event: the channel is taken over and the starting position decided."""

from dataclasses import dataclass, replace

from shared.azure import EventHubClient, PartitionFacts
from shared.log import get_logger
from shared.settings import Settings
from shared.store.base import ControlStore
from shared.store.types import Checkpoint, Term
from worker import resume
from worker.progress import Progress, rejected
from worker.resume import Resume
from worker.sink import Channel
from worker.source import Position

LATEST = "@latest"

log = get_logger()


@dataclass(frozen=True, slots=True)
class Opening:
    """Where a worker stands when its channel is open."""

    resume: Resume
    progress: Progress
    checkpoint: Checkpoint
    """The stored one under this worker's epoch: what the next one is made from."""

    def position(self, starting_position: str) -> Position:
        """Where the receiver begins. The end of a partition that never had an event is its beginning, and a partition
        that was reset to no position is not a fresh one.
        """
        from_oldest = starting_position == LATEST or self.checkpoint.channel_generation > 0
        return Position(self.resume.after, "-1" if from_oldest else starting_position)


def open_partition(settings: Settings, term: Term, channel: Channel, store: ControlStore) -> Opening:
    """Read the checkpoint, open its channel, read the partition, decide where to start.

    Blocks for as long as the services do (opening a channel: up to 120 s). Raises `ResumeRefused` when token,
    checkpoint and partition do not fit together, `RowsRejected` when rows were rejected while nobody watched.
    """
    channel.probe()
    stored = store.load_checkpoint(term.partition_id) or Checkpoint(term.partition_id, None, None, term.epoch)
    with EventHubClient(settings.eventhub) as hub:
        progress = _opened(channel, stored)
        partition = hub.partition(term.partition_id)  # after the channel: while that blocks, the partition moves on
    decided = resume.decide(progress.token, stored, partition, settings.eventhub.on_gap)
    if progress.rows_error_count > stored.rows_error_count:
        raise rejected(term.partition_id, progress, stored.rows_error_count)
    if stored.begins_channel:
        stored, progress = _begun(channel, store, replace(stored, epoch=term.epoch), progress)
    elif _is_fresh(stored, decided) and settings.eventhub.starting_position == LATEST and partition.last >= 0:
        decided, progress = _pinned(channel, partition)
    if decided.lost:
        log.warning("events_lost", count=decided.lost, reason=decided.reason)
    return Opening(decided, progress, _baseline(term, stored, progress, partition))


def _opened(channel: Channel, stored: Checkpoint) -> Progress:
    """Open the channel. Before one that is new the former is opened too, which ends whoever still writes to it."""
    if stored.begins_channel:
        former = channel.open(stored.opened_generation)
        log.info("channel_succeeded", channel=channel.name, token=former.token, checkpoint=stored.sequence_number)
    return channel.open(stored.channel_generation)


def _begun(
    channel: Channel, store: ControlStore, stored: Checkpoint, progress: Progress
) -> tuple[Checkpoint, Progress]:
    """Give a new channel the checkpoint for its first token, then say in the store that it was opened, all before the
    first row. After an end in between both are done again; after that a channel without a token has lost it.
    """
    if progress.token != stored.sequence_number:
        progress = channel.open(stored.channel_generation, stored.sequence_number)
    begun = replace(stored, opened_generation=stored.channel_generation)
    store.save_checkpoint(begun)
    return begun, progress


def _is_fresh(stored: Checkpoint, decided: Resume) -> bool:
    return decided.after is None and stored.channel_generation == 0


def _pinned(channel: Channel, partition: PartitionFacts) -> tuple[Resume, Progress]:
    """Make `@latest` a number, and the channel's token: if we ended before the first commit, `@latest` would by then be
    another event, and what came in between would be skipped.
    """
    return Resume(partition.last, f"a fresh partition, from its end on ({LATEST})"), channel.open(0, partition.last)


def _baseline(term: Term, stored: Checkpoint, progress: Progress, partition: PartitionFacts) -> Checkpoint:
    if progress.token != stored.sequence_number:
        # The offset belongs to another event than the token; on an idle partition nothing comes soon to replace it.
        stored = replace(stored, offset=partition.last_offset if progress.token == partition.last else None)
    return replace(
        stored,
        epoch=term.epoch,
        rows_error_count=progress.rows_error_count,
        hub_created_at_s=partition.hub_created_at_s,
    )

"""What happens once, before the first event: the channel is taken over and the starting position decided."""

from dataclasses import dataclass, replace

from shared.azure import EventHubClient, PartitionFacts
from shared.log import get_logger
from shared.settings import Settings
from shared.store.base import ControlStore
from shared.store.types import Checkpoint, Term
from worker import resume
from worker.link import Position
from worker.progress import Progress, rejected
from worker.resume import Resume
from worker.sink import Channel

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
        """Where the receiver begins. The end of a partition that never had an event is its beginning."""
        return Position(self.resume.after, "-1" if starting_position == LATEST else starting_position)


def open_partition(settings: Settings, term: Term, channel: Channel, store: ControlStore) -> Opening:
    """Open the channel, read checkpoint and partition, decide where to start.

    Blocks for as long as the services do (opening a channel: up to 120 s). Raises `ResumeRefused` when token,
    checkpoint and partition do not fit together, `RowsRejected` when rows were rejected while nobody watched.
    """
    channel.probe()
    with EventHubClient(settings.eventhub) as hub:
        progress = channel.open()
        partition = hub.partition(term.partition_id)  # after the channel: while that blocks, the partition moves on
        stored = store.load_checkpoint(term.partition_id)
        if progress.rows_error_count > (stored.rows_error_count if stored else 0):
            raise rejected(progress, stored.rows_error_count if stored else 0)
        decided = resume.decide(term.partition_id, progress.token, stored, partition, settings.eventhub.on_gap)
        if decided.after is None and settings.eventhub.starting_position == LATEST and partition.last >= 0:
            decided, progress = _pinned(channel, partition)
    if decided.lost:
        log.warning("events_lost", count=decided.lost, reason=decided.reason)
    return Opening(decided, progress, _baseline(term, stored, progress, partition))


def _pinned(channel: Channel, partition: PartitionFacts) -> tuple[Resume, Progress]:
    """Make `@latest` a number, and the channel's token: if we ended before the first commit, `@latest` would by then be
    another event, and what came in between would be skipped.
    """
    return Resume(partition.last, f"a fresh partition, from its end on ({LATEST})"), channel.open(partition.last)


def _baseline(term: Term, stored: Checkpoint | None, progress: Progress, partition: PartitionFacts) -> Checkpoint:
    checkpoint = stored or Checkpoint(term.partition_id, None, None, term.epoch)
    if progress.token != checkpoint.sequence_number:
        # The offset belongs to another event than the token; on an idle partition nothing comes soon to replace it.
        checkpoint = replace(checkpoint, offset=partition.last_offset if progress.token == partition.last else None)
    return replace(
        checkpoint,
        epoch=term.epoch,
        rows_error_count=progress.rows_error_count,
        hub_created_at_s=partition.hub_created_at_s,
    )

"""What happens once, before the first event: the channel is taken over and the starting position decided."""

from dataclasses import dataclass, replace

from shared.azure import EventHubClient, PartitionFacts
from shared.errors import OwnershipLost
from shared.log import get_logger
from shared.settings import Settings
from shared.store.base import ControlStore
from shared.store.types import PINNED, Checkpoint, Term
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
        _refuse_newer_owner(term, stored)
        if progress.rows_error_count > (stored.rows_error_count if stored else 0):
            raise rejected(progress, stored.rows_error_count if stored else 0)
        decided = resume.decide(term.partition_id, progress.token, stored, partition, settings.eventhub.on_gap)
        checkpoint = _baseline(term, stored, progress, partition)
        if decided.after is None and settings.eventhub.starting_position == LATEST and partition.last >= 0:
            decided, checkpoint = _pinned(checkpoint, partition, store)
    if decided.lost:
        log.warning("events_lost", count=decided.lost, reason=decided.reason)
    return Opening(decided, progress, checkpoint)


def _refuse_newer_owner(term: Term, stored: Checkpoint | None) -> None:
    """One that was stopped in the middle sees a token of then and a checkpoint of now: no riddle for a person."""
    if stored and stored.epoch > term.epoch:
        raise OwnershipLost(
            f"Partition {term.partition_id} has a new owner",
            f"epoch {stored.epoch} owns it now, this worker has epoch {term.epoch}",
        )


def _pinned(checkpoint: Checkpoint, partition: PartitionFacts, store: ControlStore) -> tuple[Resume, Checkpoint]:
    """Make `@latest` a number for good: if we ended before the first commit, `@latest` would by then be another event,
    and what came in between would be skipped.

    It goes into the checkpoint row, whose epoch fences it. Set as the channel's token it would set back the token of
    the next owner, when this process was stopped past its lease just before.
    """
    pinned = replace(checkpoint, sequence_number=partition.last, offset=PINNED)
    store.save_checkpoint(pinned)
    return Resume(partition.last, f"a fresh partition, from its end on ({LATEST})"), pinned


def _baseline(term: Term, stored: Checkpoint | None, progress: Progress, partition: PartitionFacts) -> Checkpoint:
    checkpoint = stored or Checkpoint(term.partition_id, None, None, term.epoch)
    if progress.token not in (None, checkpoint.sequence_number):
        # The offset belongs to another event than the token; on an idle partition nothing comes soon to replace it.
        checkpoint = replace(checkpoint, offset=partition.last_offset if progress.token == partition.last else None)
    return replace(
        checkpoint,
        epoch=term.epoch,
        rows_error_count=progress.rows_error_count,
        hub_created_at_s=partition.hub_created_at_s,
    )

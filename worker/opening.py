"""What happens once, before the first event: the channel is taken over and the starting position decided."""

from dataclasses import dataclass, replace

from shared import resume
from shared.azure import EventHubClient, PartitionFacts
from shared.errors import OwnershipLost
from shared.log import get_logger
from shared.resume import Resume
from shared.settings import EventHubSettings, Settings
from shared.store.base import ControlStore
from shared.store.types import OLDEST, Checkpoint, Term
from worker.landmark import Landmark
from worker.link import Position
from worker.progress import Progress, rejected
from worker.rejection import Rejection
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
    landmark: Landmark | None = None
    """The event that it resumes behind, as the stored checkpoint knows it."""

    def position(self, starting_position: str) -> Position:
        """Where the receiver begins. `@latest` is a number in the checkpoint, where the partition had an event when the
        group began.
        """
        is_reset = self.checkpoint.channel_generation > 0
        from_oldest = starting_position == LATEST or is_reset or self.checkpoint.offset == OLDEST
        fresh = "-1" if from_oldest else starting_position
        return Position(self.resume.after, fresh, self.checkpoint.hub_created_at_s, self.landmark)


def open_partition(settings: Settings, term: Term, channel: Channel, store: ControlStore) -> Opening | Rejection:
    """Read the checkpoint, open its channel, read the partition, decide where to start.

    Blocks for as long as the services do (opening a channel: up to 120 s). Raises `ResumeRefused` when token,
    checkpoint and partition do not fit together. When rows were rejected that the checkpoint does not know of, raises
    `RowsRejected`, or says which they are when they may be set aside.
    """
    channel.probe()
    with EventHubClient(settings.eventhub) as hub:
        progress = _opened(channel, _stored(store, term))
        partition = hub.partition(term.partition_id)  # after the channel: while that blocks, the partition moves on
    stored = _stored(store, term)
    decided = resume.decide(progress.token, stored, partition, settings.eventhub.on_gap)
    landmark = _landmark(settings.eventhub, term, stored, decided, partition)
    checkpoint = _baseline(term, stored, progress, partition)
    if progress.rows_error_count > stored.rows_error_count:
        if settings.snowflake.on_reject == "fail":
            raise rejected(term.partition_id, progress, stored.rows_error_count)
        unknown = _unknown(settings.eventhub, Opening(decided, progress, checkpoint), partition)
        behind = replace(checkpoint, sequence_number=progress.token)
        return Rejection(progress, stored.rows_error_count, unknown, channel.name, behind)
    if checkpoint.begins_channel or _knows_no_hub(stored):
        checkpoint = replace(checkpoint, opened_generation=checkpoint.channel_generation)
        store.save_checkpoint(checkpoint)
    if decided.lost:
        log.warning("events_lost", count=decided.lost, reason=decided.reason)
    return Opening(decided, progress, checkpoint, landmark)


def _stored(store: ControlStore, term: Term) -> Checkpoint:
    """The checkpoint row. One of a newer epoch is no riddle for a person: this process was stopped past its lease."""
    stored = store.load_checkpoint(term.partition_id) or Checkpoint(term.partition_id, None, None, term.epoch)
    if stored.epoch > term.epoch:
        raise OwnershipLost(
            f"Partition {term.partition_id} has a new owner",
            f"epoch {stored.epoch} owns it now, this worker has epoch {term.epoch}",
        )
    return stored


def _opened(channel: Channel, stored: Checkpoint) -> Progress:
    """Open the channel. Before one that is new the former is opened too, which ends whoever still writes to it."""
    if stored.begins_channel:
        former = channel.open(stored.opened_generation)
        log.info("channel_succeeded", channel=channel.name, token=former.token, checkpoint=stored.sequence_number)
    return channel.open(stored.channel_generation)


def _landmark(
    settings: EventHubSettings, term: Term, stored: Checkpoint, decided: Resume, partition: PartitionFacts
) -> Landmark | None:
    """The event that the first link begins with: the checkpoint's, when the partition goes on behind that one.

    When the token is ahead, as after a crash, nothing is known of its event. Then the checkpoint's is looked at here,
    once: if the hub has given its number to another event, it has done so with the token's, too.
    """
    landmark = Landmark.of_checkpoint(stored)
    if landmark is None or landmark.number == decided.after:
        return landmark
    if not partition.is_empty and landmark.number >= partition.first:
        with EventHubClient(settings) as own:  # finding the event ends the client
            event = own.at_or_after(term.partition_id, landmark.number, term.epoch)
        landmark.recognises(term.partition_id, event)
    return None


def _unknown(settings: EventHubSettings, opening: Opening, partition: PartitionFacts) -> range:
    """The events that were committed and that the checkpoint does not know of."""
    first, token = _first(settings, opening, partition), opening.progress.token
    return range(first, first if token is None else token + 1)


def _first(settings: EventHubSettings, opening: Opening, partition: PartitionFacts) -> int:
    """The one behind the checkpoint's position; without a position, the first of the channel."""
    if opening.checkpoint.reached is not None:
        return opening.checkpoint.reached + 1
    fresh = opening.position(settings.starting_position).fresh
    oldest = partition.last + 1 if partition.is_empty else partition.first
    if fresh == "-1":
        return oldest
    with EventHubClient(settings) as own:  # finding the event ends the client
        before = own.last_before(opening.checkpoint.partition_id, fresh, partition, opening.checkpoint.epoch)
    return oldest if before is None else before + 1


def _knows_no_hub(stored: Checkpoint) -> bool:
    """Whether the hub's birth has to be written before the first row. A crash before the first checkpoint leaves a
    token alone, and that would be taken for one of any hub of this name; a position has its hub beside it.
    """
    return stored.sequence_number is None and stored.hub_created_at_s is None


def _baseline(term: Term, stored: Checkpoint, progress: Progress, partition: PartitionFacts) -> Checkpoint:
    if progress.token not in (None, stored.sequence_number):
        # What is known is of another event than the token's; on an idle partition nothing comes soon to replace it.
        offset = partition.last_offset if progress.token == partition.last else None
        stored = replace(stored, offset=offset, enqueued_at_s=None)
    elif _knows_no_hub(stored):  # nobody enrolled it when the group began: it was added later
        stored = replace(stored, offset=OLDEST)
    return replace(
        stored,
        epoch=term.epoch,
        rows_error_count=progress.rows_error_count,
        hub_created_at_s=partition.hub_created_at_s,
    )

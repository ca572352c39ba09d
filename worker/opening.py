"""What happens once, before the first event: the channel is taken over and the starting position decided."""

import time
from dataclasses import dataclass, replace

from shared import resume
from shared.config.settings import EventHubSettings, Settings
from shared.control.store import ControlStore
from shared.errors import OwnershipLost
from shared.eventhubs.client import EventHubClient
from shared.log.logger import get_logger
from shared.model import OLDEST, Checkpoint, PartitionFacts, Term
from shared.resume import Resume, counted_back
from worker.sink.channel import Channel
from worker.sink.channel_status import COUNT_LIMIT_S, Progress, among
from worker.sink.rejection import Rejection
from worker.source.continuity import Landmark
from worker.source.receiver import Position

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


def open_partition(
    settings: Settings, term: Term, channel: Channel, store: ControlStore, written: int | None = None
) -> Opening | Rejection:
    """Read the checkpoint, open its channel, read the partition, decide where to start.

    `written` is the last event that this worker has written before, when all it has written is in the checkpoint.

    Blocks for as long as the services do (opening a channel: up to 120 s). Raises `ResumeRefused` when token,
    checkpoint and partition do not fit together. When rows were rejected that the checkpoint does not know of, raises
    `RowsRejected`, or says which they are when they may be set aside.
    """
    channel.probe()
    with EventHubClient(settings.eventhub) as hub:
        before = _stored(store, term)
        if before.may_miss_rows and not channel.exists(before.channel_generation):
            resume.refuse_unseen_rows(before, hub.partition(term.partition_id))
        former, progress = _opened(channel, before)
        partition = hub.partition(term.partition_id)  # after the channel: while that blocks, the partition moves on
    stored = _stored(store, term)
    decided = resume.decide(progress.token, stored, partition, settings.eventhub.on_gap, written, now_s=time.time())
    landmark = _landmark(settings.eventhub, term, stored, decided, partition)
    if decided.begins_next:
        log.warning("channel_gone", channel=channel.name, checkpoint=stored.sequence_number, reason=decided.reason)
        store.begin_next_channel(replace(stored, epoch=term.epoch))
        return open_partition(settings, term, channel, store)
    progress = _counted(channel, progress, stored)
    checkpoint = _repeating(_baseline(term, stored, progress, partition), former)
    first = _unsettled_from(settings, Opening(decided, progress, checkpoint), stored, partition)
    checkpoint = replace(checkpoint, unsettled_from=first)
    if progress.rows_error_count > stored.rows_error_count:
        rejection = _rejection(progress, stored, checkpoint, channel.name)
        if not settings.snowflake.quarantines:
            raise rejection.error()
        return rejection
    if checkpoint.begins_channel or decided.lost or _begins(checkpoint) != _begins(stored) or _knows_no_hub(stored):
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


def _opened(channel: Channel, stored: Checkpoint) -> tuple[Progress | None, Progress]:
    """Open the channel. Before one that is new the former is opened too, which ends whoever still writes to it."""
    former = None
    if stored.begins_channel:
        former = channel.open(stored.opened_generation)
        log.info("channel_succeeded", channel=channel.name, token=former.token, checkpoint=stored.sequence_number)
    return former, channel.open(stored.channel_generation)


def _counted(channel: Channel, progress: Progress, stored: Checkpoint) -> Progress:
    """The same with a count that is not below the checkpoint's, which would hide as many rejected rows. Like any count
    it may be seen late: it is waited for.
    """
    if progress.rows_error_count >= stored.rows_error_count:
        return progress
    later = channel.await_progress(lambda one: one.rows_error_count >= stored.rows_error_count, COUNT_LIMIT_S)
    if later is None:
        raise counted_back(stored.partition_id, progress.rows_error_count, stored.rows_error_count)
    return replace(later, token=progress.token)


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


def _rejection(progress: Progress, stored: Checkpoint, checkpoint: Checkpoint, channel: str) -> Rejection:
    """What was rejected: rows of events that were not settled yet (`worker.sink.unsettled`)."""
    numbers = among(checkpoint.unsettled_from, progress.token)
    behind = replace(checkpoint, sequence_number=progress.token, unsettled_from=numbers.stop)
    return Rejection(progress, stored.rows_error_count, numbers, channel, behind, stored.reached)


def _repeating(checkpoint: Checkpoint, former: Progress | None) -> Checkpoint:
    """The same, which knows how far the former channel was written: what comes up to there is there already."""
    if former is None or former.token is None:
        return checkpoint
    return replace(checkpoint, repeats_up_to=max(former.token, checkpoint.repeats_up_to or 0))


def _unsettled_from(settings: Settings, opening: Opening, stored: Checkpoint, partition: PartitionFacts) -> int | None:
    """The first unsettled event: what the checkpoint says. Of a channel without a row it is the first event, which has
    to be found now, for later retention may have passed it; of a checkpoint that does not say, the one behind it.
    """
    position, progress = opening.checkpoint.reached, opening.progress
    if opening.resume.lost and progress.rows_error_count == stored.rows_error_count:
        return (opening.resume.after or 0) + 1  # nobody looks for rows of events that never came
    if progress.token is not None and stored.unsettled_from is not None:
        return stored.unsettled_from
    if position is None:
        return _first(settings.eventhub, opening, partition)
    if progress.token is not None and progress.rows_error_count == stored.rows_error_count:
        return progress.token + 1
    return position + 1


def _first(settings: EventHubSettings, opening: Opening, partition: PartitionFacts) -> int:
    """The first event of a channel that begins at the starting position."""
    fresh = opening.position(settings.starting_position).fresh
    if fresh == "-1":
        return partition.oldest
    with EventHubClient(settings) as own:  # finding the event ends the client
        before = own.last_before(opening.checkpoint.partition_id, fresh, partition, opening.checkpoint.epoch)
    return partition.oldest if before is None else before + 1


def _knows_no_hub(stored: Checkpoint) -> bool:
    """Whether the hub's birth has to be written before the first row. A crash before the first checkpoint leaves a
    token alone, and that would be taken for one of any hub of this name; a position has its hub beside it.
    """
    return stored.sequence_number is None and stored.hub_created_at_s is None


def _begins(checkpoint: Checkpoint) -> tuple[int | None, int | None]:
    """What has to be written before the first row of a channel."""
    return checkpoint.begins_after, checkpoint.unsettled_from if checkpoint.sequence_number is None else None


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

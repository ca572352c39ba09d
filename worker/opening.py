"""What happens once, before the first event: the channel is taken over, and `shared.resume` decides the position."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from msgspec import structs

from shared import resume
from shared.config.settings import EventHubSettings, Settings, SnowflakeSettings
from shared.errors import OwnershipLost
from shared.eventhubs.client import EventHubClient
from shared.ipc.messages import ChannelStatus
from shared.log.logger import get_logger
from shared.model import LATEST, OLDEST, Checkpoint, LastEnqueued, PartitionFacts, Term
from shared.resume import SETTLED_AFTER_S, Resume, counted_back
from worker.sink.channel_status import unsettled_events
from worker.sink.rejection import Rejection
from worker.source.continuity import LastEvent, as_event
from worker.source.link import Position

log = get_logger()


class OpenableChannel(Protocol):
    """What opening needs of a `worker.sink.channel.Channel`."""

    name: str

    def probe(self) -> None:
        """Raise within seconds when Snowflake does not answer."""

    def exists(self, generation: int) -> bool:
        """Whether Snowflake has the channel of a generation."""

    def open(self, generation: int) -> ChannelStatus:
        """Open it, which creates one that does not exist."""

    def await_status(self, is_expected: Callable[[ChannelStatus], bool], limit_s: float) -> ChannelStatus | None:
        """A status that is as expected; None: none was in time."""


class CheckpointRow(Protocol):
    """What opening needs of a `shared.control.store.ControlStore`."""

    def load_checkpoint(self, partition_id: str) -> Checkpoint | None:
        """The stored row."""

    def save_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Write it, unless the stored one has a newer epoch."""

    def begin_next_channel(self, checkpoint: Checkpoint) -> None:
        """The same, and have the partition's next channel begin after it."""


@dataclass(frozen=True, slots=True)
class StartingPoint:
    """Where a worker starts, once its channel is open."""

    resume: Resume
    status: ChannelStatus
    """As the open returned it."""
    checkpoint: Checkpoint
    """The stored one under this worker's epoch. The next one is made from it."""
    last_event: LastEvent | None = None
    """The event after which it resumes, as the stored checkpoint knows it."""
    partition: PartitionFacts | None = None
    """As the hub reported it; None: nobody asked."""

    @property
    def begins_after(self) -> int | None:
        """The event before the first that is to be read, as far as it is known: a starting time is not looked up."""
        if self.resume.after is None and self.partition:
            return self.partition.oldest - 1
        return self.resume.after

    @property
    def end(self) -> LastEnqueued | None:
        """The last event of the partition; None: nobody asked."""
        return self.partition.last_enqueued if self.partition else None

    @property
    def durable_at_s(self) -> float | None:
        """Unix time at which the hub took the event of the newest durable row; None: not known."""
        token = self.status.token
        if self.end and token == self.end.number:
            return self.end.at_s
        return self.checkpoint.enqueued_at_s if token == self.checkpoint.sequence_number else None

    def position(self, starting_position: str) -> Position:
        """Where the receiver begins. `@latest` is a number in the checkpoint, where the partition had an event when the
        group began.
        """
        from_oldest = starting_position == LATEST or self.checkpoint.begins_with_oldest
        fresh = OLDEST if from_oldest else starting_position
        read_s = self.partition.read_s if self.partition else None
        return Position(self.resume.after, fresh, self.checkpoint.hub_created_at_s, self.last_event, read_s)


def open_partition(
    settings: Settings, term: Term, channel: OpenableChannel, store: CheckpointRow, written: int | None = None
) -> StartingPoint | Rejection:
    """Read the checkpoint, open its channel, read the partition, decide where to start.

    `written` is what this worker knows of the channel, as `resume.decide` takes it.

    Blocks for as long as the services do (opening a channel: up to 120 s). Raises `ResumeRefused` when token,
    checkpoint and partition do not fit together. When rows were rejected that the checkpoint does not count, returns
    which they are if they may be quarantined, and raises `RowsRejected` otherwise.
    """
    former, status, partition = _take_over(settings.eventhub, term, channel, store, written)
    # Read again after the open: while that blocked, a former owner may have written its last checkpoint.
    stored = _load_checkpoint(store, term)
    decided = resume.decide(status.token, stored, partition, settings.eventhub.on_gap, written)
    # Before anything is written: the hub may have given the checkpoint's number to another event.
    last_event = _last_event(settings.eventhub, term, stored, decided, partition)
    if decided.begins_next:
        log.warning("channel_gone", channel=channel.name, checkpoint=stored.sequence_number, reason=decided.reason)
        # In the store first: a crash from here on finds a channel that is to be begun, and no lost one.
        store.begin_next_channel(replace(stored, epoch=term.epoch))
        # Once more from the beginning, of the next channel. `written` was said of the lost one.
        return open_partition(settings, term, channel, store)
    status = _await_count(channel, status, stored)
    checkpoint = _with_repeats(_first_checkpoint(term, stored, status, partition), former)
    start = StartingPoint(decided, status, checkpoint, last_event, partition)
    checkpoint = replace(checkpoint, unsettled_from=_unsettled_from(settings.eventhub, start, stored, partition))
    # Before the checkpoint is saved: it would count the rejected rows as known.
    if status.rows_error_count > stored.rows_error_count:
        return _rejection(settings.snowflake, status, stored, checkpoint, channel.name)
    # Before the first row, which a crash might leave behind without any of this.
    if decided.lost or _has_news_for_the_first_row(checkpoint, stored):
        checkpoint = replace(checkpoint, opened_generation=checkpoint.channel_generation)
        store.save_checkpoint(checkpoint)
    if decided.lost:
        log.warning("events_lost", count=decided.lost, reason=decided.reason)
    return replace(start, checkpoint=checkpoint)


def _take_over(
    settings: EventHubSettings, term: Term, channel: OpenableChannel, store: CheckpointRow, written: int | None
) -> tuple[ChannelStatus | None, ChannelStatus, PartitionFacts]:
    """Open the channel. The status of its former one and its own, and what the hub says of the partition then."""
    # First of all: where Snowflake does not answer, the SDK's open tries for minutes.
    channel.probe()
    with EventHubClient(settings) as hub:
        # Before the open, to know which of the partition's channels it is.
        stored = _load_checkpoint(store, term)
        # Before the open, which creates a channel that does not exist: the next start could not tell it from one in
        # which nothing was ever committed.
        may_miss_rows = stored.may_miss_rows and written != resume.NOTHING
        if may_miss_rows and not channel.exists(stored.channel_generation):
            _refuse_lost_channel(stored, hub.partition(term.partition_id))
        former, status = _open_channel(channel, stored)
        # After the open, which may block for two minutes: the token has to be compared with the end of the partition as
        # it is then. An end from before could be behind it, and the hub would look as if it had lost events.
        return former, status, hub.partition(term.partition_id)


def _refuse_lost_channel(stored: Checkpoint, partition: PartitionFacts) -> None:
    # The hub first: numbers of another hub say nothing of the rows.
    resume.refuse_another_hub(stored.partition_id, stored.hub_created_at_s, partition.hub_created_at_s)
    resume.refuse_unseen_rows(stored, partition)


def _load_checkpoint(store: CheckpointRow, term: Term) -> Checkpoint:
    """The stored checkpoint. One of a newer epoch contradicts nothing: this process was stopped past its lease."""
    stored = store.load_checkpoint(term.partition_id) or Checkpoint(term.partition_id, None, None, term.epoch)
    if stored.epoch > term.epoch:
        raise OwnershipLost(
            f"Partition {term.partition_id} has a new owner",
            f"epoch {stored.epoch} owns it now, this worker has epoch {term.epoch}",
        )
    return stored


def _open_channel(channel: OpenableChannel, stored: Checkpoint) -> tuple[ChannelStatus | None, ChannelStatus]:
    """Open the channel; the status of its former and its own."""
    former = None
    if stored.begins_channel:
        # The former one first: its open ends whoever still writes to it, and gives the last event that has a row there.
        former = channel.open(stored.opened_generation)
        log.info(
            "channel_succeeded", channel=channel.name, offset_token=former.token, checkpoint=stored.sequence_number
        )
    return former, channel.open(stored.channel_generation)


def _await_count(channel: OpenableChannel, status: ChannelStatus, stored: Checkpoint) -> ChannelStatus:
    """The status with a count of rejected rows that is not below the checkpoint's, which would hide as many rows.

    Like any count it may be seen late, so it is waited for. Raises `ResumeRefused` when it stays below.
    """
    if status.rows_error_count >= stored.rows_error_count:
        return status
    later = channel.await_status(lambda each: each.rows_error_count >= stored.rows_error_count, SETTLED_AFTER_S)
    if later is None:
        raise counted_back(stored.partition_id, status.rows_error_count, stored.rows_error_count)
    return structs.replace(later, token=status.token)


def _last_event(
    settings: EventHubSettings, term: Term, stored: Checkpoint, decided: Resume, partition: PartitionFacts
) -> LastEvent | None:
    """The event that the first receiver begins with: the checkpoint's, if the worker resumes after that one.

    When the token is ahead, as after a crash, nothing is known of the token's event. Then the checkpoint's is looked at
    here, once: if the hub has given its number to another event, it has done so with the token's, too.
    """
    last_event = LastEvent.of_checkpoint(stored)
    if last_event is None or last_event.number == decided.after:
        return last_event
    if not partition.is_empty and last_event.number >= partition.first:
        with EventHubClient(settings) as own:  # finding the event ends the client
            event = own.at_or_after(term.partition_id, last_event.number, term.epoch)
        last_event.recognises(term.partition_id, as_event(event))
    return None


def _rejection(
    settings: SnowflakeSettings, status: ChannelStatus, stored: Checkpoint, checkpoint: Checkpoint, channel: str
) -> Rejection:
    """What was rejected: rows of events that were not settled yet (`worker.sink.unsettled`).

    Raises `RowsRejected` when they may not be quarantined.
    """
    numbers = unsettled_events(checkpoint.unsettled_from, status.token)
    after_them = replace(checkpoint, sequence_number=status.token, unsettled_from=numbers.stop)
    rejection = Rejection(status, stored.rows_error_count, numbers, channel, after_them, stored.durable_up_to)
    if not settings.quarantines:
        raise rejection.error()
    return rejection


def _first_checkpoint(term: Term, stored: Checkpoint, status: ChannelStatus, partition: PartitionFacts) -> Checkpoint:
    """The stored checkpoint under this term, with what the channel and the hub say now."""
    if status.token not in (None, stored.sequence_number):
        # What is known is of another event than the token's; on an idle partition nothing comes soon to replace it.
        offset = partition.last_offset if status.token == partition.last else None
        stored = replace(stored, offset=offset, enqueued_at_s=None)
    elif _has_no_hub(stored):  # nobody enrolled the partition when the group began: it was added later
        stored = replace(stored, offset=OLDEST)
    return replace(
        stored,
        epoch=term.epoch,
        rows_error_count=status.rows_error_count,
        hub_created_at_s=partition.hub_created_at_s,
    )


def _with_repeats(checkpoint: Checkpoint, former: ChannelStatus | None) -> Checkpoint:
    """The checkpoint with how far the former channel was written: events up to there may have a row already."""
    if former is None or former.token is None:
        return checkpoint
    return replace(checkpoint, repeats_up_to=max(former.token, checkpoint.repeats_up_to or 0))


def _unsettled_from(
    settings: EventHubSettings, start: StartingPoint, stored: Checkpoint, partition: PartitionFacts
) -> int:
    """The first unsettled event. The checkpoint says it where the channel has a row and the checkpoint knows it.

    Of a channel without a row it is its first event, which has to be found now: retention may delete it later. Of a
    checkpoint that does not say, it is the event after the checkpoint's.
    """
    position, status = start.checkpoint.durable_up_to, start.status
    if start.resume.lost and status.rows_error_count == stored.rows_error_count:
        return (start.resume.after or 0) + 1  # events that never came have no row to look for
    if status.token is not None and stored.unsettled_from is not None:
        return stored.unsettled_from
    if position is None:
        return _first_event(settings, start, partition)
    if status.token is not None and status.rows_error_count == stored.rows_error_count:
        return status.token + 1
    return position + 1


def _first_event(settings: EventHubSettings, start: StartingPoint, partition: PartitionFacts) -> int:
    """The first event of a channel that begins at the starting position."""
    fresh = start.position(settings.starting_position).fresh
    if fresh == OLDEST:
        return partition.oldest
    with EventHubClient(settings) as own:  # finding the event ends the client
        before = own.last_before(start.checkpoint.partition_id, fresh, partition, start.checkpoint.epoch)
    return partition.oldest if before is None else before + 1


def _has_news_for_the_first_row(checkpoint: Checkpoint, stored: Checkpoint) -> bool:
    """Whether the stored checkpoint lacks what has to be known of a channel before its first row."""
    return checkpoint.begins_channel or _has_no_hub(stored) or _beginning(checkpoint) != _beginning(stored)


def _has_no_hub(stored: Checkpoint) -> bool:
    """Whether the hub's creation time is not stored, and no position either, which has its hub beside it.

    A crash before the first checkpoint leaves a token alone, and that would be taken for one of any hub of this name.
    """
    return stored.sequence_number is None and stored.hub_created_at_s is None


def _beginning(checkpoint: Checkpoint) -> tuple[int | None, int | None]:
    """Where the channel begins; once it has a checkpoint of its own rows, the first event has no part in it."""
    return checkpoint.begins_after, checkpoint.unsettled_from if checkpoint.sequence_number is None else None

"""What moving a checkpoint by hand would do to the table: decided and shown before anything is changed.

Events between the old position and the new one are either read a second time or never. The committed token of the
channel would contradict the new position, so a move also begins the next channel of the partition.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.counted import counted
from shared.errors import DataRefused
from shared.model import Checkpoint
from shared.resume import is_another_hub

if TYPE_CHECKING:
    from shared.model import PartitionFacts

NOTHING = range(0)


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a checkpoint is moved to: all events up to `sequence_number` count as done; None: no event does."""

    sequence_number: int | None
    offset: str | None = None
    enqueued_at_s: float | None = None
    """Enqueued time of its event, if the origin of the position knows it."""


@dataclass(frozen=True, slots=True)
class Move:
    """The move of one checkpoint, and its effects."""

    before: Checkpoint
    to: Destination
    partition: "PartitionFacts"
    repeated: range
    """Sequence numbers whose rows are in the table and would be written again."""
    skipped: range
    """Sequence numbers that were not read yet and never would be."""
    lost: range
    """Sequence numbers that would be read next and have left the hub."""

    @property
    def generation(self) -> int:
        """The generation of the channel that begins with the move."""
        return self.before.channel_generation + 1

    @property
    def is_of_another_hub(self) -> bool:
        """Whether the old position is one of another hub, which had this name before."""
        return is_another_hub(self.before.hub_created_at_s, self.partition.hub_created_at_s)

    def checkpoint(self, epoch: int) -> Checkpoint:
        """The row to write under the command's own term."""
        return Checkpoint(
            self.before.partition_id,
            self.to.sequence_number,
            self.to.offset or self._known_offset(),
            epoch,
            hub_created_at_s=self.partition.hub_created_at_s,
            enqueued_at_s=self.to.enqueued_at_s,  # not the old one: a move may correct it
        )

    def _known_offset(self) -> str | None:
        known: dict[int | None, str | None] = {self.partition.last: self.partition.last_offset}
        if not self.is_of_another_hub:
            known[self.before.sequence_number] = self.before.offset
        return None if self.to.sequence_number is None else known.get(self.to.sequence_number)


def plan_move(before: Checkpoint, to: Destination, partition: "PartitionFacts") -> Move:
    """What the move would repeat, skip and lose. Raises `DataRefused` for a position beyond the last event."""
    if to.sequence_number is not None and to.sequence_number > partition.last:
        raise DataRefused(
            f"Partition {before.partition_id} cannot be moved to {to.sequence_number}",
            "no event was ever in it" if partition.last < 0 else f"its last event is {partition.last}",
            "Give the sequence number of an event that was done. A position of another hub is of no use in this one.",
        )
    if is_another_hub(before.hub_created_at_s, partition.hub_created_at_s):
        # Its numbers are those of the other hub: of this one nothing was read yet.
        done, durable = None, None
    else:
        done, durable = before.sequence_number, before.durable_up_to
    oldest = partition.oldest
    # Only a row can be repeated, so that counts from `done`: what `begins_after` passes over was never loaded.
    # It is not unread either: what is skipped counts from `durable`.
    following = oldest if to.sequence_number is None else to.sequence_number + 1
    unread = oldest if durable is None else durable + 1
    return Move(
        before,
        to,
        partition,
        repeated=NOTHING if done is None else range(max(following, oldest), done + 1),
        skipped=range(max(unread, oldest), following),
        lost=range(following, oldest),
    )


def describe(move: Move, owner: str | None) -> Iterator[str]:
    """The move in lines of text. `owner` holds the partition now; None: nobody does."""
    before, partition = move.before, move.partition
    retained = "no event" if partition.is_empty else f"events {partition.first} to {partition.last}"
    yield f"Partition {before.partition_id}: the hub has {retained}"
    of = " of a hub that is gone" if move.is_of_another_hub else ""
    yield f"  from     {_position(before.durable_up_to)}{of}, channel generation {before.channel_generation}"
    yield f"  to       {_position(move.to.sequence_number)}, channel generation {move.generation}"
    yield f"  repeats  {_events(move.repeated, 'their rows are written again')}"
    yield f"  skips    {_events(move.skipped, 'are never read')}"
    if move.lost:
        yield f"  lost     {_events(move.lost, 'have left the hub; a start needs EVENTHUB_ON_GAP=warn')}"
    again = "" if move.is_of_another_hub else "; rows committed after the last checkpoint are written again"
    yield f"  token    the new channel begins here{again}"
    if owner:
        yield f"  owner    {owner} holds the partition: nothing can be moved until it releases it"


def _position(sequence_number: int | None) -> str:
    return "before its oldest event" if sequence_number is None else f"event {sequence_number} done"


def _events(numbers: range, what: str) -> str:
    if not numbers:
        return "nothing"
    return f"{counted(len(numbers), 'event')}, {numbers[0]} to {numbers[-1]}: {what}"

"""What moving a checkpoint by hand would do to the table: a pure plan, to be read before anything is changed.

Whatever lies between the old position and the new one is either read a second time or never. The committed token of
the channel would contradict the new position, so the move begins the next channel of the partition with it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.errors import DataRefused
from shared.model import Checkpoint

if TYPE_CHECKING:
    from shared.model import PartitionFacts

NOTHING = range(0)


@dataclass(frozen=True, slots=True)
class Position:
    """Where a partition is to stand: everything up to `sequence_number` counts as done; None: nothing does."""

    sequence_number: int | None
    offset: str | None = None
    enqueued_at_s: float | None = None
    """When its event was, as whoever gave the position knows it."""


@dataclass(frozen=True, slots=True)
class Move:
    """One partition, as it stands and as it would."""

    before: Checkpoint
    to: Position
    partition: "PartitionFacts"
    repeated: range
    """Sequence numbers whose rows are in the table and would come again."""
    skipped: range
    """Those that were never read and never would be."""
    lost: range
    """Those that would be read next and have left the hub."""

    @property
    def generation(self) -> int:
        """Of the channel that begins with the move."""
        return self.before.channel_generation + 1

    def checkpoint(self, epoch: int) -> Checkpoint:
        """What is written under an operator's term."""
        return Checkpoint(
            self.before.partition_id,
            self.to.sequence_number,
            self.to.offset or self._known_offset(),
            epoch,
            hub_created_at_s=self.partition.hub_created_at_s,
            enqueued_at_s=self.to.enqueued_at_s,  # none at the same number either: who moves it has looked
        )

    def _known_offset(self) -> str | None:
        known = {self.partition.last: self.partition.last_offset, self.before.sequence_number: self.before.offset}
        return None if self.to.sequence_number is None else known.get(self.to.sequence_number)


def plan(before: Checkpoint, to: Position, partition: "PartitionFacts") -> Move:
    """What the move would repeat, skip and miss. Raises DataRefused for a position beyond the last event."""
    if to.sequence_number is not None and to.sequence_number > partition.last:
        raise DataRefused(
            f"Partition {before.partition_id} cannot be moved to {to.sequence_number}",
            f"its last event is {partition.last}",
            "Give the sequence number of an event that was done. A position of another hub is of no use in this one.",
        )
    oldest = partition.oldest
    following = oldest if to.sequence_number is None else to.sequence_number + 1
    done = before.sequence_number
    unread = oldest if before.reached is None else before.reached + 1
    return Move(
        before,
        to,
        partition,
        repeated=NOTHING if done is None else range(max(following, oldest), done + 1),
        skipped=range(max(unread, oldest), following),
        lost=range(following, oldest),
    )


def lines(move: Move, owner: str | None) -> Iterator[str]:
    """The plan in words; `owner` is whoever holds the partition now."""
    before, partition = move.before, move.partition
    retained = "none" if partition.is_empty else f"{partition.first} to {partition.last}"
    yield f"Partition {before.partition_id}: events in the hub {retained}"
    yield f"  from     {_position(before.reached)}, channel generation {before.channel_generation}"
    yield f"  to       {_position(move.to.sequence_number)}, channel generation {move.generation}"
    yield f"  repeats  {_events(move.repeated, 'rows of the table come again')}"
    yield f"  skips    {_events(move.skipped, 'are never read')}"
    if move.lost:
        yield f"  lost     {_events(move.lost, 'have left the hub; a start needs EVENTHUB_ON_GAP=warn')}"
    yield "  token    the new channel begins with this position; rows committed after the last checkpoint come again"
    if owner:
        yield f"  owner    {owner} holds the partition: nothing can be moved until it has let go"


def _position(sequence_number: int | None) -> str:
    return "before its oldest event" if sequence_number is None else f"event {sequence_number} done"


def _events(numbers: range, what: str) -> str:
    if not numbers:
        return "nothing"
    return f"{len(numbers)} events, {numbers[0]} to {numbers[-1]}: {what}"

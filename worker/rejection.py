"""Rows that Snowflake counted and did not take, and whether they may be set aside: pure decisions.

The count and the committed token of one status belong together, and so do those of a checkpoint. So the rejected rows
are among the events between the two tokens, and they are those that the target table has not; nothing else is taken
for one. Where it lacks more than Snowflake counted, any choice would be a guess: refused. Where it lacks fewer, some of
them were in the table before, and one of these that is rejected now needs no other place.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.errors import RowsRejected
from shared.quarantine import Event, Lately, Placed
from shared.store.types import Checkpoint
from worker.progress import Progress, rejected

# Of a partition. What is set aside is for a person to look at, and nobody looks at more; so many in an hour are a table
# that was changed or a sender that is broken, and the whole stream would go where nobody expects it.
MOST_AN_HOUR = 1000
# A whole stream that is rejected is known earlier, by its share, once there are rows enough to speak of one: of the
# events committed with them and, because few may come between one look at the count and the next, of these and some
# before.
MOST_SHARE, SHARE_FROM, NEAR = 0.5, 20, 40
# Events from the first to the last that is read again. Between two checkpoints are some seconds of the stream; so many
# are a checkpoint that was lost, and the whole partition is not read in an errand's time, however often that begins.
MOST_READ_AGAIN = 500_000


@dataclass(frozen=True, slots=True)
class Rejection:
    """So many rows more than the checkpoint knows of, and the events among which they are."""

    progress: Progress
    known: int
    """The checkpoint's count of rejected rows."""
    numbers: range
    """Of the events that were committed since the checkpoint."""
    channel: str
    checkpoint: Checkpoint
    """What is stored when they are set aside: behind `numbers`, with the new count."""

    @property
    def partition_id(self) -> str:
        """Whose they are."""
        return self.checkpoint.partition_id

    @property
    def rows(self) -> int:
        """How many rows were rejected."""
        return self.progress.rows_error_count - self.known

    @property
    def reason(self) -> str:
        """What Snowflake says of the range: its last message, and up to where that was."""
        bound = self.progress.last_error_up_to or "unknown"
        return f"{self.progress.last_error or 'no message was given'}; at or before sequence number {bound}"

    def error(self, why_not: str = "") -> RowsRejected:
        """The refusal to go on; `why_not` says why they cannot be set aside."""
        error = rejected(self.partition_id, self.progress, self.known)
        if not why_not:
            return error
        what = f"{error.what}, which cannot be set aside: {why_not}"
        among = f"; they are among events {self.numbers[0]} to {self.numbers[-1]}" if self.numbers else ""
        return RowsRejected(what, error.why + among, error.fix)


def refuse_nothing_committed(rejection: Rejection) -> None:
    """Raise when no event was committed since the checkpoint: there is nothing to look through."""
    if not rejection.numbers:
        raise rejection.error("nothing was committed since the last checkpoint")


def refuse_flood(rejection: Rejection, lately: Lately) -> None:
    """Raise when so much is rejected that it is no exception any more. `lately`: what was set aside before it."""
    rows, events = rejection.rows, len(rejection.numbers)
    if rows + lately.events > MOST_AN_HOUR:
        raise rejection.error(f"{_together(lately.events, 'in the last hour')} more than {MOST_AN_HOUR}")
    if _is_stream(rows, events) or _is_stream(rows + lately.near, events + NEAR):
        raise rejection.error(f"{_together(lately.near, 'closely before')} more than half of the stream")


def _together(before: int, where: str) -> str:
    return f"with {before} {where} they are" if before else "they are"


def _is_stream(rows: int, events: int) -> bool:
    return rows >= SHARE_FROM and rows > events * MOST_SHARE


def refuse_contradiction(rejection: Rejection, missing: Sequence[int]) -> None:
    """Raise when the target table lacks more of the events than rows were rejected."""
    if len(missing) > rejection.rows:
        raise rejection.error(f"the table lacks {len(missing)} of the events, and Snowflake counted {rejection.rows}")


def refuse_gone(rejection: Rejection, gone: Sequence[int]) -> None:
    """Raise when events cannot be read again."""
    if gone:
        some = ", ".join(map(str, gone[:5])) + (", …" if len(gone) > 5 else "")
        raise rejection.error(f"the hub does not have events {some} any more")


def refuse_vast(rejection: Rejection, events: int) -> None:
    """Raise when so many events would have to be read again that it would not end."""
    if events > MOST_READ_AGAIN:
        raise rejection.error(f"{events} events would have to be read again, more than {MOST_READ_AGAIN}")


def refuse_passed_over(rejection: Rejection, given: int) -> None:
    """Raise when the hub gave fewer events of the range again than it has numbers."""
    if given < len(rejection.numbers):
        raise rejection.error(f"the hub has {given} of {len(rejection.numbers)} events")


def refuse_undated(rejection: Rejection, events: Sequence[Event]) -> None:
    """Raise when one has no moment: a row under its number may be the one of an event that had the number before."""
    if undated := [event.sequence_number for event in events if event.enqueued_time is None]:
        raise rejection.error(f"the hub tells no time of event {undated[0]}: a row under its number may be another's")


def refuse_unproven(rejection: Rejection, placed: Placed, quarantine: str) -> None:
    """Raise unless each event is now in one of the two tables, and in `quarantine` at most once.

    In the target table it may be more often: the rows of a range that a person has read again come again.
    """
    wanted = len(rejection.numbers)
    if placed.numbers != wanted:
        raise rejection.error(f"both tables together have {placed.numbers} events, and {wanted} were to be there")
    if placed.again is not None:
        raise RowsRejected(
            f"Event {placed.again} of partition {rejection.partition_id} was set aside and has a second row",
            f"rows of events {rejection.numbers[0]} to {rejection.numbers[-1]} were rejected, and each of them is to be"
            " in one of the two tables",
            f"Delete its row in {quarantine} if the target table has one, else all but one there, then start again.",
        )

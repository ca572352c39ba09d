"""Rows that Snowflake counted and did not take, and whether they may be set aside: pure decisions.

A count may be seen later than the token that passed its row, so the rejected rows are looked for among all events that
are not settled (`worker.sink.unsettled`), and they are those that the target table has not; nothing else is taken for
one.
The numbers have to agree, each row counted being one event found:

- The table lacks more than Snowflake counted: the count may still rise, so it is waited for. If it does not, any choice
  would be a guess: refused.
- The table lacks fewer: a row is rejected and not found, so it is refused. Only where events were written by an earlier
  channel and are read again may an event have a row from before; if its new row is rejected, nothing is missing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from shared.errors import CountsUnsettled, RowsRejected
from shared.model import Checkpoint
from shared.snowflake.quarantine_table import Event, Lately, Placed
from worker.sink.channel_status import Progress, is_before, rejected

# Of a partition. What is set aside is for a person to look at, and nobody looks at more; so many in an hour are a table
# that was changed or a sender that is broken, and the whole stream would go where nobody expects it.
MOST_AN_HOUR = 1000
# A whole stream that is rejected is known earlier, by its share, once there are rows enough to speak of one: of the
# events committed with them and, because few may come between one look at the count and the next, of these and some
# before.
MOST_SHARE, SHARE_FROM, NEAR = 0.5, 20, 40
# Events that are read again. There are fewer unsettled ones; so many are a checkpoint that was lost, and the whole
# partition is not read in an errand's time, however often that begins.
MOST_READ_AGAIN = 500_000


@dataclass(frozen=True, slots=True)
class Rejection:
    """So many rows more than the checkpoint knows of, and the events among which they are."""

    progress: Progress
    known: int
    """The checkpoint's count of rejected rows."""
    numbers: range
    """Of the events among which they are: committed, and not settled."""
    channel: str
    checkpoint: Checkpoint
    """What is stored when they are set aside: behind `numbers`, with the new count."""
    position: int | None = None
    """Of the checkpoint that is stored; None: there was none."""

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
        error = rejected(self.partition_id, self.progress, self.known, self.numbers)
        if not why_not:
            return error
        return RowsRejected(f"{error.what}, which cannot be set aside: {why_not}", error.why, error.fix)

    def unsettled(self, why_not: str) -> CountsUnsettled:
        """The same refusal, which a later count may take back."""
        error = self.error(why_not)
        return CountsUnsettled(error.what, error.why, error.fix)

    def counted(self, progress: Progress) -> "Rejection":
        """The same rows as a later status counts them."""
        checkpoint = replace(self.checkpoint, rows_error_count=progress.rows_error_count)
        return replace(self, progress=progress, checkpoint=checkpoint)

    def is_counted_anew(self, progress: Progress) -> bool:
        """Whether a status says something else of the rejected rows, and does not count fewer."""
        if progress.rows_error_count < self.progress.rows_error_count:
            return False
        return _counts(progress) != _counts(self.progress)

    @property
    def repeated(self) -> int:
        """How many of the events an earlier channel may have written before."""
        up_to = self.checkpoint.repeats_up_to
        return 0 if up_to is None else len(range(self.numbers.start, min(self.numbers.stop, up_to + 1)))


def _counts(progress: Progress) -> tuple[int, str | None, str | None]:
    return progress.rows_error_count, progress.last_error, progress.last_error_up_to


def refuse_nothing_committed(rejection: Rejection) -> None:
    """Raise when every committed event is settled: there is nothing to look through."""
    if not rejection.numbers:
        raise rejection.error("nothing was committed that they could be")


def refuse_flood(rejection: Rejection, lately: Lately, missing: Sequence[int] = ()) -> None:
    """Raise when so much is rejected that it is no exception any more. `lately`: what was set aside before it.

    The share is that of the events since the checkpoint, or since the first `missing` one where that is older.
    """
    rows, numbers = rejection.rows, rejection.numbers
    first = missing[0] if missing else numbers.start
    events = numbers.stop - (first if rejection.position is None else min(first, rejection.position + 1))
    if rows + lately.events > MOST_AN_HOUR:
        raise rejection.error(f"{_together(lately.events, 'in the last hour')} more than {MOST_AN_HOUR}")
    if _is_stream(rows, events) or _is_stream(rows + lately.near, events + NEAR):
        raise rejection.error(f"{_together(lately.near, 'closely before')} more than half of the stream")


def _together(before: int, where: str) -> str:
    return f"with {before} {where} they are" if before else "they are"


def _is_stream(rows: int, events: int) -> bool:
    return rows >= SHARE_FROM and rows > events * MOST_SHARE


def refuse_contradiction(rejection: Rejection, missing: Sequence[int]) -> None:
    """Raise unless the events that the target table lacks are as many as rows were rejected."""
    counted = f"the table lacks {len(missing)} of the events, and Snowflake counted {rejection.rows}"
    if len(missing) > rejection.rows:
        raise rejection.unsettled(counted)
    if len(missing) + rejection.repeated < rejection.rows:
        raise rejection.error(counted)
    if len(missing) < rejection.rows and is_before(rejection.progress, rejection.numbers):
        raise rejection.unsettled(counted)


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

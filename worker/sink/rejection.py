"""Rows that Snowflake counted and did not take, and whether they may be quarantined: pure decisions.

A count may be seen later than the token that passed its row. So the rejected rows are looked for among all events that
are not settled (`worker.sink.unsettled`), and only an event that the target table lacks is taken for one. The numbers
have to agree: each row that was counted is one event that was found.

- The table lacks more events than Snowflake counted. The count may still rise, so it is waited for. If it does not, any
  choice would be a guess: refused.
- The table lacks fewer. A row was rejected and is not found: refused. The exception is events that an earlier channel
  wrote and that are read again: such an event may have a row from before, and nothing is missing when its new row is
  rejected.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from shared.errors import CountsUnsettled, RowsRejected
from shared.ipc.messages import ChannelStatus
from shared.model import Checkpoint
from shared.snowflake.quarantine_table import Coverage, EventIdentity, RecentQuarantine
from worker.sink.channel_status import is_before, rejected

# Rows of one partition that are quarantined within an hour. A person is to look at each of them, and nobody looks at
# more. So many mean that the table was changed or a sender is broken: the whole stream would be quarantined.
MOST_AN_HOUR = 1000
# A stream that is rejected as a whole is noticed earlier, by the share of rejected rows, from `SHARE_FROM` rows on. It
# is their share of the events committed with them and, because few may come between two looks at the count, of these
# and the `NEAR` events before.
MOST_SHARE, SHARE_FROM, NEAR = 0.5, 20, 40
# Events that are read again. Unsettled events are fewer. So many mean that a checkpoint was lost, and a task has no
# time to read the whole partition.
MOST_READ_AGAIN = 500_000


@dataclass(frozen=True, slots=True)
class Rejection:
    """Rows that Snowflake rejected and the checkpoint does not count, and the events among which they are."""

    status: ChannelStatus
    known: int
    """The checkpoint's count of rejected rows."""
    numbers: range
    """Sequence numbers of the events among which they are: committed, and not settled."""
    channel: str
    checkpoint: Checkpoint
    """What is stored when they are quarantined: after `numbers`, with the new count."""
    position: int | None = None
    """How far the stored checkpoint reaches; None: there is none."""

    @property
    def partition_id(self) -> str:
        """The partition's id."""
        return self.checkpoint.partition_id

    @property
    def rows(self) -> int:
        """How many rows were rejected."""
        return self.status.rows_error_count - self.known

    @property
    def reason(self) -> str:
        """What Snowflake says of them: its last message, and up to which event that one was."""
        bound = self.status.last_error_up_to or "unknown"
        return f"{self.status.last_error or 'no message was given'}; at or before sequence number {bound}"

    def error(self, why_not: str = "") -> RowsRejected:
        """The error for not going on; `why_not` says why they cannot be quarantined."""
        error = rejected(self.partition_id, self.status, self.known, self.numbers)
        if not why_not:
            return error
        return RowsRejected(f"{error.what}, which cannot be quarantined: {why_not}", error.why, error.fix)

    def unsettled(self, why_not: str) -> CountsUnsettled:
        """The same error as one that a later count may resolve."""
        error = self.error(why_not)
        return CountsUnsettled(error.what, error.why, error.fix)

    def counted(self, status: ChannelStatus) -> "Rejection":
        """The rejection with the count of a later status."""
        checkpoint = replace(self.checkpoint, rows_error_count=status.rows_error_count)
        return replace(self, status=status, checkpoint=checkpoint)

    def is_counted_anew(self, status: ChannelStatus) -> bool:
        """Whether a status counts other rejected rows than this one, and not fewer."""
        if status.rows_error_count < self.status.rows_error_count:
            return False
        return _counts(status) != _counts(self.status)

    @property
    def repeated(self) -> int:
        """How many of the events an earlier channel may have written, too."""
        up_to = self.checkpoint.repeats_up_to
        return 0 if up_to is None else len(range(self.numbers.start, min(self.numbers.stop, up_to + 1)))


def _counts(status: ChannelStatus) -> tuple[int, str | None, str | None]:
    return status.rows_error_count, status.last_error, status.last_error_up_to


def refuse_nothing_committed(rejection: Rejection) -> None:
    """Raise when every committed event is settled, so that there is nothing to look through."""
    if not rejection.numbers:
        raise rejection.error("every committed event is settled, so none of them can be one")


def refuse_flood(rejection: Rejection, lately: RecentQuarantine, missing: Sequence[int] = ()) -> None:
    """Raise when so many rows are rejected that this is no exception any more. `lately`: those quarantined before.

    The share is that of the events since the checkpoint, or since the first `missing` one where that is older.
    """
    rows, numbers = rejection.rows, rejection.numbers
    first = missing[0] if missing else numbers.start
    events = numbers.stop - (first if rejection.position is None else min(first, rejection.position + 1))
    if rows + lately.events > MOST_AN_HOUR:
        raise rejection.error(f"{rows + lately.events} rows were rejected in an hour, the limit is {MOST_AN_HOUR}")
    if _is_stream(rows, events) or _is_stream(rows + lately.near, events + NEAR):
        raise rejection.error("more than half of the recent events were rejected")


def _is_stream(rows: int, events: int) -> bool:
    return rows >= SHARE_FROM and rows > events * MOST_SHARE


def refuse_contradiction(rejection: Rejection, missing: Sequence[int]) -> None:
    """Raise unless the events that the target table lacks are as many as rows were rejected."""
    counted = f"the table lacks {len(missing)} of the events, and Snowflake counted {rejection.rows}"
    if len(missing) > rejection.rows:
        raise rejection.unsettled(counted)
    if len(missing) + rejection.repeated < rejection.rows:
        raise rejection.error(counted)
    if len(missing) < rejection.rows and is_before(rejection.status, rejection.numbers):
        raise rejection.unsettled(counted)


def refuse_expired(rejection: Rejection, expired: Sequence[int]) -> None:
    """Raise when events have left the hub, and cannot be read again."""
    if expired:
        some = ", ".join(map(str, expired[:5])) + (", …" if len(expired) > 5 else "")
        raise rejection.error(f"the hub does not have events {some} any more")


def refuse_vast(rejection: Rejection, events: int) -> None:
    """Raise when more events would have to be read again than a task has time for."""
    if events > MOST_READ_AGAIN:
        raise rejection.error(f"{events} events would have to be read again, more than {MOST_READ_AGAIN}")


def refuse_incomplete(rejection: Rejection, delivered: int) -> None:
    """Raise when the hub delivered fewer events of the range again than it has numbers."""
    if delivered < len(rejection.numbers):
        raise rejection.error(f"the hub has {delivered} of {len(rejection.numbers)} events")


def refuse_undated(rejection: Rejection, events: Sequence[EventIdentity]) -> None:
    """Raise when an event has no enqueued time: a row under its number may be that of an earlier event."""
    if undated := [event.sequence_number for event in events if event.enqueued_time is None]:
        raise rejection.error(f"event {undated[0]} has no enqueued time: a row under its number may be another event's")


def refuse_unproven(rejection: Rejection, coverage: Coverage, quarantine: str) -> None:
    """Raise unless each event is now in one of the two tables, and in `quarantine` at most once.

    In the target table it may have several rows: those of a range that a person had read again.
    """
    wanted = len(rejection.numbers)
    if coverage.numbers != wanted:
        raise rejection.error(f"both tables together have {coverage.numbers} of {wanted} events")
    if coverage.duplicated is not None:
        raise RowsRejected(
            f"Event {coverage.duplicated} of partition {rejection.partition_id} was quarantined and has a second row",
            f"rows of events {rejection.numbers[0]} to {rejection.numbers[-1]} were rejected, and each event has to be"
            " in one of the two tables",
            f"Delete its row in {quarantine} if the target table has one, else all but one there, then start again.",
        )

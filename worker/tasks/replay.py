"""The task that reads a range of a partition again, into a table beside the live one.

It has a worker's pipeline without lease, owner level and checkpoint. Its channel has the range in its name. So a replay
that was interrupted goes on where it was, and a second one adds nothing.
"""

from dataclasses import dataclass
from functools import partial
from multiprocessing import connection
from typing import TYPE_CHECKING

import msgspec

from shared.clock import monotonic
from shared.config import environment
from shared.config.settings import EventHubSettings, Settings
from shared.errors import RowsRejected, SequenceGap
from shared.eventhubs.client import consumer_group
from shared.ipc.messages import Replayed, TableColumns
from shared.log import logger
from shared.model import Checkpoint
from shared.resume import Resume
from shared.snowflake.channel_name import channel_name
from worker.opening import StartingPoint
from worker.pipeline.pipeline import Pipeline
from worker.pipeline.ports import Ports
from worker.rows.formats import row_format
from worker.sink.channel import Channel
from worker.sink.sdk import prepare
from worker.source.batch_queue import Batch
from worker.source.link import Mapper, Position
from worker.source.receiver import Receiver
from worker.tasks import serve

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

WITHOUT_GAP = "The hub has no such event any more. Replay the range before it, then the one after it."


@dataclass(frozen=True, slots=True)
class Order:
    """What the task is started with."""

    partition_id: str
    first: int
    """Sequence number of the first event to read again."""
    last: int
    """That of the last."""
    table: str
    """Where the rows go."""
    consumer_group: str
    """Through which the events are read."""
    asked_by: int
    """Pid of the process that asks."""
    columns: TableColumns | None = None
    """Of the table, where rows have a column for each key."""

    def applied(self, settings: Settings) -> Settings:
        """The settings with the order's table and consumer group."""
        return msgspec.structs.replace(
            settings,
            snowflake=settings.snowflake.beside(self.table),
            # Whatever the live partition does: who orders a range expects all of it.
            eventhub=msgspec.structs.replace(settings.eventhub, consumer_group=self.consumer_group, on_gap="fail"),
        )


class UpTo(Receiver):
    """A receiver without an owner level, which stops once it has given the event `last`: what comes after it is not
    part of the replay, whether it can be decoded or not.
    """

    def __init__(
        self, settings: EventHubSettings, partition_id: str, position: Position, last: int, event_of: Mapper
    ) -> None:
        super().__init__(settings, partition_id, None, position, event_of)
        self._last = last

    def take(self) -> Batch | None:
        """As `Receiver`, without what comes after the last event. Raises `SequenceGap` where that one never comes: no
        later event is of the range, so it would be waited for without end.
        """
        batch = super().take()
        if batch is None:
            return None
        # An event without a number passes: the pipeline refuses it, with the reason.
        numbers = [event.sequence_number or 0 for event in batch.events]
        if max(numbers, default=-1) >= self._last:
            self.stop()
            if self._last not in numbers:
                after = next(number for number in numbers if number > self._last)
                raise SequenceGap(f"Event {self._last} never came", f"the hub goes on with event {after}", WITHOUT_GAP)
        events = [event for event in batch.events if (event.sequence_number or 0) <= self._last]
        return Batch(events, batch.last_enqueued)


def run(order: Order, pipe: "Connection[bytes, bytes]") -> None:
    """Answer with `Replayed` or `Failed`. Never returns."""
    serve.answer(order.asked_by, pipe, partial(_replayed, order))


def _replayed(order: Order) -> Replayed:
    settings = order.applied(environment.load_worker())
    logger.configure(settings.process.log_format, "error", partition=order.partition_id)
    prepare(settings.snowflake, "error")  # errors are raised as well
    return Replayed(rows=replay(order, settings))


def replay(order: Order, settings: Settings) -> int:
    """Move the events of the range; how many rows were appended."""
    group = consumer_group(settings.eventhub)
    name = channel_name(settings.snowflake.channel_prefix, group, order.partition_id)
    channel = Channel(settings.snowflake, f"{name}_REPLAY_{order.first}_{order.last}")
    # First: where Snowflake does not answer, the SDK's open tries for minutes.
    channel.probe()
    status = channel.open(0)
    # A token is there when a replay of this range was interrupted: what it wrote is not read again.
    after = order.first - 1 if status.token is None else status.token
    position = Position(after if after >= 0 else None)  # no event is before 0
    rows = row_format(order.partition_id, settings, order.columns)
    source = UpTo(settings.eventhub, order.partition_id, position, order.last, rows.event_of)
    start = StartingPoint(Resume(after, "a replay"), status, Checkpoint(order.partition_id, after, None, 0))
    pipeline = Pipeline(settings, start, Ports(source, channel, _save_nothing))
    pipeline.start()
    try:
        _move(pipeline, after, order.last)
    except RowsRejected as error:  # the error's own fix is for the live partition
        raise _rejected(order, error) from error
    except SequenceGap as error:  # the same
        raise SequenceGap(error.what, error.why, WITHOUT_GAP) from error
    return pipeline.counters.rows_total


def _save_nothing(_: Checkpoint) -> None:
    """A replay moves no checkpoint."""


def _move(pipeline: Pipeline, after: int, last: int) -> None:
    """Turn the pipeline until the last event is durable."""
    while after < last:
        connection.wait(pipeline.fds(), max(0.0, pipeline.due_s(monotonic()) - monotonic()))
        pipeline.turn(monotonic())
        durable = pipeline.counters.durable
        after = after if durable is None else durable


def _rejected(order: Order, error: RowsRejected) -> RowsRejected:
    """The error with what to do about a replay."""
    return RowsRejected(
        error.what,
        error.why,
        f"Find them in the error table of {order.table} (ERROR_LOGGING), correct the table or the sender, then run"
        f" `evsup replay --partition {order.partition_id} --from {order.first} --to {order.last} --into TABLE` with"
        " another table. The live partition is as it was.",
    )

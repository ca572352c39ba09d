"""The task that quarantines rejected rows: a process of its own, for SQL would be a third of its worker's memory.

Everything it does may be done again, to the same end: the rejected events are those that the target table lacks, and an
event that is in the quarantine already is left as it is. So its worker may die at any time, and so may the next worker.
It reads with the owner level of its worker, whose own receiver is closed meanwhile: Event Hubs takes no receiver
without a level beside one that has one.
https://learn.microsoft.com/azure/event-hubs/event-hubs-event-processor-host#epoch
"""

import os
from collections.abc import Callable, Container, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

from shared.clock import Deadline
from shared.config import environment
from shared.config.settings import EventHubSettings, Settings
from shared.errors import CountsUnsettled, ProtocolError
from shared.eventhubs.client import EventHubClient, consumer_group
from shared.ipc.messages import ChannelStatus, Quarantined, Ready, TableColumns
from shared.ipc.task import send
from shared.log import logger
from shared.model import Checkpoint
from shared.resume import SETTLED_AFTER_S
from shared.snowflake.quarantine_table import Quarantine
from worker.rows.formats import keeping
from worker.sink.rejection import (
    NEAR,
    Rejection,
    refuse_contradiction,
    refuse_expired,
    refuse_flood,
    refuse_incomplete,
    refuse_nothing_committed,
    refuse_undated,
    refuse_unproven,
    refuse_vast,
)
from worker.tasks import serve
from worker.tasks.logged_rows import logged_rows, with_reasons
from worker.tasks.reread import identified, reread

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

# Enough for a suspended warehouse, which starts within seconds, and for reading some seconds of the stream again.
LIMIT_S = 600.0


@dataclass(frozen=True, slots=True)
class Order:
    """What the task is started with."""

    rejection: Rejection
    columns: TableColumns | None
    """Of the target table, where rows have a column for each key."""
    asked_by: int
    """Pid of the worker."""


class CountedChannel(Protocol):
    """What this needs of a `worker.sink.channel.Channel`."""

    def await_status(self, is_expected: Callable[[ChannelStatus], bool], limit_s: float) -> ChannelStatus | None:
        """A status that is as expected; None: none was in time."""


class QuarantineRecord(Protocol):
    """What this needs of a `shared.control.store.ControlStore`."""

    def check_audit(self) -> None:
        """Raise unless an audit row can be written."""

    def record_quarantine(self, checkpoint: Checkpoint, actor: str, action: str) -> None:
        """Write the checkpoint and an audit row, in one transaction."""


def quarantine_rows(
    rejection: Rejection, store: QuarantineRecord, channel: CountedChannel, columns: TableColumns | None = None
) -> int:
    """Quarantine rejected rows by the task, then move the checkpoint after them; how many rows. Raises why not.

    While the count does not fit what the table lacks, a later status is waited for: nothing is appended meanwhile, so
    the count comes to rest.
    """
    # First: without the grant nothing could be recorded in the end.
    store.check_audit()
    count_by = None
    while True:
        try:
            return _recorded(rejection, store, columns)
        except CountsUnsettled:
            count_by = count_by or Deadline.after(SETTLED_AFTER_S)  # from now on: the task may have taken minutes
            later = channel.await_status(rejection.is_counted_anew, count_by.remaining_s())
            if later is None:
                raise
            rejection = rejection.counted(later)


def _recorded(rejection: Rejection, store: QuarantineRecord, columns: TableColumns | None) -> int:
    """Run the task and record what it did. Ending anywhere before the record leaves the checkpoint where it was."""
    answer = send(run, Order(rejection, columns, os.getpid()), LIMIT_S, "Rejected rows are not quarantined")
    if not isinstance(answer, Quarantined):
        raise ProtocolError("Rejected rows were to be quarantined", f"the answer is {type(answer).__name__}")
    rows, numbers = f"{answer.rows} of {rejection.rows} rejected rows", rejection.numbers
    action = f"quarantined {rows}, of events {numbers[0]} to {numbers[-1]}"
    # Last: from here on the checkpoint counts these rows as known, and nobody looks for them again.
    store.record_quarantine(rejection.checkpoint, f"worker of epoch {rejection.checkpoint.epoch}", action)
    return answer.rows


def run(order: Order, pipe: "Connection[bytes, bytes]") -> None:
    """Answer with `Quarantined` or `Failed`. Never returns."""
    serve.answer(order.asked_by, pipe, partial(carry_out, order.rejection, order.columns))


def check(asked_by: int, pipe: "Connection[bytes, bytes]") -> None:
    """Answer with `Ready` when both tables can be used, else with `Failed`. Never returns."""
    serve.answer(asked_by, pipe, _ready)


def _ready() -> Ready:
    with tables_of(environment.load_worker(), None) as tables:
        tables.check()
    return Ready()


def carry_out(rejection: Rejection, columns: TableColumns | None = None) -> Quarantined:
    """Quarantine the rejected events, then prove that each event is in one of the tables. Raises why it cannot be."""
    settings = environment.load_worker()
    logger.configure(settings.process.log_format, settings.process.log_level, partition=rejection.partition_id)
    refuse_nothing_committed(rejection)
    with tables_of(settings, rejection.checkpoint.hub_created_at_s) as tables:
        if rejected := rejected_events(rejection, settings.eventhub, tables):
            _write(rejection, settings, columns, tables, rejected)
        # Counted after the write, and also where nothing was written: an earlier try may have done it and died before
        # the record.
        refuse_unproven(rejection, tables.coverage(rejection.partition_id, rejection.numbers), tables.name)
    return Quarantined(rows=len(rejected))


def tables_of(settings: Settings, hub_created_at_s: float | None) -> AbstractContextManager[Quarantine]:
    """The target table and its quarantine; rows of a hub that was created at another time do not count."""
    return closing(Quarantine(settings.snowflake, consumer_group(settings.eventhub), hub_created_at_s))


def rejected_events(rejection: Rejection, settings: EventHubSettings, tables: Quarantine) -> Sequence[int]:
    """The events that the target table lacks, when they are as many as Snowflake counted, and not too many."""
    partition_id, numbers = rejection.partition_id, rejection.numbers
    missing: Sequence[int] = tables.missing(partition_id, numbers)
    refuse_flood(rejection, tables.recent(partition_id, numbers[0], NEAR), missing)
    if len(missing) < rejection.rows:  # some of these numbers had a row before; its enqueued time says whose
        missing = _without_row(rejection, settings, tables)
    refuse_contradiction(rejection, missing)
    return missing


def _without_row(rejection: Rejection, settings: EventHubSettings, tables: Quarantine) -> Sequence[int]:
    """The events that the target table lacks, by number and enqueued time of every event of the range."""
    _require_readable(settings, rejection, rejection.numbers)
    missing: list[int] = []
    delivered = 0
    for events in identified(settings, rejection.checkpoint, rejection.numbers):
        refuse_undated(rejection, events)
        missing += tables.without_row(rejection.partition_id, events)
        delivered += len(events)
    refuse_incomplete(rejection, delivered)
    return missing


def _require_readable(
    settings: EventHubSettings, rejection: Rejection, numbers: Sequence[int], logged: Container[int] = ()
) -> Sequence[int]:
    """Those of `numbers` that are still in the hub. `logged` are those that are not needed from there.

    Raises, before any event is read again, when they are too far apart or one that is needed has left the hub.
    """
    refuse_vast(rejection, numbers[-1] - numbers[0] + 1)
    with EventHubClient(settings) as hub:
        facts = hub.partition(rejection.partition_id)
    expired = [number for number in numbers if number < facts.oldest]
    refuse_expired(rejection, [number for number in expired if number not in logged])
    return numbers[len(expired) :]


def _write(
    rejection: Rejection,
    settings: Settings,
    columns: TableColumns | None,
    tables: Quarantine,
    rejected: Sequence[int],
) -> None:
    """Quarantine the events as they came from the hub. One that has left it is taken from the error table."""
    partition_id, checkpoint = rejection.partition_id, rejection.checkpoint
    quarantine = partial(tables.insert, reason=rejection.reason, channel=rejection.channel, epoch=checkpoint.epoch)
    logged = logged_rows(tables, partition_id, rejected, rejection.channel)
    # All of them or none: half of the rejected rows in the quarantine would look like the whole.
    in_hub = _require_readable(settings.eventhub, rejection, rejected, logged)
    if expired := rejected[: len(rejected) - len(in_hub)]:
        quarantine(partition_id, [logged[number] for number in expired])
    missing = set(in_hub)
    event_of = keeping(partition_id, settings, columns).event_of
    for events in reread(settings.eventhub, checkpoint, in_hub, event_of) if in_hub else ():
        quarantine(partition_id, [*with_reasons(events, logged, is_mapped=settings.process.mapper is not None)])
        missing -= {event.sequence_number for event in events}
    refuse_expired(rejection, sorted(missing))

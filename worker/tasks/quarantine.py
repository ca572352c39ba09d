"""The process that sets rejected rows aside, and ends: SQL in Snowflake would be a third of its worker's memory.

Everything it does may be done again, and comes to the same: the rejected events are what the target table lacks, and
one that was set aside already is left as it is. So its worker may die at any moment, and so may the worker that comes
after it. It reads with the owner level of its worker, whose own receiver is closed meanwhile: Event Hubs takes no
reader without a level beside one that has one.
https://learn.microsoft.com/azure/event-hubs/event-hubs-event-processor-host#epoch
"""

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from shared.clock import Deadline
from shared.config import environment
from shared.config.settings import EventHubSettings, Settings
from shared.control.store import ControlStore
from shared.errors import CountsUnsettled, ProtocolError
from shared.eventhubs.client import EventHubClient, consumer_group
from shared.ipc.messages import Quarantined, Ready
from shared.ipc.task import send
from shared.log import logger
from shared.snowflake.quarantine_table import Quarantine
from worker.sink.channel import Channel
from worker.sink.channel_status import COUNT_LIMIT_S
from worker.sink.rejection import (
    NEAR,
    Rejection,
    refuse_contradiction,
    refuse_flood,
    refuse_gone,
    refuse_nothing_committed,
    refuse_passed_over,
    refuse_undated,
    refuse_unproven,
    refuse_vast,
)
from worker.tasks import serve
from worker.tasks.reread import identified, reread

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

# A suspended warehouse starts within seconds, and what is read again is a few seconds of the stream.
LIMIT_S = 600.0


@dataclass(frozen=True, slots=True)
class Order:
    """What was rejected, and who asks."""

    rejection: Rejection
    asked_by: int


def set_aside(rejection: Rejection, store: ControlStore, channel: Channel) -> int:
    """Have it done by a process of its own, then go on behind it: how many rows were set aside. Raises why not.

    While the count does not fit what the table lacks, the channel is asked for a later one: nothing is appended to it
    meanwhile, so the count comes to rest.

    What is recorded is committed in the quarantine by then, and the record is one transaction. Ending anywhere before
    it leaves the checkpoint where it was, and the next worker does all of it again, to the same end.
    """
    store.check_audit()
    count_by = None
    while True:
        try:
            return _recorded(rejection, store)
        except CountsUnsettled:
            count_by = count_by or Deadline.after(COUNT_LIMIT_S)  # the errand itself may have taken minutes
            later = channel.await_progress(rejection.is_counted_anew, count_by.remaining_s())
            if later is None:
                raise
            rejection = rejection.counted(later)


def _recorded(rejection: Rejection, store: ControlStore) -> int:
    answer = send(run, Order(rejection, os.getpid()), LIMIT_S, "Rejected rows are not set aside")
    if not isinstance(answer, Quarantined):
        raise ProtocolError("Rejected rows were to be set aside", f"the answer is {type(answer).__name__}")
    rows, numbers = f"{answer.rows} of {rejection.rows} rejected rows", rejection.numbers
    action = f"quarantined {rows}, of events {numbers[0]} to {numbers[-1]}"
    store.record_quarantine(rejection.checkpoint, f"worker of epoch {rejection.checkpoint.epoch}", action)
    return answer.rows


def run(order: Order, pipe: "Connection[bytes, bytes]") -> None:
    """Answer with `Quarantined` or `Failed`. Never returns."""
    serve.answer(order.asked_by, pipe, partial(_quarantined, order.rejection))


def check(asked_by: int, pipe: "Connection[bytes, bytes]") -> None:
    """Answer with `Ready` when both tables can be used, else with `Failed`. Never returns."""
    serve.answer(asked_by, pipe, _ready)


def _ready() -> Ready:
    with _tables(environment.load_worker(), None) as tables:
        tables.check()
    return Ready()


def _quarantined(rejection: Rejection) -> Quarantined:
    settings = environment.load_worker()
    logger.configure(settings.process.log_format, settings.process.log_level, partition=rejection.partition_id)
    refuse_nothing_committed(rejection)
    with _tables(settings, rejection.checkpoint.hub_created_at_s) as tables:
        if culprits := _culprits(rejection, settings.eventhub, tables):
            _write(rejection, settings.eventhub, tables, culprits)
        refuse_unproven(rejection, tables.placed(rejection.partition_id, rejection.numbers), tables.name)
    return Quarantined(rows=len(culprits))


def _tables(settings: Settings, hub_created_at_s: float | None) -> AbstractContextManager[Quarantine]:
    return closing(Quarantine(settings.snowflake, consumer_group(settings.eventhub), hub_created_at_s))


def _culprits(rejection: Rejection, settings: EventHubSettings, tables: Quarantine) -> Sequence[int]:
    """The events that the target table lacks, when they are as many as Snowflake counted, and not too many."""
    partition_id, numbers = rejection.partition_id, rejection.numbers
    missing: Sequence[int] = tables.missing(partition_id, numbers)
    refuse_flood(rejection, tables.set_aside_lately(partition_id, numbers[0], NEAR), missing)
    if len(missing) < rejection.rows:  # there were rows under some of these numbers before: whose, the moments tell
        missing = _without_row(rejection, settings, tables)
    refuse_contradiction(rejection, missing)
    return missing


def _without_row(rejection: Rejection, settings: EventHubSettings, tables: Quarantine) -> Sequence[int]:
    """The same, by the number and the moment of every event of the range."""
    _require_readable(settings, rejection, rejection.numbers)
    missing: list[int] = []
    given = 0
    for events in identified(settings, rejection.checkpoint, rejection.numbers):
        refuse_undated(rejection, events)
        missing += tables.without_row(rejection.partition_id, events)
        given += len(events)
    refuse_passed_over(rejection, given)
    return missing


def _require_readable(settings: EventHubSettings, rejection: Rejection, numbers: Sequence[int]) -> None:
    """Before any is read again: they are not too far apart, and none of them has left the hub."""
    refuse_vast(rejection, numbers[-1] - numbers[0] + 1)
    with EventHubClient(settings) as hub:
        facts = hub.partition(rejection.partition_id)
    refuse_gone(rejection, [number for number in numbers if number < facts.oldest])


def _write(rejection: Rejection, settings: EventHubSettings, tables: Quarantine, culprits: Sequence[int]) -> None:
    _require_readable(settings, rejection, culprits)
    missing = set(culprits)
    for events in reread(settings, rejection.checkpoint, culprits):
        tables.set_aside(
            rejection.partition_id,
            events,
            reason=rejection.reason,
            channel=rejection.channel,
            epoch=rejection.checkpoint.epoch,
        )
        missing -= {event.sequence_number for event in events}
    refuse_gone(rejection, sorted(missing))

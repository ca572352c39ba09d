"""What a test does with a receiver: takes from it, and waits for it."""

import threading
from collections.abc import Callable

from shared.clock import Deadline
from shared.errors import EvsupError
from tests.unit.readable import DEADLINE_S, readable
from worker.source.batch_queue import Batch
from worker.source.link import Position
from worker.source.receiver import Receiver

AFTER_4 = Position(4)
Start = Callable[..., Receiver]


def numbers(batch: Batch | None) -> list[int | None]:
    return [] if batch is None else [event.sequence_number for event in batch.events]


def taken(receiver: Receiver) -> Batch:
    """The next batch, waited for."""
    while True:
        assert readable(receiver)
        if batch := receiver.take():
            return batch


def taken_numbers(receiver: Receiver, events: int) -> list[int | None]:
    """The numbers of so many events, in however many batches they come."""
    found: list[int | None] = []
    while len(found) < events:
        found += numbers(taken(receiver))
    return found


def raised(receiver: Receiver) -> EvsupError:
    """The error that ends the receiver, waited for."""
    try:
        while readable(receiver):
            receiver.take()
    except EvsupError as error:
        return error
    raise AssertionError("the receiver goes on")


def until(condition: Callable[[], object]) -> None:
    deadline = Deadline.after(DEADLINE_S)
    while not condition():
        assert not deadline.passed()
        threading.Event().wait(0.01)

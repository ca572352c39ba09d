"""The task that looks at recent events: which top-level keys their bodies have, and what the values look like.

It reads without an owner level, so it disturbs nobody, and is refused beside a receiver that has one. No value leaves
the process.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing import connection
from typing import TYPE_CHECKING

import msgspec

from shared.clock import Deadline, monotonic
from shared.config import environment
from shared.config.formats.identifier import MOST_CHARACTERS
from shared.config.settings import EventHubSettings
from shared.eventhubs.client import EventHubClient
from shared.ipc.messages import Sampled
from shared.log import logger
from worker.bodies.body_reader import body_reader
from worker.rows.envelope import Envelope
from worker.source.link import Position
from worker.source.receiver import Receiver
from worker.tasks import serve
from worker.tasks.value_shape import KeyValues

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

LOOK_S = 0.2
MOST_KEYS = 10_000  # no table has so many columns, and a sender may use values as keys
LONGEST_KEY = MOST_CHARACTERS + 1  # of it as much is kept as shows that it can be no column
PARTITION_S = 10.0  # for the events of one partition: a sample need not have all of them


class _Row(msgspec.Struct):
    """What a row of the envelope has of a JSON body."""

    body: msgspec.Raw = msgspec.field(name="PAYLOAD", default=msgspec.Raw(b""))


_row = msgspec.json.Decoder(_Row).decode
_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


@dataclass(frozen=True, slots=True)
class Question:
    """What the task is started with."""

    partition_ids: Sequence[str]
    events: int
    """How many of the newest events of each partition."""
    asked_by: int
    """Pid of the process that asks."""


def run(question: Question, pipe: "Connection[bytes, bytes]") -> None:
    """Answer with `Sampled` or `Failed`. Never returns."""
    serve.answer(question.asked_by, pipe, partial(_sampled, question))


def _sampled(question: Question) -> Sampled:
    settings = environment.load_worker()
    logger.configure(settings.process.log_format, "error")
    bodies = [
        body
        for partition_id in question.partition_ids
        for body in newest_bodies(settings.eventhub, partition_id, question.events)
    ]
    return shapes(bodies)


def newest_bodies(settings: EventHubSettings, partition_id: str, events: int) -> Iterator[bytes]:
    """The JSON bodies of the partition's newest events, b"" for one that is no JSON. Raises what `Receiver` does."""
    with EventHubClient(settings) as hub:
        facts = hub.partition(partition_id)
    if facts.is_empty:  # nothing would come, and the deadline would be waited for
        return
    first, last, deadline = max(facts.first, facts.last - events + 1), facts.last, Deadline.after(PARTITION_S)
    event_of = Envelope(partition_id, "keep", body_reader(settings)).event_of
    source = Receiver(settings, partition_id, None, Position(first - 1 if first else None), event_of)
    source.start()
    reached = first - 1
    while reached < last and deadline.remaining_s() > 0:
        connection.wait([source.fileno()], LOOK_S)
        # Before the look for a batch: a receiver that hangs never gives one.
        source.check_alive(monotonic())
        for event in batch.events if (batch := source.take()) else ():
            reached = max(reached, event.sequence_number or 0)
            yield bytes(_row(event.row).body)
    source.stop()


def shapes(bodies: Sequence[bytes]) -> Sampled:
    """The first keys of those bodies that are objects, in the order in which they are met."""
    values: dict[str, KeyValues] = {}
    objects = 0
    for body in bodies:
        if body[:1] == b"{":
            objects += 1
            for whole, raw in _object(body).items():
                key = whole[:LONGEST_KEY]
                if key in values or len(values) < MOST_KEYS:
                    values.setdefault(key, KeyValues(key)).add(bytes(raw))
    return Sampled(events=len(bodies), objects=objects, keys=tuple(each.shape() for each in values.values()))

"""Events of a partition that are read again: chosen ones as they came, or of each in a range what identifies it."""

from collections.abc import Container, Iterator, Sequence
from itertools import islice
from multiprocessing import connection

import msgspec

from shared.clock import monotonic
from shared.config.settings import EventHubSettings
from shared.model import Checkpoint
from shared.snowflake.quarantine_table import EventIdentity, Rejected
from worker.bodies.body_reader import BodyReader
from worker.pipeline.chunks import chunked
from worker.rows.envelope import Envelope
from worker.rows.event import Event
from worker.rows.message import body_of
from worker.source.link import Mapper, Position
from worker.source.receiver import Receiver

LOOK_S = 1.0
AS_BYTES = BodyReader("raw")  # where nobody looks at the body
PORTION = 20_000  # events that one statement takes: 1.4 MB of JSON


class ChosenEvent(Event, frozen=True, gc=False, kw_only=True):
    """An event with its body as it came; None when AMQP gave a value instead of bytes."""

    body: bytes | None


def reread(
    settings: EventHubSettings, checkpoint: Checkpoint, numbers: Sequence[int], event_of: Mapper
) -> Iterator[Sequence[Rejected]]:
    """The events with these numbers (in order) that the hub still has, once each, in portions of bounded size.

    The owner level is the epoch of `checkpoint`. Another hub than the one of `checkpoint` is refused. Blocks until the
    last of the events came, or one after it. Raises what `Receiver` does.
    """
    chosen, span = frozenset(numbers), range(numbers[0], numbers[-1] + 1)
    chosen_of = _only(chosen, event_of)
    return ([_as_rejected(each) for each in found] for found in _read(settings, checkpoint, span, chosen, chosen_of))


def identified(settings: EventHubSettings, checkpoint: Checkpoint, numbers: range) -> Iterator[Sequence[EventIdentity]]:
    """Number and enqueued time of each of these events, in portions of `PORTION`; otherwise as `reread`."""
    no_bodies = Envelope(checkpoint.partition_id, "keep", AS_BYTES).event_of
    portions = _read(settings, checkpoint, numbers, numbers, _only((), no_bodies))
    identities = (_identity(each) for found in portions for each in found)
    while portion := list(islice(identities, PORTION)):
        yield portion


def _read(
    settings: EventHubSettings, checkpoint: Checkpoint, span: range, chosen: Container[int], event_of: Mapper
) -> Iterator[Sequence[Event]]:
    """The chosen events in a span. An event with a number that is not the highest so far came before."""
    position = Position(span.start - 1 if span.start else None, hub_created_at_s=checkpoint.hub_created_at_s)
    source = Receiver(settings, checkpoint.partition_id, checkpoint.epoch, position, event_of)
    source.start()
    reached = -1
    while reached < span[-1]:
        connection.wait([source.fileno()], LOOK_S)
        # Before the look for a batch: without it, a receiver that has failed would be waited for without end.
        source.check_alive(monotonic())
        if batch := source.take():
            numbered = ((event.sequence_number, event) for event in batch.events)
            new = {number: event for number, event in numbered if number is not None and number > reached}
            reached = max((reached, *new))
            yield from (chunk.events for chunk in chunked([new[number] for number in new if number in chosen]))
    source.stop()


def _only(numbers: Container[int], event_of: Mapper) -> Mapper:
    """Makes these events, with their bodies as they came; any other event without its row."""

    def some_event_of(message: bytes) -> Event:
        event = event_of(message)
        if event.sequence_number not in numbers:
            return msgspec.structs.replace(event, size_bytes=0, row=msgspec.Raw(b""))
        return ChosenEvent(
            event.sequence_number, event.offset, event.enqueued, event.size_bytes, event.row, body=body_of(message)
        )

    return some_event_of


def _identity(event: Event) -> EventIdentity:
    assert event.sequence_number is not None, "chosen by its number"  # noqa: S101 (a bug of ours, not an input)
    return EventIdentity(sequence_number=event.sequence_number, enqueued_time=_enqueued_time(event))


def _as_rejected(event: Event) -> Rejected:
    assert isinstance(event, ChosenEvent), "chosen with its body"  # noqa: S101 (a bug of ours, not an input)
    assert event.sequence_number is not None, "chosen by its number"  # noqa: S101
    return Rejected(
        sequence_number=event.sequence_number,
        offset=event.offset,
        enqueued_time=_enqueued_time(event),
        body=None if event.body is None else event.body.hex(),
        row_json=bytes(event.row).decode(),
    )


def _enqueued_time(event: Event) -> str | None:
    return event.enqueued.isoformat() if event.enqueued else None

"""Events of a partition that are read again: chosen ones as they came, or of each in a range what identifies it."""

from collections.abc import Container, Iterator, Sequence
from itertools import islice
from multiprocessing import connection

from azure.eventhub import EventData
from msgspec import structs

from shared.clock import monotonic
from shared.config.settings import EventHubSettings
from shared.model import Checkpoint
from shared.snowflake.quarantine_table import Event, Rejected
from worker.pipeline.chunks import chunked
from worker.source.envelope import Mapper, Row, as_json, body_of, enqueued_time, envelope
from worker.source.receiver import Position
from worker.source.source import Source

LOOK_S = 1.0
# Credit for the largest events: most rows here are not made, so nothing is known of the size of their events.
PREFETCH = 64
PORTION = 20_000  # events that one statement takes: 1.4 MB of JSON
BODY = "BODY"


def reread(settings: EventHubSettings, checkpoint: Checkpoint, numbers: Sequence[int]) -> Iterator[Sequence[Rejected]]:
    """The events with these numbers (in order) that the hub still has, once each, in portions of bounded size.

    The owner level is the epoch of `checkpoint`. Another hub than the one of `checkpoint` is refused. Blocks until the
    last of the events came, or one after it. Raises what `Source` does.
    """
    chosen, span = frozenset(numbers), range(numbers[0], numbers[-1] + 1)
    row_of = _only(chosen, checkpoint.partition_id)
    return ([_as_rejected(row) for row in rows] for rows in _read(settings, checkpoint, span, chosen, row_of))


def identified(settings: EventHubSettings, checkpoint: Checkpoint, numbers: range) -> Iterator[Sequence[Event]]:
    """Number and enqueued time of each of these events, in portions of `PORTION`; otherwise as `reread`."""
    events = (_as_event(row) for rows in _read(settings, checkpoint, numbers, numbers, _identity) for row in rows)
    while portion := list(islice(events, PORTION)):
        yield portion


def _read(
    settings: EventHubSettings, checkpoint: Checkpoint, span: range, chosen: Container[int], row_of: Mapper
) -> Iterator[Sequence[Row]]:
    """The rows of the chosen events in a span. An event with a number that is not the highest so far came before."""
    position = Position(span.start - 1 if span.start else None, hub_created_at_s=checkpoint.hub_created_at_s)
    settings = structs.replace(settings, prefetch=min(PREFETCH, settings.prefetch))
    source = Source(settings, checkpoint.partition_id, checkpoint.epoch, position, row_of)
    source.start()
    reached = -1
    while reached < span[-1]:
        connection.wait([source.fileno()], LOOK_S)
        source.check_alive(monotonic())
        if batch := source.take():
            new = {row["SEQUENCE_NUMBER"]: row for row in batch.rows if row["SEQUENCE_NUMBER"] > reached}
            reached = max((reached, *new))
            yield from (chunk.rows for chunk in chunked([row for number, row in new.items() if number in chosen]))
    source.stop()


def _only(numbers: Container[int], partition_id: str) -> Mapper:
    """Makes rows of these events, with their bodies as they came; of any other event a row with just the number."""
    row_of = envelope(partition_id, "keep")

    def some_row_of(event: EventData) -> Row:
        if event.sequence_number not in numbers:
            return {"SEQUENCE_NUMBER": event.sequence_number}
        return {**row_of(event), BODY: body_of(event)}

    return some_row_of


def _identity(event: EventData) -> Row:
    return {"SEQUENCE_NUMBER": event.sequence_number, "OFFSET": event.offset, "ENQUEUED_TIME": enqueued_time(event)}


def _as_event(row: Row) -> Event:
    return Event(sequence_number=row["SEQUENCE_NUMBER"], enqueued_time=_enqueued_time(row))


def _as_rejected(row: Row) -> Rejected:
    body = row.pop(BODY)
    return Rejected(
        sequence_number=row["SEQUENCE_NUMBER"],
        offset=row.get("OFFSET"),
        enqueued_time=_enqueued_time(row),
        body=None if body is None else body.hex(),
        row_json=as_json(row),
    )


def _enqueued_time(row: Row) -> str | None:
    return row["ENQUEUED_TIME"].isoformat() if row.get("ENQUEUED_TIME") else None

"""Events of a partition, read a second time: chosen ones as they came, or of many just what they are known by."""

from collections.abc import Collection, Iterator, Sequence
from multiprocessing import connection

from azure.eventhub import EventData

from shared.clock import monotonic
from shared.quarantine import Event, Rejected
from shared.settings import EventHubSettings
from shared.store.types import Checkpoint
from worker.chunks import chunked
from worker.link import Position
from worker.rows import Mapper, Row, as_json, body_of, enqueued_time, envelope
from worker.source import Source

LOOK_S = 1.0
BODY = "BODY"
NOTHING: Row = dict.fromkeys(("OFFSET", "ENQUEUED_TIME", "PAYLOAD", "RAW_BODY"))  # what the pipeline looks at in a row


def reread(settings: EventHubSettings, checkpoint: Checkpoint, numbers: Sequence[int]) -> Iterator[Sequence[Rejected]]:
    """The events of these numbers (in order) that the hub still has, once each, in portions of bounded bytes.

    It reads with the epoch of `checkpoint` as its owner level; a hub that is not the one of `checkpoint` is refused.
    Blocks until the last of them came, or one behind it. Raises what `Source` does.
    """
    row_of = _only(frozenset(numbers), checkpoint.partition_id)
    return ([_as_rejected(row) for row in rows] for rows in _read(settings, checkpoint, numbers, row_of))


def identified(settings: EventHubSettings, checkpoint: Checkpoint, numbers: Sequence[int]) -> Iterator[Sequence[Event]]:
    """What these events are known by; otherwise as `reread`."""
    return ([_as_event(row) for row in rows] for rows in _read(settings, checkpoint, numbers, _bare))


def _read(
    settings: EventHubSettings, checkpoint: Checkpoint, numbers: Sequence[int], row_of: Mapper
) -> Iterator[Sequence[Row]]:
    wanted, partition_id = set(numbers), checkpoint.partition_id
    position = Position(numbers[0] - 1 if numbers[0] else None, hub_created_at_s=checkpoint.hub_created_at_s)
    source = Source(settings, partition_id, checkpoint.epoch, position, row_of)
    source.start()
    reached = -1
    while reached < numbers[-1]:
        connection.wait([source.fileno()], LOOK_S)
        source.check_alive(monotonic())
        if batch := source.take():
            found = {row["SEQUENCE_NUMBER"]: row for row in batch.rows if row["SEQUENCE_NUMBER"] in wanted}
            wanted -= found.keys()
            reached = max(reached, *(row["SEQUENCE_NUMBER"] for row in batch.rows))
            yield from (chunk.rows for chunk in chunked(list(found.values())))
    source.stop()


def _only(numbers: Collection[int], partition_id: str) -> Mapper:
    """The rows of these events with their bodies as they came; of any other just the number."""
    row_of = envelope(partition_id, "keep")

    def some_row_of(event: EventData) -> Row:
        if event.sequence_number not in numbers:
            return {**NOTHING, "SEQUENCE_NUMBER": event.sequence_number}
        return {**row_of(event), BODY: body_of(event)}

    return some_row_of


def _bare(event: EventData) -> Row:
    known = {"SEQUENCE_NUMBER": event.sequence_number, "OFFSET": event.offset, "ENQUEUED_TIME": enqueued_time(event)}
    return {**NOTHING, **known}


def _as_event(row: Row) -> Event:
    return Event(sequence_number=row["SEQUENCE_NUMBER"], enqueued_time=_moment(row))


def _as_rejected(row: Row) -> Rejected:
    body = row.pop(BODY)
    return Rejected(
        sequence_number=row["SEQUENCE_NUMBER"],
        offset=row["OFFSET"],
        enqueued_time=_moment(row),
        body=None if body is None else body.hex(),
        row_json=as_json(row),
    )


def _moment(row: Row) -> str | None:
    return None if row["ENQUEUED_TIME"] is None else row["ENQUEUED_TIME"].isoformat()

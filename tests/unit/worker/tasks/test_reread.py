"""Chosen events read a second time: each once, in bounded portions, whatever the SDK delivers beside them."""

from collections import deque
from collections.abc import Callable
from multiprocessing import connection
from typing import Any

import msgspec
import pytest
from azure.eventhub import EventData

from shared.errors import SourceUnavailable
from shared.model import Checkpoint
from tests.unit.plain_settings import eventhub
from tests.unit.worker.source.events import events
from worker.pipeline import chunks
from worker.source.batch_queue import Batch
from worker.source.continuity import Landmark
from worker.source.envelope import Row
from worker.source.receiver import Position
from worker.tasks import reread as rereading
from worker.tasks.reread import identified, reread

CHECKPOINT = Checkpoint("3", 99, None, 7, hub_created_at_s=1.5)


class StandInSource:
    """Delivers these batches, mapped as a link maps them."""

    batches: deque[list[EventData]]

    def __init__(self, settings: Any, partition_id: str, epoch: int, position: Position, row_of: Any) -> None:
        StandInSource.made_with = (partition_id, epoch, position)
        StandInSource.prefetch = settings.prefetch
        StandInSource.row_of = row_of
        StandInSource.stopped = False

    made_with: tuple[Any, ...]
    prefetch: int
    row_of: Callable[[EventData], Row]
    stopped: bool

    def start(self) -> None: ...

    def fileno(self) -> int:
        return 0

    def check_alive(self, _: float) -> None:
        if not self.batches:
            raise SourceUnavailable("The receiver hangs")

    def take(self) -> Batch:
        return Batch([StandInSource.row_of(event) for event in self.batches.popleft()], None)

    def stop(self) -> None:
        StandInSource.stopped = True


@pytest.fixture(autouse=True)
def source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rereading, "Source", StandInSource)
    monkeypatch.setattr(connection, "wait", lambda *_: [])


def read(numbers: list[int], *batches: list[EventData]) -> list[list[int]]:
    StandInSource.batches = deque(batches)
    found = reread(eventhub(), CHECKPOINT, numbers)
    return [[event.sequence_number for event in portion] for portion in found]


def test_only_the_chosen_events_come_and_each_of_them_once() -> None:
    assert read([5, 7], events(5, 6, 5, 6), events(5, 7, 8)) == [[5], [7]]
    assert StandInSource.made_with == ("3", 7, Position(4, hub_created_at_s=1.5))
    assert StandInSource.stopped


def test_the_first_event_of_all_is_read_from_the_beginning() -> None:
    assert read([0], events(0)) == [[0]]
    assert StandInSource.made_with[2] == Position(None, "-1", 1.5)


def test_it_ends_after_an_event_that_has_left_the_hub() -> None:
    assert read([5, 7], events(6, 8)) == []
    assert StandInSource.stopped


def test_an_event_between_the_chosen_ones_is_not_what_the_next_receiver_checks() -> None:
    read([5, 7], events(5, 6, 7))
    between = StandInSource.row_of(events(6)[0])
    assert (between["SEQUENCE_NUMBER"], Landmark.of_row(between)) == (6, None)


def test_an_event_without_an_enqueued_time_is_quarantined_too() -> None:
    [event] = events(5)
    (event.raw_amqp_message.annotations or {})[b"x-opt-enqueued-time"] = None
    StandInSource.batches = deque([[event]])
    [[found]] = reread(eventhub(), CHECKPOINT, [5])
    assert found.enqueued_time is None


def test_portions_are_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "MAX_CHUNK_BYTES", 1)
    assert read([5, 6], events(5, 6)) == [[5], [6]]


def test_little_credit_is_given_because_the_size_of_the_events_is_not_known() -> None:
    read([5, 7], events(5, 6, 7))
    assert StandInSource.prefetch == 64


def test_what_is_looked_for_in_one_statement_is_gathered_from_many_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rereading, "PORTION", 3)
    StandInSource.batches = deque([events(4, 5), events(6), events(6, 7), events(8, 9)])
    found = identified(eventhub(), CHECKPOINT, range(5, 9))
    assert [[event.sequence_number for event in portion] for portion in found] == [[5, 6, 7], [8]]


def test_a_receiver_that_hangs_is_reported() -> None:
    with pytest.raises(SourceUnavailable):
        read([5, 6], events(5))


def test_an_event_comes_with_its_body_as_it_was_and_its_row_as_it_is_sent() -> None:
    [event] = events(5)
    StandInSource.batches = deque([[event]])
    [[found]] = reread(eventhub(), CHECKPOINT, [5])
    assert found.body is not None
    assert bytes.fromhex(found.body) == b"".join(event.raw_amqp_message.body)
    row = msgspec.json.decode(found.row_json)
    assert (row["PARTITION_ID"], row["SEQUENCE_NUMBER"], row["OFFSET"]) == ("3", 5, found.offset)
    assert "BODY" not in row
    assert msgspec.json.encode(found).startswith(b'{"SEQUENCE_NUMBER":5,"ENQUEUED_TIME":')


def test_of_a_range_number_and_enqueued_time_of_each_event_come() -> None:
    [first, second, *rest] = events(5, 6, 7)
    (second.raw_amqp_message.annotations or {})[b"x-opt-enqueued-time"] = None
    StandInSource.batches = deque([[first, second], [first, *rest]])
    found = [event for portion in identified(eventhub(), CHECKPOINT, range(5, 8)) for event in portion]
    enqueued = f"{first.enqueued_time:%Y-%m-%dT%H:%M:%S}.123000+00:00"
    assert [(event.sequence_number, event.enqueued_time) for event in found] == [
        (5, enqueued),
        (6, None),
        (7, enqueued),
    ]
    landmark = Landmark.of_row(StandInSource.row_of(first))
    assert landmark is not None
    assert (landmark.number, landmark.offset) == (5, first.offset), "the next link knows where it begins"

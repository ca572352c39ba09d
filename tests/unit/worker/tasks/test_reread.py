"""Chosen events read a second time: each once, in bounded portions, whatever the SDK delivers beside them."""

from collections import deque
from collections.abc import Callable
from multiprocessing import connection
from typing import Any

import msgspec
import pytest

from shared.errors import SourceUnavailable
from shared.model import Checkpoint
from tests.unit.plain_settings import eventhub
from tests.unit.worker.rows.events import event, event_of, events
from worker.pipeline import chunks
from worker.rows.event import Event
from worker.source.batch_queue import Batch
from worker.source.continuity import LastEvent
from worker.source.link import Position
from worker.tasks import reread as rereading
from worker.tasks.reread import identified, reread

CHECKPOINT = Checkpoint("3", 99, None, 7, hub_created_at_s=1.5)


class StandInSource:
    """Delivers these batches, mapped as a link maps them."""

    batches: deque[list[bytes]]

    def __init__(self, settings: Any, partition_id: str, epoch: int, position: Position, event_of: Any) -> None:
        StandInSource.made_with = (partition_id, epoch, position)
        StandInSource.event_of = event_of
        StandInSource.stopped = False

    made_with: tuple[Any, ...]
    event_of: Callable[[bytes], Event]
    stopped: bool

    def start(self) -> None: ...

    def fileno(self) -> int:
        return 0

    def check_alive(self, _: float) -> None:
        if not self.batches:
            raise SourceUnavailable("The receiver hangs")

    def take(self) -> Batch:
        return Batch([StandInSource.event_of(encoded) for encoded in self.batches.popleft()], None)

    def stop(self) -> None:
        StandInSource.stopped = True


@pytest.fixture(autouse=True)
def source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rereading, "Receiver", StandInSource)
    monkeypatch.setattr(connection, "wait", lambda *_: [])


def read(numbers: list[int], *batches: list[bytes]) -> list[list[int]]:
    StandInSource.batches = deque(batches)
    found = reread(eventhub(), CHECKPOINT, numbers, event_of)
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


def test_an_event_between_the_chosen_ones_says_where_the_next_link_begins_and_has_no_row() -> None:
    read([5, 7], events(5, 6, 7))
    between = StandInSource.event_of(events(6)[0])
    assert (between.sequence_number, between.size_bytes, bytes(between.row)) == (6, 0, b"")
    assert LastEvent.of_event(between)


def test_an_event_without_an_enqueued_time_is_quarantined_too() -> None:
    StandInSource.batches = deque([[event(b"{}", 5, annotations={b"x-opt-enqueued-time": None})]])
    [[found]] = reread(eventhub(), CHECKPOINT, [5], event_of)
    assert found.enqueued_time is None


def test_portions_are_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "MAX_CHUNK_BYTES", 1)
    assert read([5, 6], events(5, 6)) == [[5], [6]]


def test_what_is_looked_for_in_one_statement_is_gathered_from_many_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rereading, "PORTION", 3)
    StandInSource.batches = deque([events(4, 5), events(6), events(6, 7), events(8, 9)])
    found = identified(eventhub(), CHECKPOINT, range(5, 9))
    assert [[event.sequence_number for event in portion] for portion in found] == [[5, 6, 7], [8]]


def test_a_receiver_that_hangs_is_reported() -> None:
    with pytest.raises(SourceUnavailable):
        read([5, 6], events(5))


@pytest.mark.parametrize("body", [b' {"a": 1}\n', b"no json", b""])
def test_an_event_comes_with_its_body_as_it_was_and_its_row_as_it_is_sent(body: bytes) -> None:
    StandInSource.batches = deque([[event(body, 5)]])
    [[found]] = reread(eventhub(), CHECKPOINT, [5], event_of)
    assert found.body is not None
    assert bytes.fromhex(found.body) == body
    assert found.row_json.encode() == bytes(event_of(event(body, 5)).row)
    assert msgspec.json.encode(found).startswith(b'{"SEQUENCE_NUMBER":5,"ENQUEUED_TIME":')


def test_of_a_range_number_and_enqueued_time_of_each_event_come() -> None:
    [first, *rest] = events(5, 7)
    undated = event(b"{}", 6, annotations={b"x-opt-enqueued-time": None})
    StandInSource.batches = deque([[first, undated], [first, *rest]])
    found = [one for portion in identified(eventhub(), CHECKPOINT, range(5, 8)) for one in portion]
    enqueued = "2023-11-14T22:13:20.123000+00:00"
    assert [(one.sequence_number, one.enqueued_time) for one in found] == [(5, enqueued), (6, None), (7, enqueued)]
    last_event = LastEvent.of_event(StandInSource.event_of(first))
    assert last_event is not None
    assert (last_event.number, last_event.offset) == (5, "123"), "the next link knows where it begins"

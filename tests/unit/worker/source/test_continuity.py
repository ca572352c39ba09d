"""The event that a link goes on after: whether the one that the hub has under its number is the one that was read."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from azure.eventhub import EventData
from msgspec import structs

from shared.errors import ResumeRefused
from shared.model import Checkpoint
from tests.unit.worker.rows.events import ENQUEUED_MS, event, event_of, long, message
from worker.source.continuity import CLOCKS_APART, LastEvent, as_event

ENQUEUED = datetime.fromtimestamp(ENQUEUED_MS / 1000, UTC)
KNOWN = LastEvent(5, "123", ENQUEUED)  # as tests.unit.worker.rows.events makes event 5
BY_THEN = replace(KNOWN, is_exact=False)  # as a checkpoint that only knows when itself was written
AN_HOUR = timedelta(hours=1)
A_MOMENT = timedelta(milliseconds=1)  # the hub counts no less


@pytest.mark.parametrize(
    "last_event",
    [
        KNOWN,
        replace(KNOWN, offset="0:77"),  # another offset of the same event, after a failover
        replace(KNOWN, offset=None),
        replace(KNOWN, enqueued=ENQUEUED + timedelta(microseconds=1)),  # as a database may round it
        BY_THEN,
        replace(BY_THEN, enqueued=ENQUEUED - AN_HOUR),  # the offset says enough: clocks need not agree
        replace(BY_THEN, offset="0:77"),
        replace(BY_THEN, offset="0:77", enqueued=ENQUEUED + AN_HOUR),
        replace(BY_THEN, offset=None, enqueued=ENQUEUED - CLOCKS_APART),
    ],
)
def test_the_event_that_was_read_is_known_by_its_time_or_by_its_offset(last_event: LastEvent) -> None:
    assert last_event.recognises("3", event_of(event(b"{}", 5)))


@pytest.mark.parametrize(
    "last_event",
    [
        replace(KNOWN, enqueued=ENQUEUED - A_MOMENT),  # offsets count bytes: another event may well have the same
        replace(KNOWN, enqueued=ENQUEUED + A_MOMENT),
        replace(BY_THEN, offset="99", enqueued=ENQUEUED - A_MOMENT),
        replace(BY_THEN, offset=None, enqueued=ENQUEUED - CLOCKS_APART - A_MOMENT),
    ],
)
def test_another_event_under_its_number_is_refused(last_event: LastEvent) -> None:
    with pytest.raises(ResumeRefused, match="Partition 3: event 5 of the hub is not the one"):
        last_event.recognises("3", event_of(event(b"{}", 5)))


def test_an_event_without_a_time_says_nothing_of_another_one() -> None:
    assert KNOWN.recognises("3", event_of(message(5, annotations={b"x-opt-enqueued-time": None})))


@pytest.mark.parametrize("last_event", [KNOWN, replace(BY_THEN, offset="99")])
def test_the_refusal_names_the_first_moment_after_it(last_event: LastEvent) -> None:
    before = replace(last_event, enqueued=datetime(2023, 11, 14, 12, 0, 0, 999_700, UTC))
    with pytest.raises(ResumeRefused) as refused:
        before.recognises("3", event_of(event(b"{}", 5)))
    assert "`evsup checkpoints reset --partition 3 --to 2023-11-14T12:00:01.000+00:00`" in refused.value.fix


@pytest.mark.parametrize("number", [4, 6, None])
def test_an_event_of_another_number_says_nothing(number: int | None) -> None:
    assert not KNOWN.recognises("3", event_of(message(number)))


def test_a_checkpoint_knows_when_its_event_was_or_else_when_itself_was_written() -> None:
    stored = Checkpoint("3", 5, "123", 7, updated_at_s=(ENQUEUED + AN_HOUR).timestamp())
    assert LastEvent.of_checkpoint(stored) == replace(BY_THEN, enqueued=ENQUEUED + AN_HOUR)
    assert LastEvent.of_checkpoint(replace(stored, enqueued_at_s=ENQUEUED.timestamp())) == KNOWN
    assert LastEvent.of_checkpoint(replace(stored, sequence_number=None)) is None
    assert LastEvent.of_checkpoint(replace(stored, updated_at_s=None)) is None


def test_an_event_that_was_received_is_known_by_its_number_and_its_time() -> None:
    received = event_of(event(b"{}", 5))
    assert LastEvent.of_event(received) == KNOWN
    assert LastEvent.of_event(structs.replace(received, sequence_number=None)) is None
    assert LastEvent.of_event(structs.replace(received, enqueued=None)) is None


@pytest.mark.parametrize("time", [long(ENQUEUED_MS), None, b"no time"])
def test_an_event_that_the_sdk_was_asked_for_is_known_as_one_that_was_received(time: object) -> None:
    encoded = message(5, data=[b"{}"], annotations={b"x-opt-enqueued-time": time})
    asked, received = as_event(EventData.from_bytes(encoded)), event_of(encoded)
    assert (asked.sequence_number, asked.offset, asked.enqueued) == (5, "123", received.enqueued)

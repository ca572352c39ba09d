"""The event that a link goes on behind: whether the one that the hub has under its number is the one that was read."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.errors import ResumeRefused
from shared.store.types import Checkpoint
from tests.unit.events import ENQUEUED_MS, event, message
from worker.landmark import CLOCKS_APART, Landmark
from worker.rows import envelope

ENQUEUED = datetime.fromtimestamp(ENQUEUED_MS / 1000, UTC)
KNOWN = Landmark(5, "123", ENQUEUED)  # as tests.unit.events makes event 5
AN_HOUR = timedelta(hours=1)


def stored(sequence_number: int | None, written: datetime | None = ENQUEUED + AN_HOUR) -> Checkpoint:
    return Checkpoint("3", sequence_number, "123", 7, updated_at_s=written.timestamp() if written else None)


@pytest.mark.parametrize(
    "landmark",
    [
        KNOWN,
        replace(KNOWN, enqueued_by=ENQUEUED - AN_HOUR),  # the offset says enough: clocks need not agree
        replace(KNOWN, offset="0:77"),  # another offset of the same event, after a failover
        replace(KNOWN, offset="0:77", enqueued_by=ENQUEUED + AN_HOUR),
        replace(KNOWN, offset=None, enqueued_by=ENQUEUED - CLOCKS_APART),
    ],
)
def test_the_event_that_was_read_is_known_by_its_offset_or_by_its_time(landmark: Landmark) -> None:
    assert landmark.recognises("3", event(b"{}", 5))


@pytest.mark.parametrize(
    "landmark",
    [
        replace(KNOWN, offset="99", enqueued_by=ENQUEUED - timedelta(milliseconds=1)),
        replace(KNOWN, offset=None, enqueued_by=ENQUEUED - CLOCKS_APART - timedelta(milliseconds=1)),
    ],
)
def test_another_event_under_its_number_is_refused(landmark: Landmark) -> None:
    with pytest.raises(ResumeRefused, match="Partition 3: event 5 of the hub is not the one"):
        landmark.recognises("3", event(b"{}", 5))


def test_the_refusal_names_the_first_moment_after_it() -> None:
    landmark = replace(KNOWN, offset="99", enqueued_by=datetime(2023, 11, 14, 12, 0, 0, 999_700, UTC))
    with pytest.raises(ResumeRefused) as refused:
        landmark.recognises("3", event(b"{}", 5))
    assert "`evsup checkpoints reset --partition 3 --to 2023-11-14T12:00:01.000+00:00`" in refused.value.fix


@pytest.mark.parametrize("number", [4, 6, None])
def test_an_event_of_another_number_says_nothing(number: int | None) -> None:
    assert not KNOWN.recognises("3", message(number))


def test_a_checkpoint_knows_its_own_event_only() -> None:
    landmark = Landmark.of_checkpoint(stored(5), 5)
    assert landmark == Landmark(5, "123", ENQUEUED + AN_HOUR)
    assert Landmark.of_checkpoint(stored(5), 6) is None
    assert Landmark.of_checkpoint(stored(None), None) is None
    assert Landmark.of_checkpoint(stored(5, written=None), 5) is None


def test_a_row_is_what_its_event_was() -> None:
    row = envelope("3", "keep")(event(b"{}", 5))
    assert Landmark.of_row(row) == KNOWN
    assert Landmark.of_row(row | {"SEQUENCE_NUMBER": None}) is None

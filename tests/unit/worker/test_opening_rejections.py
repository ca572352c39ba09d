"""Opening a partition whose rows were rejected: which events are looked through."""

from dataclasses import replace

import pytest

from shared.errors import DataRefused, ResumeRefused, RowsRejected
from shared.ipc.messages import ChannelStatus
from shared.model import Checkpoint
from tests.unit.plain_settings import eventhub, plain
from tests.unit.worker.opening_world import BORN_S, ENROLLED, QUARANTINE, World, found, opened, stored
from worker.sink.rejection import Rejection


def test_rows_rejected_while_nobody_watched_are_found_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RowsRejected, match="rejected 2 rows"):
        opened(World(50, stored(50, errors=3), errors=5), monkeypatch)
    with pytest.raises(RowsRejected, match="rejected 1 row"):
        opened(World(50, None, errors=1), monkeypatch)
    assert opened(World(50, stored(50, errors=5), errors=5), monkeypatch).checkpoint.rows_error_count == 5


@pytest.mark.parametrize(
    ("checkpoint", "starting_position", "first"),
    [
        (replace(stored(50, errors=3), unsettled_from=31), "-1", 31),
        (replace(stored(None), unsettled_from=3), "-1", 3),  # retention has passed them since the channel was opened
        (stored(50, errors=3), "-1", 51),
        (stored(50, errors=3), "2026-01-31T00:00:00Z", 51),
        (None, "-1", 7),  # the first checkpoint was not written: from the oldest event on
        (None, "2026-01-31T00:00:00Z", 33),
    ],
)
def test_rejected_rows_to_be_quarantined_are_among_the_unsettled_events(
    monkeypatch: pytest.MonkeyPatch, checkpoint: Checkpoint | None, starting_position: str, first: int
) -> None:
    world = World(60, checkpoint, errors=5, first=7)
    rejection = found(world, monkeypatch, plain(QUARANTINE, eventhub(starting_position=starting_position)))
    assert isinstance(rejection, Rejection)
    known = checkpoint.rows_error_count if checkpoint else 0
    assert (rejection.rows, rejection.numbers, rejection.channel) == (5 - known, range(first, 61), "CHANNEL")
    assert rejection.checkpoint == Checkpoint("3", 60, None, 7, 5, BORN_S, unsettled_from=61)
    assert rejection.position == (checkpoint.sequence_number if checkpoint else None)
    assert not world.saved, "nothing is recorded before they are quarantined"


def test_what_a_start_refuses_is_refused_before_anything_is_quarantined(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ResumeRefused):
        found(World(40, stored(50), errors=2), monkeypatch, plain(QUARANTINE))


def test_rejected_rows_are_not_looked_for_among_events_that_are_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = plain(QUARANTINE, eventhub(on_gap="warn"))
    world = World(50, replace(stored(50), unsettled_from=31), first=61)
    made = opened(world, monkeypatch, settings)
    assert made.checkpoint.unsettled_from == 61
    assert world.saved == [made.checkpoint], "before the first row after them"
    counted = found(World(50, replace(stored(50), unsettled_from=31), errors=1, first=61), monkeypatch, settings)
    assert isinstance(counted, Rejection)
    assert counted.numbers == range(31, 51)


def test_the_first_event_of_a_fresh_channel_is_stored_before_its_first_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the time a row is found rejected, retention may have passed it."""
    for settings, first in (
        (plain(QUARANTINE), 7),
        (plain(QUARANTINE, eventhub(starting_position="2026-01-31T00:00:00Z")), 33),
        (plain(None, eventhub(starting_position="2026-01-31T00:00:00Z")), 33),
    ):
        world = World(None, ENROLLED, first=7)
        assert opened(world, monkeypatch, settings).checkpoint.unsettled_from == first
        assert [saved.unsettled_from for saved in world.saved] == [first]


def test_the_first_event_of_a_channel_is_another_one_when_retention_passed_it_before_the_first_row(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(None, replace(stored(None), unsettled_from=7), first=9)
    assert opened(world, monkeypatch).checkpoint.unsettled_from == 9
    assert [saved.unsettled_from for saved in world.saved] == [9]
    latest = World(None, replace(ENROLLED, begins_after=40, unsettled_from=3))
    assert opened(latest, monkeypatch).checkpoint.unsettled_from == 41


def test_a_count_below_the_checkpoint_s_is_waited_for_and_refused_when_it_stays_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(60, stored(50, errors=5), errors=3)
    with pytest.raises(DataRefused, match="went back from 5 to 3") as refused:
        opened(world, monkeypatch)
    assert "`evsup checkpoints set --partition 3 --rejected-rows 3`" in refused.value.fix
    world.later = ChannelStatus(70, 5)
    made = opened(world, monkeypatch)
    assert (made.status.token, made.checkpoint.rows_error_count) == (60, 5), "the token is the one of the open"
    world.later = ChannelStatus(70, 6)
    with pytest.raises(RowsRejected, match="rejected 1 row"):
        opened(world, monkeypatch)

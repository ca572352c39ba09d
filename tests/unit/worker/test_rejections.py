"""The worker's loop when Snowflake rejected rows: what was found is set aside, and then all begins as at a start."""

import threading
from collections.abc import Callable

import pytest

from shared.errors import ChannelGone, OwnershipLost, RowsRejected, SinkUnavailable
from shared.ipc.messages import Opened
from shared.model import Checkpoint
from tests.unit.readable import DEADLINE_S, readable
from tests.unit.worker.rig import OPENING, StandInSource, WorkerRig
from worker import loop
from worker.loop import OPEN_LIMIT_S, REPORT_S
from worker.opening import Opening
from worker.sink.channel_status import Progress
from worker.sink.rejection import Rejection
from worker.tasks import quarantine

REJECTION = Rejection(Progress(9, 2), 0, range(5, 10), "CHANNEL_3", Checkpoint("3", 9, None, 2, 2))


class World:
    """What opening finds, one time after the other, and what became of the rows that were to be set aside."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *found: Opening | Rejection) -> None:
        self.found = list(found)
        self.set_aside: list[Rejection] = []
        self.failure: Exception | None = None
        self.ends = threading.Event()
        self.ends.set()
        monkeypatch.setattr(loop, "open_partition", lambda *_: self.found.pop(0))
        monkeypatch.setattr(quarantine, "set_aside", self._set_aside)

    def _set_aside(self, rejection: Rejection, *_: object) -> int:
        assert self.ends.wait(DEADLINE_S)
        if self.failure:
            raise self.failure
        self.set_aside.append(rejection)
        return rejection.rows


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> WorkerRig:
    return WorkerRig(monkeypatch, on_reject="quarantine")


MakeWorld = Callable[..., World]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> MakeWorld:
    return lambda *found: World(monkeypatch, *found)


def follow(rig: WorkerRig) -> None:
    """Until nothing runs on other threads any more, turn by turn."""
    while rig.worker._opening.is_busy or rig.worker._quarantine.is_busy:
        assert readable(rig.worker._quarantine if rig.worker._quarantine.is_busy else rig.worker._opening)
        rig.step()


def test_rows_rejected_while_nobody_watched_are_set_aside_before_the_first_event(
    rig: WorkerRig, world: MakeWorld
) -> None:
    made = world(REJECTION, OPENING)
    rig.worker.open()
    follow(rig)
    assert made.set_aside == [REJECTION]
    assert rig.source.started
    assert [word for word in rig.words if isinstance(word, Opened)] == rig.words
    rig.step()
    assert rig.statuses[-1].counters.quarantined_total == 2
    assert [status.state for status in rig.statuses][-1] == "running"


def test_rows_rejected_in_the_stream_are_looked_for_as_after_a_start(rig: WorkerRig, world: MakeWorld) -> None:
    made = world(REJECTION, OPENING)
    rig.begin()
    rig.source.deliver(*range(5, 10))
    rig.step()
    rig.commit(9, errors=2)
    rig.step()
    rig.step()
    assert rig.source.stopped == 1, "the partition has one reader, and is about to be read again"
    assert rig.statuses[-1].state == "opening"
    follow(rig)
    assert made.set_aside == [REJECTION]
    assert not made.found


def test_without_the_setting_they_end_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = WorkerRig(monkeypatch).begin()
    rig.commit(4, errors=2)
    with pytest.raises(RowsRejected, match="rejected 2 rows"):
        rig.steps()


def test_why_they_cannot_be_set_aside_ends_the_worker(rig: WorkerRig, world: MakeWorld) -> None:
    made = world(REJECTION)
    made.failure = REJECTION.error("the table lacks 3 of the events, and Snowflake counted 2")
    rig.worker.open()
    with pytest.raises(RowsRejected, match="Snowflake counted 2"):
        follow(rig)
    assert not rig.source.started


def test_while_they_are_set_aside_it_obeys_reports_and_holds_its_lease(rig: WorkerRig, world: MakeWorld) -> None:
    made = world(REJECTION)
    made.ends.clear()
    rig.open(lambda: REJECTION)
    rig.step(OPEN_LIMIT_S + 1.0)
    assert rig.statuses[-1].state == "opening", "the limit of opening is not theirs"
    with pytest.raises(OwnershipLost, match="ran out"):
        rig.step(1000.0)
    made.ends.set()


def test_a_drain_does_not_wait_for_them(rig: WorkerRig, world: MakeWorld) -> None:
    made = world(REJECTION)
    made.ends.clear()
    rig.open(lambda: REJECTION)
    rig.tell_drain()
    assert rig.step()
    made.ends.set()
    assert not rig.source.started


def test_a_drain_in_which_they_appear_ends_and_leaves_them_to_the_next_owner(rig: WorkerRig, world: MakeWorld) -> None:
    made = world()
    rig.begin()
    rig.source.deliver(5, 6)
    rig.step()
    rig.tell_drain()
    rig.step()
    rig.commit(6, errors=1)
    assert rig.steps()
    assert not rig.worker._opening.is_busy, "the channel is not opened again for nobody"
    assert not made.set_aside
    assert not rig.store.saved, "the checkpoint stays before them"


def test_the_limit_of_opening_counts_anew_behind_them(
    rig: WorkerRig, world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = world()
    made.ends.clear()
    rig.open(lambda: REJECTION)
    rig.turn_for(OPEN_LIMIT_S)
    monkeypatch.setattr(loop, "open_partition", lambda *_: made.ends.wait(DEADLINE_S))
    made.ends.set()
    assert readable(rig.worker._quarantine)
    made.ends.clear()
    rig.turn_for(OPEN_LIMIT_S - REPORT_S)
    with pytest.raises(SinkUnavailable, match="could not be opened"):
        rig.turn_for(3 * REPORT_S)
    made.ends.set()


GONE = Progress(None, 0, "ERR_CHANNEL_DOES_NOT_EXIST_OR_NOT_AUTHORIZED")


def test_a_channel_that_is_gone_is_opened_again_with_what_was_written_to_it(
    rig: WorkerRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[object] = []
    monkeypatch.setattr(loop, "open_partition", lambda *arguments: written.append(arguments[-1]))
    rig.begin()
    rig.source.deliver(5, 6)
    rig.step()
    rig.commit(6)
    rig.steps()
    rig.channel.says = GONE
    while rig.worker._flow:
        rig.step()
    assert readable(rig.worker._opening)
    assert written == [6]
    assert rig.source.stopped == 1, "the partition has one reader"


def test_a_channel_that_is_gone_as_soon_as_it_was_opened_ends_the_worker(
    rig: WorkerRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is one for who opens it, and none for who asks for its status: that is never said without an end."""
    openings = [OPENING]
    monkeypatch.setattr(loop, "open_partition", lambda *_: openings.pop())
    monkeypatch.setattr(loop, "Source", lambda *_: StandInSource())
    rig.begin()
    rig.channel.says = GONE
    with pytest.raises(ChannelGone):
        follow_for_ever(rig)
    assert not openings


def test_a_channel_that_takes_rows_and_never_has_a_status_ends_the_worker(
    rig: WorkerRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that were appended prove nothing, nor does the token that an open says."""
    openings = [OPENING] * 5
    monkeypatch.setattr(loop, "open_partition", lambda *_: openings.pop())
    rig.begin()
    rig.channel.says = GONE
    with pytest.raises(ChannelGone):
        deliver_for_ever(rig, monkeypatch)
    assert len(openings) == 4


def test_each_loss_after_a_status_with_a_token_is_the_first_one(
    rig: WorkerRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "open_partition", lambda *_: OPENING)
    monkeypatch.setattr(loop, "Source", lambda *_: StandInSource())
    rig.begin()
    for _ in range(3):
        rig.channel.says = OPENING.progress
        for _ in range(12):
            rig.step()
        rig.channel.says = GONE
        while rig.worker._flow:
            rig.step()
        follow(rig)
    assert rig.worker._flow


def test_what_was_moved_before_a_reopening_stays_counted(rig: WorkerRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "open_partition", lambda *_: OPENING)
    rig.begin()
    monkeypatch.setattr(loop, "Source", lambda *_: StandInSource())
    rig.source.deliver(4, 5, 6)
    rig.step()
    before = rig.statuses[-1].counters
    assert (before.rows_total, before.duplicates_total) == (2, 1)
    rig.channel.says = GONE
    while rig.worker._flow:
        rig.step()
    follow(rig)
    rig.channel.says = OPENING.progress
    rig.step()
    counters = [status.counters for status in rig.statuses]
    after = [(each.rows_total, each.bytes_total, each.duplicates_total) for each in counters]
    assert {"opening", "running"} <= {status.state for status in rig.statuses}
    assert set(after[after.index((2, before.bytes_total, 1)) :]) == {(2, before.bytes_total, 1)}


def deliver_for_ever(rig: WorkerRig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each link has an event to give."""

    def made(*_: object) -> StandInSource:
        source = StandInSource()
        source.deliver(5)
        return source

    monkeypatch.setattr(loop, "Source", made)
    while True:
        rig.step()
        follow(rig)


def follow_for_ever(rig: WorkerRig) -> None:
    while True:
        rig.step()
        follow(rig)

"""How one state of a worker follows another: what is rejected or lost in the stream is handled as at a start."""

from collections.abc import Callable

import pytest

from shared.errors import ChannelGone, OwnershipLost, RowsRejected, SinkUnavailable
from shared.ipc.messages import ChannelStatus, Opened
from shared.model import Checkpoint
from tests.unit.worker.calls import Calls
from tests.unit.worker.rig import START, StandInSource, WorkerRig
from worker.loop import REPORT_S
from worker.sink.rejection import Rejection
from worker.states import OPEN_LIMIT_S

REJECTION = Rejection(ChannelStatus(9, 2), 0, range(5, 10), "CHANNEL_3", Checkpoint("3", 9, None, 2, 2))
GONE = ChannelStatus(None, 0, "ERR_CHANNEL_DOES_NOT_EXIST_OR_NOT_AUTHORIZED")

MANY_TURNS = 100


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch, calls: Calls) -> WorkerRig:
    """A worker that quarantines, and has not opened its partition."""
    return WorkerRig(monkeypatch, calls, on_reject="quarantine")


def step_until(rig: WorkerRig, condition: Callable[[], bool]) -> None:
    """Turns of a second until then."""
    for _ in range(MANY_TURNS):
        if condition():
            return
        rig.step()
    pytest.fail(f"not within {MANY_TURNS} turns; the state is {rig.worker.state.name}")


# --- rejected rows ----------------------------------------------------------------------------------------------------


def test_rows_rejected_while_nobody_watched_are_quarantined_before_the_first_event(rig: WorkerRig) -> None:
    rig.open(lambda: REJECTION)
    step_until(rig, lambda: rig.source.started)
    assert rig.partition.quarantined == [REJECTION]
    assert [type(report) for report in rig.milestones] == [Opened]
    rig.step()
    assert rig.statuses[-1].counters.quarantined_total == 2
    assert rig.statuses[-1].state == "running"


def test_rows_rejected_in_the_stream_are_looked_for_as_at_a_start(rig: WorkerRig) -> None:
    rig.run()
    rig.partition.found.append(lambda: REJECTION)
    first = rig.source
    first.deliver(*range(5, 10))
    rig.step()
    rig.commit(9, errors=2)
    rig.steps(3)
    assert first.stopped == 1, "the partition has one receiver, and is about to be read again"
    assert rig.statuses[-1].state == "opening"
    step_until(rig, lambda: rig.source is not first)
    assert rig.partition.quarantined == [REJECTION]
    assert not rig.partition.found


def test_without_the_setting_they_end_the_worker(monkeypatch: pytest.MonkeyPatch, calls: Calls) -> None:
    rig = WorkerRig(monkeypatch, calls).run()
    rig.commit(4, errors=2)
    with pytest.raises(RowsRejected, match="rejected 2 rows"):
        rig.steps()


def test_why_they_cannot_be_quarantined_ends_the_worker(rig: WorkerRig) -> None:
    rig.partition.quarantine_failure = REJECTION.error("the table lacks 3 of the events, and Snowflake counted 2")
    rig.open(lambda: REJECTION)
    with pytest.raises(RowsRejected, match="Snowflake counted 2"):
        rig.steps()
    assert not rig.source.started


def test_while_they_are_quarantined_it_handles_commands_reports_and_holds_its_lease(
    rig: WorkerRig, calls: Calls
) -> None:
    calls.hold("quarantine")
    rig.open(lambda: REJECTION)
    rig.step(OPEN_LIMIT_S + 1.0)
    assert rig.statuses[-1].state == "opening", "the limit of opening is not theirs"
    with pytest.raises(OwnershipLost, match="ran out"):
        rig.step(1000.0)
    calls.release("quarantine")


def test_a_drain_does_not_wait_for_them(rig: WorkerRig, calls: Calls) -> None:
    calls.hold("quarantine")
    rig.open(lambda: REJECTION)
    rig.send_drain()
    assert rig.step()
    calls.release("quarantine")
    assert not rig.source.started


def test_a_drain_in_which_they_appear_ends_and_leaves_them_to_the_next_owner(rig: WorkerRig) -> None:
    rig.run()
    rig.source.deliver(5, 6)
    rig.step()
    rig.send_drain()
    rig.step()
    rig.commit(6, errors=1)
    assert rig.steps()
    assert rig.partition.written == [None], "the channel is not opened again for nobody"
    assert not rig.partition.quarantined
    assert not rig.store.saved, "the checkpoint stays before them"


def test_the_limit_of_opening_counts_anew_after_them(rig: WorkerRig, calls: Calls) -> None:
    calls.hold("quarantine")
    rig.open(lambda: REJECTION)
    rig.turn_for(OPEN_LIMIT_S)
    calls.hold("opening")
    calls.release("quarantine")
    rig.turn_for(OPEN_LIMIT_S)
    with pytest.raises(SinkUnavailable, match="could not be opened"):
        rig.turn_for(3 * REPORT_S)
    calls.release("opening")


def test_a_worker_that_waits_for_its_turn_to_ask_the_hub_has_the_whole_limit_from_then_on(
    rig: WorkerRig, calls: Calls
) -> None:
    rig.partition.asks_from_s = rig.clock() + 2 * OPEN_LIMIT_S
    calls.release("opening")
    rig.turn_for(2 * OPEN_LIMIT_S - REPORT_S)
    assert not rig.partition.written, "it was not opened yet"
    calls.hold("opening")
    rig.turn_for(OPEN_LIMIT_S - 3 * REPORT_S)
    rig.open()
    assert rig.partition.written == [None]


def failed_open() -> Rejection:
    raise REJECTION.error()


def test_a_drain_does_not_hide_an_open_that_failed_in_the_same_turn(rig: WorkerRig, calls: Calls) -> None:
    rig.partition.found.append(failed_open)
    rig.step(0.0)
    calls.release("opening")
    rig.send_drain()
    with pytest.raises(RowsRejected, match="rejected 2 rows"):
        rig.step()


def test_a_drain_does_not_hide_a_quarantine_that_failed_in_the_same_turn(rig: WorkerRig, calls: Calls) -> None:
    rig.partition.quarantine_failure = REJECTION.error("the table lacks 3 of the events")
    calls.hold("quarantine")
    rig.open(lambda: REJECTION)
    calls.release("quarantine")
    rig.send_drain()
    with pytest.raises(RowsRejected, match="lacks 3 of the events"):
        rig.step()


# --- a channel that does not exist any more ---------------------------------------------------------------------------


def test_a_channel_that_is_lost_is_opened_again_with_what_was_written_to_it(rig: WorkerRig) -> None:
    rig.run()
    first = rig.source
    first.deliver(5, 6)
    rig.step()
    rig.commit(6)
    rig.steps()
    rig.channel.shown = GONE
    step_until(rig, lambda: len(rig.partition.written) == 2)
    assert rig.partition.written == [None, 6]
    assert first.stopped == 1, "the partition has one receiver"


def test_a_channel_that_is_lost_as_soon_as_it_was_opened_ends_the_worker(rig: WorkerRig) -> None:
    """An open finds a channel and a status finds none: without a limit that would go on for ever."""
    rig.run()
    rig.channel.shown = GONE
    with pytest.raises(ChannelGone):
        step_until(rig, lambda: False)
    assert len(rig.partition.written) == 2


def test_a_channel_that_takes_rows_and_never_has_a_status_ends_the_worker(rig: WorkerRig) -> None:
    """Rows that were appended prove nothing, nor does the token that an open returned."""

    def source_with_an_event() -> StandInSource:
        source = StandInSource()
        source.deliver(5)
        return source

    rig.run()
    rig.partition.next_source = source_with_an_event
    rig.channel.shown = GONE
    with pytest.raises(ChannelGone):
        step_until(rig, lambda: False)
    assert len(rig.partition.written) == 2


def test_a_loss_after_a_status_with_a_token_is_handled_like_the_first(rig: WorkerRig) -> None:
    rig.run()
    for starts in (1, 2, 3):
        rig.channel.shown = START.status
        rig.turn_for(12)
        rig.channel.shown = GONE
        while len(rig.partition.starts) == starts:
            rig.step()
    assert rig.worker.state.name == "running"


def test_what_was_moved_before_a_reopening_stays_counted(rig: WorkerRig) -> None:
    rig.run()
    rig.source.deliver(4, 5, 6)
    rig.step()
    before = rig.statuses[-1].counters
    assert (before.rows_total, before.duplicates_total) == (2, 1)
    rig.channel.shown = GONE
    step_until(rig, lambda: len(rig.partition.starts) == 2)
    rig.channel.shown = START.status
    rig.step()
    counters = [status.counters for status in rig.statuses]
    after = [(each.rows_total, each.bytes_total, each.duplicates_total) for each in counters]
    assert {"opening", "running"} <= {status.state for status in rig.statuses}
    assert set(after[after.index((2, before.bytes_total, 1)) :]) == {(2, before.bytes_total, 1)}

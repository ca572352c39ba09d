"""How a worker drains: what it waits for, how long, and what it reports at the end."""

import pytest

from shared.errors import (
    ChannelGone,
    DrainTimedOut,
    SinkUnavailable,
    StoreUnavailable,
)
from shared.ipc.messages import Drained, Status
from tests.unit.worker.rig import Make, WorkerRig
from worker.loop import DETACH_S


def test_a_drain_stops_receiving_and_ends_when_the_last_append_is_checkpointed(rig: WorkerRig) -> None:
    rig.source.deliver(5, 6)
    rig.step()
    rig.source.deliver(7)
    rig.send_drain()
    assert not rig.step()
    assert rig.source.stopped == 1
    assert rig.channel.flushed == 1
    assert rig.statuses[-1].state == "draining"
    rig.commit(6)
    assert rig.steps()
    assert rig.channel.numbers == [5, 6]
    assert rig.store.saved[-1].sequence_number == 6


@pytest.mark.parametrize("failure", [ChannelGone("There is no channel"), SinkUnavailable("Nobody answers")])
def test_a_drain_whose_flush_fails_goes_on_until_all_is_checkpointed(rig: WorkerRig, failure: Exception) -> None:
    rig.channel.flush_failure = failure
    rig.source.deliver(5, 6)
    rig.step()
    rig.send_drain()
    assert not rig.step()
    rig.commit(6)
    assert rig.steps()
    assert rig.store.saved[-1].sequence_number == 6


def test_the_last_report_has_what_the_drain_moved(rig: WorkerRig) -> None:
    rig.source.deliver(5, 6)
    rig.step()
    rig.send_drain()
    assert not rig.step()
    rig.commit(6)
    assert rig.steps()
    rig.worker.leave()
    *_, last, drained = rig.supervisor.receive()
    assert isinstance(last, Status)
    assert isinstance(drained, Drained)
    assert (last.counters.durable, last.counters.checkpointed) == (6, 6)
    assert sum(last.counters.latencies.appended_durable.counts) == 2


def test_a_drain_while_opening_ends_at_once(make: Make) -> None:
    rig = make()
    assert not rig.step()
    rig.send_drain()
    assert rig.step()
    assert not rig.source.started


def test_a_drain_that_comes_with_the_end_of_opening_starts_no_receiver(make: Make) -> None:
    rig = make()
    rig.step()
    rig.send_drain()
    rig.calls.release("opening")
    assert rig.step()
    assert not rig.source.started
    assert rig.milestones == []


def test_a_drain_past_its_deadline_fails_and_says_how_far_it_came(rig: WorkerRig) -> None:
    rig.store.failure = StoreUnavailable("The store does not answer")
    rig.source.deliver(5, 6, 7)
    rig.step()
    rig.source.deliver(8)
    rig.step()
    rig.send_drain(10.0)
    rig.commit(7)
    assert not rig.step(8.0)
    assert not rig.step(1.9)
    with pytest.raises(DrainTimedOut, match="3 did not drain in time: appended up to 8, durable 7, checkpointed 4"):
        rig.step(0.1)


@pytest.mark.parametrize(("committed", "is_named"), [(7, True), (8, False)])
def test_a_drain_past_its_deadline_names_the_refused_request_where_rows_are_not_durable(
    rig: WorkerRig, committed: int, *, is_named: bool
) -> None:
    rig.store.failure = StoreUnavailable("The store does not answer")
    rig.partition.failed_request = "the SDK's last request that failed is insert_rows: HTTP 503"
    rig.source.deliver(5, 6, 7, 8)
    rig.step()
    rig.send_drain(10.0)
    rig.commit(committed)
    rig.step(8.0)
    rig.step(1.9)
    with pytest.raises(DrainTimedOut) as late:
        rig.step(0.1)
    assert ("HTTP 503" in late.value.why) == is_named


def test_a_drained_worker_lets_its_receiver_detach_and_says_how_far_it_is_checkpointed(make: Make) -> None:
    rig = make().run()
    rig.send_drain()
    rig.worker.run()
    rig.reports += rig.supervisor.receive()
    drained = rig.milestones[-1]
    assert isinstance(drained, Drained)
    assert (drained.checkpointed, drained.took_s) == (4, 0.0)
    assert rig.source.joined is not None
    assert rig.source.joined.remaining_s(rig.clock()) == DETACH_S


def test_a_drain_that_comes_before_the_opening_takes_no_channel_over_and_says_that_nothing_is_checkpointed(
    make: Make,
) -> None:
    rig = make()
    rig.send_drain()
    rig.worker.run()
    assert not rig.calls.is_held("opening")
    assert rig.supervisor.receive()[-1] == Drained(checkpointed=None)


def test_a_drain_says_how_long_it_took_since_it_was_first_asked_for(make: Make) -> None:
    rig = make().run()
    rig.source.deliver(5)
    rig.step()
    rig.send_drain()
    assert not rig.step(0.0)
    assert not rig.step(3.0)
    rig.send_drain()
    rig.commit(5)
    assert rig.steps()
    asked_s_ago = rig.clock() - rig.began_s
    rig.worker.leave()
    (drained,) = [report for report in rig.supervisor.receive() if isinstance(report, Drained)]
    assert 3.0 <= drained.took_s < asked_s_ago

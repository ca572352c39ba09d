"""The worker's loop, turn by turn: it handles commands, holds the lease, reports, and stops for the right reason."""

import pytest

from shared.errors import (
    OwnershipLost,
    ResumeRefused,
    SinkUnavailable,
    StoppedAtOnce,
)
from shared.ipc.messages import Abort, Lease, Opened, TableChecked, TableColumns
from tests.unit.worker.rig import START, Make, WorkerRig
from worker.loop import REPORT_S
from worker.opening import StartingPoint
from worker.states import OPEN_LIMIT_S

# --- the table --------------------------------------------------------------------------------------------------------


def test_columns_that_the_table_has_now_are_for_the_rows_and_keys_without_one_are_in_the_report(make: Make) -> None:
    rig = make().run()
    columns = TableColumns(names=("A",))
    rig.send(columns)
    rig.partition.unknown_keys_total = 7
    rig.step(REPORT_S)
    assert rig.partition.learned == [columns]
    assert rig.worker.status(0.0).counters.unknown_keys_total == 7


def test_what_is_known_of_the_table_is_in_the_checkpoint_also_where_no_event_comes(make: Make) -> None:
    rig = make().run()
    rig.send(TableColumns(names=("A", "B")))
    rig.send(TableChecked(up_to=4))
    assert not rig.steps()
    assert [(one.sequence_number, one.checked_up_to, one.target_columns) for one in rig.store.saved] == [
        (4, 4, "for A, B")
    ]
    rig.send(TableChecked(up_to=4))
    assert not rig.steps()
    assert len(rig.store.saved) == 1


def test_a_table_that_is_looked_at_while_the_partition_opens_is_left_to_the_opening(make: Make) -> None:
    rig = make()
    rig.send(TableChecked(up_to=4))
    rig.send(TableColumns(names=("A",)))
    rig.open()
    assert [each.names for each in rig.partition.learned] == [("A",)]
    assert rig.store.saved == []


# --- the lease --------------------------------------------------------------------------------------------------------


def test_a_lease_extends_trust(make: Make) -> None:
    rig = make(trust_s=10.0)
    rig.send(Lease(trusted_until_s=rig.began_s + 100.0))
    assert not rig.step(99.9)
    assert rig.worker.trusted_until_s == rig.began_s + 100.0
    with pytest.raises(OwnershipLost):
        rig.step(0.1)


def test_a_worker_past_its_trust_stops_before_it_does_anything_more(make: Make) -> None:
    rig = make(trust_s=10.0).run()
    rig.source.deliver(5)
    with pytest.raises(OwnershipLost, match=r"partition 3 ran out.*epoch 2"):
        rig.step(10.0 - REPORT_S)
    assert rig.channel.numbers == []
    assert rig.supervisor.receive() == []


def test_a_worker_that_is_still_opening_stops_at_the_end_of_its_trust(make: Make) -> None:
    rig = make(trust_s=10.0)
    rig.step(9.9)
    with pytest.raises(OwnershipLost, match="ran out"):
        rig.step(0.1)


def test_a_lease_that_has_ended_when_it_arrives_gives_no_trust(make: Make) -> None:
    rig = make(trust_s=10.0)
    rig.send(Lease(trusted_until_s=rig.began_s + 12.0))
    with pytest.raises(OwnershipLost, match="ran out"):
        rig.step(13.0)


def test_a_worker_that_comes_up_after_its_trust_does_not_take_the_channel_over(make: Make) -> None:
    rig = make(trust_s=10.0)
    rig.clock.move(10.0)
    with pytest.raises(OwnershipLost, match="ran out"):
        rig.worker.run()
    assert not rig.calls.is_held("opening")


def test_a_lease_that_was_read_late_still_counts(make: Make) -> None:
    rig = make(trust_s=10.0)
    rig.send(Lease(trusted_until_s=rig.began_s + 100.0))
    assert not rig.step(20.0)


def test_a_slow_boot_outlives_the_lease_that_it_began_with_when_that_was_renewed_meanwhile(make: Make) -> None:
    rig = make(trust_s=6.0)
    rig.clock.move(7.0)
    rig.send(Lease(trusted_until_s=rig.began_s + 100.0))
    assert not rig.step()
    assert rig.calls.is_held("opening")
    late = make(trust_s=6.0)
    late.clock.move(7.0)
    with pytest.raises(OwnershipLost, match="ran out"):
        late.step()


def test_a_turn_waits_a_second_at_most_and_no_longer_than_trust_lasts(make: Make) -> None:
    rig = make(trust_s=REPORT_S + 0.01)
    rig.step(0.0)
    rig.step(REPORT_S)
    rig.worker.step()  # nothing wakes it
    assert rig.waits_s == [0.0, 0.0, pytest.approx(0.01)]
    other = make()
    other.step(0.0)
    other.send(Lease(trusted_until_s=other.began_s + 100.0))
    other.step(0.0)
    assert other.waits_s == [0.0, pytest.approx(REPORT_S)]


# --- the supervisor ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("opened", [False, True])
def test_an_abort_ends_it_at_once_without_a_flush(make: Make, opened: bool) -> None:
    rig = make().run() if opened else make()
    rig.source.deliver(5)
    rig.send(Abort(reason="the lease has another owner"))
    with pytest.raises(OwnershipLost, match="partition 3 was aborted by the supervisor: the lease has another owner"):
        rig.step()
    assert rig.channel.numbers == []
    assert not rig.channel.flushed


def test_an_abort_that_an_operator_asked_for_is_no_loss_of_the_lease(make: Make) -> None:
    rig = make().run()
    rig.send(Abort(reason="a second signal came", is_asked_for=True))
    with pytest.raises(StoppedAtOnce):
        rig.step()


@pytest.mark.parametrize("opened", [False, True])
def test_a_worker_whose_supervisor_has_exited_stops_before_it_appends_more(make: Make, opened: bool) -> None:
    rig = make().run() if opened else make()
    rig.source.deliver(5)
    rig.supervisor.close()
    with pytest.raises(OwnershipLost, match="supervisor has exited"):
        rig.step()
    assert rig.channel.numbers == []


# --- opening ----------------------------------------------------------------------------------------------------------


def test_it_receives_from_where_the_opening_says(make: Make) -> None:
    rig = make()
    rig.open()
    assert rig.source.started
    assert rig.partition.starts == [START]
    assert rig.milestones == [Opened(channel=rig.channel.name, resumed_after=4, reason="a test")]


def test_what_opening_raises_ends_the_worker(make: Make) -> None:
    rig = make()

    def refuse() -> StartingPoint:
        raise ResumeRefused("Token and checkpoint contradict each other")

    with pytest.raises(ResumeRefused, match="contradict"):
        rig.open(refuse)
    assert not rig.source.started


def test_while_opening_it_handles_commands_and_reports(make: Make) -> None:
    rig = make(trust_s=10.0)
    rig.send(Lease(trusted_until_s=rig.began_s + 100.0))
    rig.step(50.0)
    rig.step(REPORT_S)
    assert [status.state for status in rig.statuses] == ["opening", "opening"]
    assert all(status.rss_bytes > 0 and status.counters.received is None for status in rig.statuses)


def test_an_open_that_takes_longer_than_anybody_waits_is_a_failed_sink(make: Make) -> None:
    rig = make()
    rig.step(0.0)
    rig.turn_for(OPEN_LIMIT_S - REPORT_S)
    with pytest.raises(SinkUnavailable, match="channel of partition 3 could not be opened: no answer for 180 s"):
        rig.step()


def test_a_request_that_is_refused_again_and_again_is_what_an_open_waits_for(make: Make) -> None:
    rig = make()
    rig.partition.failed_request = "the SDK's last request that failed is open_channel: HTTP 503"
    rig.step(REPORT_S)
    assert [status.waits_for for status in rig.statuses] == [rig.partition.failed_request]
    rig.step(0.0)
    with pytest.raises(SinkUnavailable, match=r"no answer for 180 s; the SDK's .* HTTP 503"):
        rig.turn_for(OPEN_LIMIT_S + REPORT_S)


def test_once_open_the_limit_of_opening_is_over(rig: WorkerRig) -> None:
    rig.send(Lease(trusted_until_s=rig.began_s + 1000.0))
    rig.turn_for(OPEN_LIMIT_S + REPORT_S)


def test_while_the_host_stands_still_nobody_is_late_with_an_answer(make: Make) -> None:
    rig = make()
    rig.send(Lease(trusted_until_s=rig.began_s + 1000.0))
    rig.turn_for(OPEN_LIMIT_S - 10.0)
    for _ in range(10):
        assert not rig.step(50.0)
        assert not rig.step(0.1)


def test_a_standstill_past_the_lease_ends_the_term(rig: WorkerRig) -> None:
    with pytest.raises(OwnershipLost, match="lease of partition 3 ran out"):
        rig.step(1000.0)


# --- reports ----------------------------------------------------------------------------------------------------------


def test_status_is_sent_once_a_second_however_many_turns_there_are(rig: WorkerRig) -> None:
    due_s = rig.clock() + REPORT_S
    for _ in range(12):
        rig.send(Lease(trusted_until_s=rig.began_s + 1000.0))  # wakes it
        rig.step(0.25)
    assert [status.sent_at_s for status in rig.statuses] == [due_s, due_s + REPORT_S, due_s + 2 * REPORT_S]


def test_the_first_status_is_sent_in_the_first_turn(make: Make) -> None:
    rig = make()
    rig.step(0.0)
    assert [(status.state, status.sent_at_s) for status in rig.statuses] == [("opening", rig.began_s)]


def test_a_status_says_where_every_event_stands(rig: WorkerRig) -> None:
    rig.source.deliver(3, 4, 5, 6, 7, last=99)
    rig.step()
    status, counters = rig.statuses[-1], rig.statuses[-1].counters
    assert status.state == "running"
    assert (counters.received, counters.appended, counters.durable, counters.checkpointed) == (7, 7, 4, 4)
    assert (counters.rows_total, counters.rows_inflight, counters.duplicates_total) == (3, 3, 2)
    assert counters.bytes_total == counters.bytes_inflight > 0
    assert status.times.lag == 95
    assert status.sent_at_s == rig.clock()
    rig.commit(6)
    rig.source.deliver(8, last=99)
    rig.steps()
    status, counters = rig.statuses[-1], rig.statuses[-1].counters
    assert (counters.appended, counters.durable, counters.checkpointed, status.times.lag) == (8, 6, 6, 93)
    assert (counters.rows_total, counters.rows_inflight) == (
        4,
        4,
    )  # 5 to 7 were one append: it is in flight until 7 is in


def test_the_process_is_named_after_its_partition_and_position(rig: WorkerRig) -> None:
    rig.source.deliver(5, last=9)
    rig.step()
    assert rig.titles[-1] == "evsup worker flights p=3 seq=4 lag=5"

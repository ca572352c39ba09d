"""From received to appended: in order, each event once, and without waiting for a commit."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import (
    MissingSequenceNumber,
    OwnershipLost,
    SequenceGap,
    SinkUnavailable,
    StoreUnavailable,
)
from tests.unit.captured_log import capture_logs
from tests.unit.plain_settings import eventhub, snowflake
from tests.unit.worker.pipeline.rig import Rig
from tests.unit.worker.rows.events import ENQUEUED_MS, event, event_of, long
from worker.pipeline import chunks
from worker.pipeline.checkpointer import SAVE_MOST_S
from worker.sink.channel import Saturated

pytestmark = pytest.mark.usefixtures("calls")
FULL = Saturated("the receiver is full")


# --- received to appended ---------------------------------------------------------------------------------------------


def test_appending_never_waits_for_a_commit() -> None:
    rig = Rig()
    for number in range(5, 25):
        rig.deliver(number)
        rig.turn()
    assert rig.channel.numbers == list(range(5, 25))
    assert rig.counters.appended == 24
    assert rig.counters.durable == 4
    assert rig.store.saved == []


def test_a_batch_is_appended_in_the_turn_that_takes_it() -> None:
    rig = Rig()
    rig.deliver(5, 6, 7, last=99)
    rig.turn()
    assert rig.channel.appended == [(5, 7)]
    assert rig.counters.rows_total == rig.counters.rows_inflight == 3
    assert rig.counters.bytes_total == rig.counters.bytes_inflight > 0


EVENT_BYTES = event_of(event(b'{"n": 10}', 10)).size_bytes


@pytest.mark.parametrize("bound", [{"max_inflight_rows": 10}, {"max_inflight_bytes": 12 * EVENT_BYTES}])
def test_a_full_window_stops_receiving_until_a_commit_makes_room(bound: dict[str, int]) -> None:
    rig = Rig(snowflake=snowflake(**bound))
    for first in (5, 10, 15, 20):
        rig.deliver(*range(first, first + 5))
    rig.turns(10, 0.1)
    assert rig.channel.appended == [(5, 9), (10, 14)]
    assert rig.source.taken == 3  # one batch waits, the rest stays in the queue and holds Event Hubs back
    assert rig.source.fileno() not in rig.pipeline.fds()
    rig.commit(9)
    rig.turns(2)
    assert rig.channel.appended == [(5, 9), (10, 14), (15, 19)]
    rig.commit(19)
    rig.turns(2)
    assert rig.channel.numbers == list(range(5, 25))
    assert rig.source.fileno() in rig.pipeline.fds()


def test_an_event_larger_than_the_window_goes_alone() -> None:
    rig = Rig(snowflake=snowflake(max_inflight_bytes=1_000_000))
    rig.deliver_events([event(b'"' + b"x" * 1_100_000 + b'"', 5)])
    rig.deliver(6)
    rig.turns(2)
    assert rig.channel.numbers == [5]
    rig.commit(5)
    rig.turns(3)
    assert rig.channel.numbers == [5, 6]


def test_redelivered_events_are_counted_and_not_appended_again() -> None:
    rig = Rig()
    rig.deliver(5, 6, 5, 6)
    rig.deliver(5, 6, 7)
    rig.deliver(7)
    rig.turns(3)
    assert rig.channel.numbers == [5, 6, 7]
    assert rig.counters.duplicates_total == 5


def test_a_fresh_partition_may_begin_at_any_number() -> None:
    rig = Rig(after=None)
    rig.deliver(100, 101)
    rig.turn()
    assert rig.channel.appended == [(100, 101)]
    assert rig.counters.durable is None


def test_a_gap_fails_before_anything_of_its_batch_is_appended() -> None:
    rig = Rig()
    rig.deliver(5, 8)
    with pytest.raises(SequenceGap, match="Events 6 to 7 never came"):
        rig.turn()
    assert rig.channel.numbers == []


def test_with_warn_it_goes_on_after_a_gap() -> None:
    rig = Rig(eventhub=eventhub(on_gap="warn"))
    rig.deliver(5, 8, 9)
    rig.turn()
    assert rig.channel.numbers == [5, 8, 9]


def test_all_gaps_of_a_batch_are_one_line_as_in_a_hub_with_log_compaction() -> None:
    rig = Rig(eventhub=eventhub(on_gap="warn"))
    rig.deliver(5, 8, 11, 12, 20)
    with capture_logs() as logs:
        rig.turn()
    [line] = [each for each in logs if each["event"] == "sequence_gap"]
    assert (line["first"], line["last"], line["count"]) == (6, 19, 2 + 2 + 7)
    assert rig.counters.gap_events_total == 2 + 2 + 7
    assert rig.channel.numbers == [5, 8, 11, 12, 20]


def test_an_event_without_a_number_stops_the_pipeline() -> None:
    rig = Rig()
    rig.deliver_events([event(b"{}", None)])
    with pytest.raises(MissingSequenceNumber):
        rig.turn()


def test_the_oldest_event_is_the_first_in_flight_then_the_first_that_waits() -> None:
    rig = Rig(snowflake=snowflake(max_inflight_rows=2))
    assert rig.pipeline.oldest_enqueued is None
    rig.deliver(5, 6)
    later = {b"x-opt-enqueued-time": long(ENQUEUED_MS + 1000)}
    rig.deliver_events([event(b"{}", number, annotations=later) for number in (7, 8, 9)])
    rig.turns(2)
    assert rig.pipeline.oldest_enqueued == datetime.fromtimestamp(ENQUEUED_MS / 1000, UTC)
    rig.commit(6)
    rig.channel.refusals.append(FULL)
    rig.turns(2)
    assert rig.pipeline.oldest_enqueued == datetime.fromtimestamp(ENQUEUED_MS / 1000 + 1, UTC)


# --- a saturated sink -------------------------------------------------------------------------------------------------


def test_a_saturated_sink_gets_the_same_rows_again_before_any_newer() -> None:
    rig = Rig()
    rig.channel.refusals.extend([FULL, FULL, None])
    rig.deliver(5, 6)
    rig.deliver(7)
    rig.turn()
    assert rig.channel.appended == []
    assert rig.source.taken == 1
    rig.turns(3, 3.0)
    assert rig.channel.appended == [(5, 6), (7, 7)]


def test_the_appends_of_one_batch_stay_in_order_while_the_sink_is_saturated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "MAX_CHUNK_BYTES", 1)  # an append for each event
    rig = Rig()
    rig.channel.refusals.extend([None, FULL, FULL, None])
    rig.deliver(5, 6, 7, 8)
    rig.turn()
    assert rig.channel.appended == [(5, 5)]
    rig.turns(3, 3.0)
    assert rig.channel.appended == [(5, 5), (6, 6), (7, 7), (8, 8)]


def test_between_tries_it_pauses_and_is_woken_at_the_end_of_the_pause() -> None:
    rig = Rig()
    rig.channel.refusals.extend([FULL] * 3)
    rig.deliver(5)
    rig.turn()
    due_s = rig.pipeline.due_s(rig.now_s)
    assert rig.now_s < due_s < rig.now_s + 0.1
    rig.turn()
    assert len(rig.channel.refusals) == 2  # too early: nothing was tried
    rig.turn(due_s - rig.now_s)
    assert len(rig.channel.refusals) == 1


@pytest.mark.parametrize("is_draining", [False, True])
def test_rows_that_a_sink_took_of_an_append_before_it_was_saturated_are_our_own(is_draining: bool) -> None:
    rig = Rig()
    rig.channel.refusals.extend([FULL] * 100)
    rig.deliver(5, 6, 7)
    rig.turn()
    if is_draining:
        rig.pipeline.drain()
    rig.commit(6)
    rig.turns(13)
    assert rig.counters.durable == rig.counters.checkpointed == 6
    rig.commit(8)
    with pytest.raises(OwnershipLost):
        rig.turns(12)


def test_a_sink_that_stays_saturated_fails_after_the_commit_timeout() -> None:
    rig = Rig(snowflake=snowflake(commit_timeout=30.0))
    rig.channel.refusals.extend([FULL] * 100)
    rig.deliver(5)
    rig.turns(14, 2.0)
    with pytest.raises(SinkUnavailable, match="takes no more rows"):
        rig.turns(10, 2.0)


def test_a_success_resets_how_long_the_sink_has_been_saturated() -> None:
    rig = Rig(snowflake=snowflake(commit_timeout=30.0))
    for number in range(5, 15):
        rig.channel.refusals.extend([FULL, FULL, None])
        rig.deliver(number)
        rig.turns(4, 3.0)
        rig.commit(number)
    assert rig.channel.numbers == list(range(5, 15))


# --- all together -----------------------------------------------------------------------------------------------------


actions = st.one_of(
    st.tuples(st.just("deliver"), st.integers(1, 6), st.integers(0, 4)),
    st.tuples(st.just("commit"), st.integers(0, 10), st.just(0)),
    st.tuples(st.just("saturate"), st.integers(1, 3), st.just(0)),
    st.tuples(st.just("away"), st.booleans(), st.just(0)),
)


@settings(max_examples=60)
@given(st.lists(actions, max_size=25))
def test_every_event_is_appended_once_in_order_and_no_mark_passes_the_one_before(
    actions: list[tuple[str, int, int]],
) -> None:
    rig, sent, committed = Rig(snowflake=snowflake(max_inflight_rows=8)), 4, 4
    for action, count, again in actions:
        match action:
            case "deliver":
                first = max(0, sent + 1 - again)  # a reconnect delivers some events again
                rig.deliver(*range(first, sent + count + 1))
                sent += count
            case "commit":
                committed = min(committed + count, rig.counters.appended or 0)
                rig.commit(committed)
            case "saturate":
                rig.channel.refusals.extend([FULL] * count)
            case _:
                rig.store.failure = StoreUnavailable("away") if count else None
        rig.turn(1.0)
        marks = rig.counters
        assert (marks.received or 0) >= (marks.appended or 0) >= (marks.durable or 0) >= (marks.checkpointed or 0)
        assert rig.channel.numbers == list(range(5, (marks.appended or 0) + 1))
        assert [saved.sequence_number for saved in rig.store.saved] == sorted(
            {saved.sequence_number or 0 for saved in rig.store.saved}
        )
        assert all((saved.sequence_number or 0) <= committed for saved in rig.store.saved)
        assert rig.counters.rows_inflight <= 8
    rig.pipeline.drain()
    rig.store.failure = None
    rig.commit(rig.counters.appended or 0)
    rig.turns(10, 2 * SAVE_MOST_S)  # by then every event is settled, and that is stored, too
    assert rig.is_drained()
    assert rig.counters.checkpointed == rig.counters.appended


# --- what is counted for metrics --------------------------------------------------------------------------------------


def test_events_passed_over_links_opened_again_and_appends_tried_again_are_counted() -> None:
    rig = Rig(eventhub=eventhub(on_gap="warn"))
    rig.source.reopened = 2
    rig.deliver(5, 8, 9)
    rig.channel.refusals.extend([FULL, FULL, None])
    rig.turns(3)
    counters = rig.counters
    assert (counters.gap_events_total, counters.receiver_reopened_total, counters.append_retries_total) == (2, 2, 2)
    assert sum(counters.latencies.received_appended.counts) == 3


def test_checkpoints_tried_again_are_counted_and_those_that_were_written_are_timed() -> None:
    rig = Rig()
    rig.deliver(5)
    rig.commit(5)
    rig.store.failure = StoreUnavailable("away")
    rig.turns(4)
    failures = rig.counters.checkpoint_retries_total
    assert failures > 0
    rig.store.failure = None
    rig.turns(4, SAVE_MOST_S)
    assert rig.counters.checkpoint_retries_total <= failures + 1  # one was under way
    assert sum(rig.counters.latencies.checkpoint_written.counts) == 1


def test_a_status_that_could_not_be_read_is_counted_as_tried_again() -> None:
    rig = Rig()
    rig.deliver(5)
    rig.channel.is_silent = True
    rig.turns(4)
    silent = rig.counters.status_retries_total
    assert silent >= 2
    rig.channel.is_silent = False
    rig.turns(4)
    assert rig.counters.status_retries_total <= silent + 1

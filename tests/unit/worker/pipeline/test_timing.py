"""How long rows took, and when things last happened, on clocks that a test moves."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from shared.clock import Instant
from shared.ipc.messages import BOUNDS_S, Histogram, Latencies
from shared.model import LastEnqueued
from tests.unit.worker.rows.events import event_of, events
from worker.pipeline.timing import Timing
from worker.pipeline.window import Append
from worker.source.batch_queue import Batch

BEGAN_UNIX_S = 1_700_000_000.0


class Rig:
    """A host that was booted just now."""

    def __init__(self, before: Latencies | None = None, durable_at_s: float | None = None) -> None:
        self.now_s = 0.0
        self.timing = Timing(before or Latencies(), lambda: self.now_s, None, durable_at_s)

    @property
    def now(self) -> Instant:
        return Instant(BEGAN_UNIX_S + self.now_s, self.now_s)

    def receive(self, *numbers: int, last: LastEnqueued | None = None) -> None:
        self.timing.receive(Batch([event_of(each) for each in events(*numbers)], last, self.now))

    def append(self, end: int, rows: int, enqueued_s: float | None) -> Append:
        """Rows whose oldest event was enqueued so many seconds after the hub's clock began."""
        enqueued = None if enqueued_s is None else datetime.fromtimestamp(BEGAN_UNIX_S + enqueued_s, UTC)
        passage = self.timing.append(enqueued, rows)
        return Append(end, rows, 100, None, enqueued, enqueued, passage)


def rows_by_bound(histogram: Histogram) -> dict[float, int]:
    """Without the empty ones."""
    counts = zip((*BOUNDS_S, float("inf")), histogram.counts, strict=True)
    return {bound: rows for bound, rows in counts if rows}


def moved(rig: Rig, appends: Sequence[tuple[int, float | None]] = ((7, -2.0),)) -> Latencies:
    """Received at once, appended after 0.2 s, durable 4 s later."""
    rig.receive(5, 6)
    rig.now_s += 0.2
    inflight = [rig.append(10 * at, rows, enqueued_s) for at, (rows, enqueued_s) in enumerate(appends, 1)]
    rig.now_s += 4.0
    rig.timing.commit(inflight)
    return rig.timing.latencies


def test_an_append_counts_with_all_its_rows_from_the_hub_to_the_commit() -> None:
    found = moved(Rig())
    assert rows_by_bound(found.enqueued_received) == {2.5: 7}
    assert rows_by_bound(found.received_appended) == {0.25: 7}
    assert rows_by_bound(found.appended_durable) == {5.0: 7}
    assert rows_by_bound(found.enqueued_durable) == {10.0: 7}
    assert found.enqueued_durable.sum_s == pytest.approx(7 * 6.2)


@pytest.mark.parametrize("seconds", BOUNDS_S)
def test_a_bound_belongs_to_its_bucket(seconds: float) -> None:
    rig = Rig()
    rig.receive(5)
    rig.now_s = seconds
    rig.append(5, 1, None)
    assert rows_by_bound(rig.timing.latencies.received_appended) == {seconds: 1}


def test_what_takes_longer_than_every_bound_is_counted() -> None:
    rig = Rig()
    rig.receive(5)
    rig.append(5, 3, -86_400.0)
    assert rows_by_bound(rig.timing.latencies.enqueued_received) == {float("inf"): 3}


def test_a_hub_whose_clock_is_ahead_gives_no_negative_time() -> None:
    found = moved(Rig(), [(1, 30.0)])
    assert rows_by_bound(found.enqueued_received) == {BOUNDS_S[0]: 1}
    assert found.enqueued_durable.sum_s == pytest.approx(4.2)


def test_rows_without_an_enqueued_time_are_timed_from_the_receiver_on() -> None:
    found = moved(Rig(), [(1, None)])
    assert rows_by_bound(found.enqueued_received) == rows_by_bound(found.enqueued_durable) == {}
    assert rows_by_bound(found.appended_durable) == {5.0: 1}


def test_a_pipeline_goes_on_counting_where_the_one_before_it_ended() -> None:
    assert rows_by_bound(moved(Rig(before=moved(Rig()))).appended_durable) == {5.0: 14}


def test_before_anything_came_nothing_is_known_but_when_the_hub_was_heard() -> None:
    rig = Rig()
    times = rig.timing.times(rig.now, None, None, -1.0, 0.0)
    assert (times.lag, times.lag_s, times.newest_row_s, times.committed_s, times.received_s) == (None,) * 5
    assert times.heard_s == -1.0


def test_the_newest_row_is_as_old_as_its_event_is_by_the_hubs_clock() -> None:
    rig = Rig(durable_at_s=BEGAN_UNIX_S - 50.0)
    rig.now_s += 10.0
    assert rig.timing.times(rig.now, 4, None, None, 0.0).newest_row_s == pytest.approx(-50.0)
    moved(rig, [(1, 5.0), (1, 8.0)])
    assert rig.timing.times(rig.now, 20, None, None, 0.0).newest_row_s == pytest.approx(8.0)


def test_a_commit_within_an_append_is_a_commit_and_no_newer_row() -> None:
    rig = Rig(durable_at_s=BEGAN_UNIX_S)
    rig.receive(5, 6)
    rig.append(6, 2, 1.0)
    rig.now_s += 3.0
    rig.timing.commit([])
    times = rig.timing.times(rig.now, 5, None, None, 0.0)
    assert (times.committed_s, times.newest_row_s) == (3.0, 0.0)


def test_lag_is_counted_from_what_the_hub_said_last_and_the_time_of_that_is_known() -> None:
    rig = Rig(durable_at_s=BEGAN_UNIX_S - 50.0)
    rig.receive(5, last=LastEnqueued(99, BEGAN_UNIX_S - 10.0))
    rig.now_s += 20.0
    times = rig.timing.times(rig.now, 4, datetime.fromtimestamp(BEGAN_UNIX_S - 45.0, UTC), None, 0.0)
    assert (times.lag, times.lag_s, times.received_s, times.end_known_s) == (95, 40.0, 0.0, 0.0)
    rig.receive(last=LastEnqueued(99, BEGAN_UNIX_S - 10.0))  # the hub was asked
    times = rig.timing.times(rig.now, 99, None, None, 0.0)
    assert (times.lag, times.lag_s, times.received_s, times.end_known_s) == (0, 0.0, 0.0, 20.0)

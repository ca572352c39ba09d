"""Memory is bounded by settings and constants, not by what waits in the hub or how long Snowflake takes (promise 7)."""

from collections.abc import Iterator

import pytest

from scripts.harness.evsup import Evsup
from scripts.harness.waiting import eventually
from supervisor.status.model import PartitionStatus
from tests.harness.pipeline import UNCHECKED, Pipeline, pipeline_of
from worker.pipeline.chunks import MAX_CHUNK_BYTES
from worker.source.batch_queue import QUEUED_BYTES
from worker.source.credit import HELD_BYTES

P = "0"
BODY_BYTES, EVENTS = 1_000_000, 60
MEBIBYTE = 1024 * 1024
WINDOW_ROWS, WINDOW_BYTES = 2_000, 8 * MEBIBYTE
# What is received and not appended: in the SDK, in its callback, in the backlog, in the flow. Half of the SDK's waits
# to be handed over when the hub may send all of it anew.
RECEIVED_BYTES = 3 * HELD_BYTES // 2 + HELD_BYTES + QUEUED_BYTES + HELD_BYTES
# The Snowflake SDK keeps a row as JSON and compressed; allocators give little back.
SPARE_BYTES = 20 * MEBIBYTE
BOUND_BYTES = WINDOW_BYTES + RECEIVED_BYTES + SPARE_BYTES
FRESH_REPORTS = 4  # without any progress


@pytest.fixture
def pipeline() -> Iterator[Pipeline]:
    with pipeline_of(
        SNOWFLAKE_MAX_INFLIGHT_ROWS=str(WINDOW_ROWS), SNOWFLAKE_MAX_INFLIGHT_BYTES=str(WINDOW_BYTES), **UNCHECKED
    ) as made:
        yield made


def reports_until_it_stands(evsup: Evsup, after: PartitionStatus) -> list[PartitionStatus]:
    """Every report of the worker until the window is full, and it has received no more for a few reports."""
    reports = [after]

    def stands() -> bool:
        worker = evsup.workers()[P]
        if worker.reported_at_s != reports[-1].reported_at_s:
            reports.append(worker)
        last = [report.received for report in reports[-FRESH_REPORTS:]]
        is_full = (
            reports[-1].bytes_inflight > WINDOW_BYTES - MAX_CHUNK_BYTES
        )  # else the hub got no processor for a while
        return len(reports) > FRESH_REPORTS and is_full and len(set(last)) == 1

    eventually(stands, "the worker gets no further")
    return reports


def test_while_commits_stall_memory_is_bounded_however_large_events_are(pipeline: Pipeline) -> None:
    """These events are large; `test_stalls` has small ones, and a tighter bound."""
    evsup = pipeline.start()
    baseline = evsup.await_running(1)[P]
    pipeline.snow.stall_commits()
    pipeline.hub.seed(P, EVENTS, body_bytes=BODY_BYTES)
    reports = reports_until_it_stands(evsup, baseline)
    assert max(report.rows_inflight for report in reports) <= WINDOW_ROWS
    assert max(report.bytes_inflight for report in reports) <= WINDOW_BYTES
    assert max(report.rss_bytes for report in reports) - baseline.rss_bytes < BOUND_BYTES
    assert (reports[-1].received or 0) < EVENTS - 1, "the hub has nothing left: no bound was reached"
    pipeline.snow.release_commits()
    pipeline.await_all()
    assert evsup.stop() == 0

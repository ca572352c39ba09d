"""Stalls: each one is limited and explained, and when it ends the tree catches up."""

import os
import resource
import time
from collections.abc import Iterator
from subprocess import DEVNULL, Popen
from typing import IO

import pytest

from scripts.harness.evsup import EVSUP, Evsup
from scripts.harness.marker import marked
from scripts.harness.waiting import BUSY_S, eventually
from shared.clock import monotonic
from tests.harness.pipeline import UNCHECKED, Pipeline, pipeline_of

P = "0"
LEASE_S = 8.0
STUCK_S = 10.0  # so long a loop may not turn: `evsup status` calls it stuck then
WINDOW_BYTES = 4_000_000
ALLOWED_BYTES = (
    20_000_000  # what a worker holds beside the window: batches between its threads, and buffers of the SDKs
)
FULL = "/dev/full"  # https://man7.org/linux/man-pages/man4/full.4.html


@pytest.fixture(scope="module")
def shared() -> Iterator[Pipeline]:
    with pipeline_of(EVENTHUB_OWNERSHIP_EXPIRATION=str(LEASE_S), **UNCHECKED) as made:
        yield made


@pytest.fixture
def pipeline(shared: Pipeline) -> Iterator[Pipeline]:
    """With events that nobody has read; after the test a tree without any fault moves what is left."""
    shared.publish(300)
    yield shared
    shared.snow.clear_faults()
    if not shared.started[-1].is_running:
        shared.start().await_running(1)
    shared.await_all()
    assert shared.started[-1].stop() == 0
    shared.prove()


def last_line(log: IO[str]) -> str:
    return log.read().rstrip("\n").rpartition("\n")[2]


def is_older(evsup: Evsup, seconds: float) -> bool:
    tree = evsup.status()
    return tree is not None and tree.uptime_s > seconds


def blocked(pipeline: Pipeline) -> Evsup:
    """A tree whose worker waits for its channel."""
    before = pipeline.snow.fired().get("hang", 0)
    pipeline.snow.hang("open", times=None)
    evsup = pipeline.start()
    eventually(lambda: pipeline.snow.fired().get("hang", 0) > before, "it waits for its channel")
    return evsup


def test_a_channel_that_does_not_open_costs_no_lease_and_is_used_when_it_does(pipeline: Pipeline) -> None:
    evsup = blocked(pipeline)
    eventually(lambda: is_older(evsup, LEASE_S + 1.0), "its first lease has passed")
    waited = evsup.workers()[P]
    assert waited.state == "opening"
    assert waited.report_age_s < LEASE_S
    pipeline.snow.clear_faults()
    opened = evsup.await_running(1)[P]
    assert (opened.pid, opened.epoch) == (waited.pid, waited.epoch)


def test_a_drain_does_not_wait_for_a_channel_that_does_not_open(pipeline: Pipeline) -> None:
    evsup = blocked(pipeline)
    sent_s = time.monotonic()
    assert evsup.stop() == 0
    assert time.monotonic() - sent_s < BUSY_S


def test_memory_is_bounded_while_nothing_is_committed_and_the_source_is_fast(pipeline: Pipeline) -> None:
    evsup = pipeline.start(SNOWFLAKE_MAX_INFLIGHT_BYTES=str(WINDOW_BYTES))
    evsup.await_running(1)
    pipeline.publish(5_000)
    pipeline.await_all()
    before = evsup.workers()[P].rss_bytes
    pipeline.snow.stall_commits()
    pipeline.publish(40_000)
    looks = [evsup.workers()[P]]

    def stands_still() -> bool:
        looks.append(evsup.workers()[P])
        is_full = looks[-1].bytes_inflight > WINDOW_BYTES / 2
        return len(looks) > 40 and is_full and looks[-1].received == looks[-40].received

    eventually(stands_still, "the window is full and the source is held back")
    assert max(look.bytes_inflight for look in looks) <= WINDOW_BYTES
    assert max(look.rss_bytes for look in looks) < before + WINDOW_BYTES + ALLOWED_BYTES
    pipeline.snow.release_commits()


def test_a_disk_that_is_full_ends_the_tree_with_75_and_loses_nothing(pipeline: Pipeline) -> None:
    """No byte can be written to any file: control store, crash report, log."""
    reader, writer = os.pipe()
    evsup = pipeline.start(stderr=writer)
    os.close(writer)
    evsup.await_running(1)
    pipeline.await_all()
    for pid in marked(evsup.marker):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    pipeline.publish(300)
    assert evsup.wait() == 75
    with os.fdopen(reader) as log:
        assert "The leases could not be renewed" in last_line(log)
    assert not list(evsup.state_dir.glob("crash-*.json"))


def test_a_start_on_a_full_disk_ends_with_69_and_a_reason(pipeline: Pipeline) -> None:
    reader, writer = os.pipe()
    evsup = pipeline.start(stderr=writer, command=("sh", "-c", 'ulimit -f 0; exec "$0" "$@"', EVSUP))
    os.close(writer)
    assert evsup.wait() == 69
    with os.fdopen(reader) as log:
        assert "The control store" in last_line(log)


def test_a_log_that_nobody_can_write_stops_nothing(pipeline: Pipeline) -> None:
    full = os.open(FULL, os.O_WRONLY)
    evsup = pipeline.start(stderr=full)
    os.close(full)
    evsup.await_running(1)
    pipeline.await_all()


def test_a_start_without_standard_streams_goes_on_working(pipeline: Pipeline) -> None:
    evsup = pipeline.start(command=("sh", "-c", 'exec "$0" "$@" <&- >&- 2>&-', EVSUP))
    evsup.await_running(1)
    pipeline.await_all()


def test_a_worker_that_writes_to_stderr_without_a_pause_keeps_nobody_waiting(pipeline: Pipeline) -> None:
    """As a native library in an endless loop does: three threads write log lines without a pause."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    evsup = pipeline.start(stderr=nowhere)
    os.close(nowhere)
    worker = evsup.await_running(1)[P].pid
    line = "2026-01-01T00:00:00Z TRACE hyper::proto::h1::conn: flushed, state = Idle, keep-alive = Busy"
    floods = [Popen(["sh", "-c", f"exec yes '{line}' > /proc/{worker}/fd/2"], stderr=DEVNULL) for _ in range(3)]
    try:
        pipeline.publish(300)
        pipeline.await_all()
        looks = [turned_ago_s(evsup) for _ in range(100)]
        assert max(looks) < STUCK_S
        sent_s = time.monotonic()
        assert evsup.stop() == 0
        assert time.monotonic() - sent_s < BUSY_S
    finally:
        for flood in floods:
            flood.kill()
            flood.wait()


def turned_ago_s(evsup: Evsup) -> float:
    """Seconds since the supervisor's loop last turned."""
    tree = evsup.status()
    assert tree is not None
    return monotonic() - tree.described_at_s

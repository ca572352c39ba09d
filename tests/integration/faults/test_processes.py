"""Processes that are stopped, hang and go on; supervisors beside each other."""

import os
import re
import signal
import time
from collections.abc import Iterator

import pytest

from scripts.harness.evsup import Evsup
from scripts.harness.marker import marked, process_state
from scripts.harness.waiting import BUSY_S, eventually
from scripts.localcloud.cloud import CloudSettings, Store
from tests.harness.pipeline import SABOTEUR, UNCHECKED, Pipeline, pipeline_of

STOPPED, ENDED = "T", "Z"


@pytest.fixture
def pipeline4() -> Iterator[Pipeline]:
    with pipeline_of(partitions=4, **UNCHECKED) as made:
        yield made


def with_clock(pipeline: Pipeline, shift_s: float) -> Evsup:
    """A supervisor on a host whose clock is that many seconds off."""
    return pipeline.beside(PYTHONPATH=SABOTEUR, SABOTAGE_CLOCK_S=str(shift_s))


def owned(evsup: Evsup) -> set[str]:
    return {partition for partition, row in evsup.workers().items() if row.state == "running"}


def test_a_worker_that_hangs_is_found_and_ends_the_tree_with_75(pipeline2: Pipeline) -> None:
    evsup = pipeline2.start()
    workers = evsup.await_running(2)
    os.kill(workers["1"].pid, signal.SIGSTOP)
    pipeline2.publish(300)
    assert evsup.wait() == 75
    assert "Partition 1: The worker hangs" in evsup.last_line


def test_a_tree_frozen_past_its_lease_stops_with_75_and_writes_nothing_more(pipeline2: Pipeline) -> None:
    pipeline2.publish(500)
    frozen = pipeline2.start()
    frozen.await_running(2)
    pipeline2.await_all()
    pids = marked(frozen.marker)
    frozen.send_to_group(signal.SIGSTOP)
    eventually(lambda: all(process_state(pid) == STOPPED for pid in pids), "it is frozen")
    pipeline2.publish(500)
    other = pipeline2.beside()
    assert all(row.epoch == 2 for row in other.await_running(2).values())
    pipeline2.await_all()
    openers = {name: one.sequencer for name, one in pipeline2.snow.channels().items()}
    pipeline2.publish(500)
    frozen.send_to_group(signal.SIGCONT)
    assert frozen.wait() == 75
    assert re.search("lease (of partition . ran out|has another owner)|at the end of its lease", frozen.last_line)
    pipeline2.await_all()
    assert {name: one.sequencer for name, one in pipeline2.snow.channels().items()} == openers
    assert other.stop() == 0
    pipeline2.prove()


def test_a_supervisor_frozen_alone_stops_its_workers_before_anybody_may_claim(pipeline: Pipeline) -> None:
    evsup = pipeline.start()
    worker = evsup.await_running(1)["0"].pid
    stopped_s = time.monotonic()
    evsup.send(signal.SIGSTOP)
    eventually(lambda: process_state(worker) == ENDED, "the worker has ended")
    assert time.monotonic() - stopped_s < pipeline.settings.eventhub.ownership_expiration
    evsup.send(signal.SIGCONT)
    assert evsup.wait() == 75, evsup.last_line


def test_two_supervisors_of_two_partitions_each_own_all_four_once(pipeline4: Pipeline) -> None:
    pipeline4.publish(300)
    one, other = (pipeline4.beside("--max-partitions", "2") for _ in range(2))
    eventually(lambda: owned(one) | owned(other) == set("0123"), "all are owned")
    assert not owned(one) & owned(other)
    assert len(owned(one)) == len(owned(other)) == 2
    pipeline4.await_all()
    eventually(lambda: all((tree := evsup.status()) and tree.healthy for evsup in (one, other)), "both are healthy")
    assert (one.stop(), other.stop()) == (0, 0)
    pipeline4.prove()


@pytest.mark.parametrize("store", ["postgres", "sqlite"])
def test_a_clock_that_is_an_hour_off_takes_no_live_lease_and_gives_none_away(store: Store) -> None:
    """Postgres has a clock of its own. To SQLite it looks as if somebody set the host's clock again and again."""
    with pipeline_of(cloud=CloudSettings(partitions=1, store=store, commit_delay_s=0.3), **UNCHECKED) as pipeline:
        _compete_with_clocks_apart(pipeline)


def _compete_with_clocks_apart(pipeline: Pipeline) -> None:
    pipeline.publish(300)
    late = with_clock(pipeline, -3000)  # with an hour its SAS tokens would have run out
    assert late.await_running(1)["0"].epoch == 1
    early = with_clock(pipeline, 3600)
    eventually(lambda: (tree := early.status()) and tree.elsewhere, "it sees the other")
    expiration_s = pipeline.settings.eventhub.ownership_expiration
    eventually(lambda: (tree := early.status()) and tree.uptime_s > expiration_s, "a lease has passed")
    assert late.workers()["0"].epoch == 1
    assert not early.workers()
    late.send(signal.SIGKILL)
    late.wait()
    killed_s = time.monotonic()
    assert early.await_running(1)["0"].epoch == 2
    assert time.monotonic() - killed_s < expiration_s + BUSY_S
    pipeline.await_all()
    assert early.stop() == 0

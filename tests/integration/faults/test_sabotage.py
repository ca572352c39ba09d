"""Real workers that break the rules: their tree stops as a whole and says why, and the next one loads the rest."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.harness.evsup import Evsup
from scripts.harness.waiting import BUSY_S, eventually
from supervisor.process.stop import ABORT_GRACE_S, LATE_S
from tests.harness.pipeline import SABOTEUR, UNCHECKED, Pipeline, pipeline_of

DRAIN_S = 2.0


@pytest.fixture(scope="module")
def pipeline() -> Iterator[Pipeline]:
    """Two partitions, and at the end every event of all tests in the table, once.

    The process that checks the table would do the deeds as well.
    """
    with pipeline_of(partitions=2, EVSUP_DRAIN_TIMEOUT=str(DRAIN_S), **UNCHECKED) as made:
        yield made
        last = made.start()
        last.await_running(2)
        made.await_all()
        assert last.stop() == 0
        made.prove()


def sabotaged(pipeline: Pipeline, deed: str) -> tuple[Evsup, Path]:
    """A tree in mid-stream whose workers break the rule once the file exists."""
    go = pipeline.cloud.directory / f"go-{len(pipeline.started)}"
    evsup = pipeline.start(PYTHONPATH=SABOTEUR, SABOTAGE=deed, SABOTAGE_GO=str(go))
    evsup.await_running(2)
    pipeline.publish(300)
    return evsup, go


def test_a_worker_that_ends_at_boot_fails_the_tree_with_70(pipeline: Pipeline) -> None:
    evsup = pipeline.start(PYTHONPATH=SABOTEUR, SABOTAGE="leave")
    assert evsup.wait() == 70
    assert "The worker exited without reporting an error: exit code 3" in evsup.last_line


@pytest.mark.parametrize(
    ("deed", "says"),
    [
        ("crash", "The worker crashed: RuntimeError: sabotage"),
        ("say garbage", "no known message"),
        ("say half a frame", "no known message"),
        ("say an oversize frame", "A frame on the pipe is too large"),
    ],
)
def test_a_worker_that_breaks_the_rules_fails_the_tree_with_70(pipeline: Pipeline, deed: str, says: str) -> None:
    evsup, go = sabotaged(pipeline, deed)
    go.touch()
    assert evsup.wait() == 70
    assert "Partition " in evsup.last_line
    assert says in evsup.last_line


def test_a_worker_stuck_in_native_code_delays_a_drain_no_longer_than_the_stop_allows(pipeline: Pipeline) -> None:
    evsup, go = sabotaged(pipeline, "get stuck")
    go.touch()
    eventually(lambda: all(row.report_age_s > 2.0 for row in evsup.workers().values()), "no worker reports any more")
    sent_s = time.monotonic()
    evsup.send(signal.SIGTERM)
    assert evsup.wait() == 75
    assert time.monotonic() - sent_s < DRAIN_S + LATE_S + ABORT_GRACE_S + BUSY_S
    assert "The drain was cut short" in evsup.last_line

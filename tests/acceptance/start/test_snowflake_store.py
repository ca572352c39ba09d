"""The whole tree on control tables in Snowflake."""

import signal
from collections.abc import Iterator

import pytest

from scripts.harness.evsup import GRACE_S
from scripts.harness.marker import marked
from scripts.harness.waiting import eventually
from scripts.localcloud.cloud import CloudSettings
from tests.harness.pipeline import SELDOM, UNCHECKED, Pipeline, pipeline_of

# The group has no $ in its name: the SQL dialect behind the local service takes $Default in a text for a variable.
CLOUD = CloudSettings(partitions=2, store="snowflake", commit_delay_s=0.3)


@pytest.fixture
def pipeline() -> Iterator[Pipeline]:
    with pipeline_of(cloud=CLOUD, **SELDOM, **UNCHECKED) as made:
        yield made


@pytest.fixture
def diagnostic() -> Iterator[Pipeline]:
    with pipeline_of(cloud=CLOUD, CONTROL_OWNERSHIP_MODE="local_single_consumer_smoke", **SELDOM, **UNCHECKED) as made:
        yield made


def test_every_event_is_in_the_table_once_over_start_restart_handover_and_kill(pipeline: Pipeline) -> None:
    pipeline.publish(500)
    first = pipeline.start()
    first.await_running(2)
    pipeline.await_all()
    assert first.stop() == 0
    pipeline.publish(300)
    again = pipeline.start()
    assert {row.epoch for row in again.await_running(2).values()} == {2}
    other = pipeline.start(EVSUP_STATE_DIR=str(pipeline.cloud.directory / "other"))
    (taken,) = other.await_running(1).values()
    assert taken.epoch == 3
    pipeline.publish(300)
    pipeline.await_all()
    again.send(signal.SIGKILL)
    again.wait()
    eventually(lambda: not marked(again.marker), "no orphan", GRACE_S)
    other.await_running(2)
    pipeline.publish(100)
    pipeline.await_all()
    assert other.stop() == 0
    pipeline.prove()
    for command in (("checkpoints", "list"), ("verify",), ("check",)):
        done = pipeline.run(*command, SNOWFLAKE_CHECK_COLUMNS="true")
        assert done.returncode == 0, done.stderr


def test_the_diagnostic_moves_events_of_one_consumer_and_says_at_every_start_what_it_is(
    diagnostic: Pipeline,
) -> None:
    for epoch in (1, 2):
        diagnostic.publish(200)
        evsup = diagnostic.start()
        assert {row.epoch for row in evsup.await_running(2).values()} == {epoch}
        diagnostic.await_all()
        assert evsup.stop() == 0
        assert "is a diagnostic: ownership is in memory" in evsup.stderr
    durable = diagnostic.run("start", CONTROL_OWNERSHIP_MODE="durable")
    assert durable.returncode == 78
    assert "evsup_checkpoint is a standard table" in durable.stderr
    diagnostic.prove()

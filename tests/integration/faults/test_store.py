"""A control store that is away for less than a lease stops nothing."""

import signal
from collections.abc import Iterator

import psycopg
import pytest

from scripts.chaos.scene.unit import STOP_GRACE_S
from scripts.harness.evsup import Evsup
from scripts.harness.waiting import BUSY_S, eventually
from scripts.localcloud.cloud import CloudSettings
from scripts.localcloud.postgres import Postgres
from shared.clock import monotonic
from tests.harness.pipeline import UNCHECKED, Pipeline, pipeline_of

P = "0"
DRAIN_S = 2.0
CLOUD = CloudSettings(partitions=1, store="postgres", commit_delay_s=0.3)


@pytest.fixture(scope="module")
def pipeline() -> Iterator[Pipeline]:
    with pipeline_of(cloud=CLOUD, EVENTHUB_OWNERSHIP_EXPIRATION="20", **UNCHECKED) as made:
        yield made


@pytest.fixture(scope="module")
def postgres(pipeline: Pipeline) -> Postgres:
    assert pipeline.cloud.postgres is not None
    return pipeline.cloud.postgres


@pytest.fixture(scope="module")
def tree(pipeline: Pipeline) -> Iterator[Evsup]:
    with pipeline.living_tree() as evsup:
        yield evsup
    checkpoint = pipeline.checkpoint(P)
    assert checkpoint is not None
    assert str(checkpoint.sequence_number) == pipeline.token(P)


@pytest.fixture
def evsup(pipeline: Pipeline, tree: Evsup) -> Iterator[Evsup]:
    """The tree in mid-stream; after the test its checkpoint has caught up."""
    pipeline.publish(300)
    pipeline.await_all()
    yield tree
    pipeline.await_all()
    eventually(lambda: str(tree.workers()[P].checkpointed) == pipeline.token(P), "the checkpoint follows")
    assert tree.is_running


def test_a_tree_survives_a_restart_of_the_database(pipeline: Pipeline, postgres: Postgres, evsup: Evsup) -> None:
    postgres.restart()
    pipeline.publish(300)


def test_a_tree_survives_an_outage_shorter_than_the_lease(pipeline: Pipeline, postgres: Postgres, evsup: Evsup) -> None:
    before = evsup.stderr.count("_retrying")
    postgres.stop_immediately()
    try:
        pipeline.publish(300)
        pipeline.await_all()
        eventually(lambda: evsup.stderr.count("_retrying") > before + 1, "the tree has noticed")
    finally:
        postgres.start()


def test_sessions_ended_by_an_administrator_are_opened_again(
    pipeline: Pipeline, postgres: Postgres, evsup: Evsup
) -> None:
    with psycopg.connect(postgres.dsn, autocommit=True) as session:
        ended = session.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'evsup'"
        ).fetchone()
    assert ended is not None
    assert ended[0] > 0
    pipeline.publish(300)


def test_a_lock_held_on_the_checkpoint_row_is_waited_out(pipeline: Pipeline, postgres: Postgres, evsup: Evsup) -> None:
    before = evsup.stderr.count("checkpoint_retrying")
    with psycopg.connect(postgres.dsn) as holder:
        holder.execute("SELECT 1 FROM evsup_checkpoint FOR UPDATE")
        pipeline.publish(300)
        eventually(lambda: evsup.stderr.count("checkpoint_retrying") > before, "it waits, and tries again")


@pytest.fixture(scope="module")
def short_leases() -> Iterator[Pipeline]:
    with pipeline_of(cloud=CLOUD, **UNCHECKED) as made:
        yield made


def test_an_outage_longer_than_the_lease_ends_the_tree_with_75_and_loses_nothing(short_leases: Pipeline) -> None:
    pipeline, postgres = short_leases, short_leases.cloud.postgres
    assert postgres is not None
    pipeline.publish(300)
    evsup = pipeline.start()
    pipeline.await_all()
    postgres.stop_immediately()
    pipeline.publish(300)
    assert evsup.wait() == 75
    assert "lease" in evsup.last_line
    postgres.start()
    drains_again(pipeline)


def test_a_drain_without_the_store_ends_in_time_with_75_and_loses_nothing(short_leases: Pipeline) -> None:
    """What is in flight is committed, and no checkpoint can say so."""
    pipeline, postgres = short_leases, short_leases.cloud.postgres
    assert postgres is not None
    # A lease that is longer than Postgres takes to stop and the drain to give up.
    evsup = pipeline.start("--drain-timeout", f"{DRAIN_S:g}", EVENTHUB_OWNERSHIP_EXPIRATION="20")
    evsup.await_running(1)
    pipeline.snow.stall_commits()
    pipeline.publish(300)
    eventually(lambda: evsup.workers()[P].rows_inflight == 300, "they are in flight")
    postgres.stop_immediately()
    pipeline.snow.release_commits()
    told_s = monotonic()
    evsup.send(signal.SIGTERM)
    assert evsup.wait() == 75
    assert monotonic() - told_s < DRAIN_S + STOP_GRACE_S + BUSY_S
    assert "Nothing is lost" in evsup.last_line, "of the worker or the supervisor, whichever fails first"
    postgres.start()
    assert pipeline.position(P) == 599, "no checkpoint could be written"
    drains_again(pipeline)


def drains_again(pipeline: Pipeline) -> None:
    """A start after the outage loads the rest, and everything is there once."""
    evsup = pipeline.start()
    evsup.await_running(1)
    pipeline.await_all()
    assert evsup.stop() == 0
    pipeline.prove()

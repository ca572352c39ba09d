"""A control store that goes away and comes back costs nothing within the lease."""

from collections.abc import Iterator

import psycopg
import pytest

from scripts.localcloud.cloud import CloudSettings
from scripts.localcloud.postgres import Postgres
from tests.acceptance.evsup import Evsup, Pipeline, eventually, pipeline_of

P = "0"
CLOUD = CloudSettings(partitions=1, store="postgres", commit_delay_s=0.3)


@pytest.fixture(scope="module")
def pipeline() -> Iterator[Pipeline]:
    with pipeline_of(cloud=CLOUD, EVENTHUB_OWNERSHIP_EXPIRATION="20") as made:
        yield made


@pytest.fixture(scope="module")
def postgres(pipeline: Pipeline) -> Postgres:
    assert pipeline.cloud.postgres is not None
    return pipeline.cloud.postgres


@pytest.fixture(scope="module")
def tree(pipeline: Pipeline) -> Iterator[Evsup]:
    evsup = pipeline.start()
    evsup.await_running(1)
    yield evsup
    assert evsup.stop() == 0
    pipeline.prove()
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


def test_a_restart_of_the_database_is_lived_through(pipeline: Pipeline, postgres: Postgres, evsup: Evsup) -> None:
    postgres.restart()
    pipeline.publish(300)


def test_an_outage_shorter_than_the_lease_is_lived_through(
    pipeline: Pipeline, postgres: Postgres, evsup: Evsup
) -> None:
    before = evsup.stderr.count("_retrying")
    postgres.stop_immediately()
    try:
        pipeline.publish(300)
        pipeline.await_all()
        eventually(lambda: evsup.stderr.count("_retrying") > before + 1, "it is missed")
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


def test_an_outage_longer_than_the_lease_ends_the_tree_with_75_and_loses_nothing() -> None:
    with pipeline_of(cloud=CLOUD, EVENTHUB_OWNERSHIP_EXPIRATION="5") as pipeline:
        postgres = pipeline.cloud.postgres
        assert postgres is not None
        pipeline.publish(300)
        evsup = pipeline.start()
        pipeline.await_all()
        postgres.stop_immediately()
        pipeline.publish(300)
        assert evsup.wait() == 75
        assert "lease" in evsup.last_line
        postgres.start()
        again = pipeline.start()
        eventually(lambda: pipeline.rows() >= 600, "the rest is there")
        again.await_running(1)
        assert again.stop() == 0
        pipeline.prove()

"""A worker is killed at each stage between receipt and checkpoint: the next one resumes where the table ends."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import psycopg
import pytest

from scripts.chaos.judging.audit import Audit
from scripts.harness.evsup import Evsup
from scripts.harness.waiting import eventually
from scripts.localcloud.cloud import CloudSettings
from scripts.localcloud.postgres import Postgres
from tests.harness.pipeline import UNCHECKED, Pipeline, pipeline_of

P = "0"
CLOUD = CloudSettings(partitions=1, store="postgres", commit_delay_s=0.3)
Moment = Callable[[Pipeline, Evsup], AbstractContextManager[None]]
WAITS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'evsup' AND wait_event_type = 'Lock'"


@pytest.fixture(scope="module")
def pipeline() -> Iterator[Pipeline]:
    """At the end every event is in the table once, and the database saw no checkpoint go back and no epoch fall."""
    with pipeline_of(cloud=CLOUD, **UNCHECKED) as made:
        audit = Audit(postgres_of(made).dsn)
        yield made
        last = made.start()
        last.await_running(1)
        made.await_all()
        assert last.stop() == 0
        made.prove()
        assert audit.check()["checkpoint"] > 0


def postgres_of(pipeline: Pipeline) -> Postgres:
    assert pipeline.cloud.postgres is not None
    return pipeline.cloud.postgres


@contextmanager
def nothing_in_flight(pipeline: Pipeline, evsup: Evsup) -> Iterator[None]:
    eventually(lambda: str(evsup.workers()[P].checkpointed) == pipeline.token(P), "the checkpoint follows")
    yield


@contextmanager
def rows_in_flight(pipeline: Pipeline, evsup: Evsup) -> Iterator[None]:
    pipeline.snow.stall_commits()
    pipeline.publish(300)
    eventually(lambda: evsup.workers()[P].rows_inflight, "rows are in flight")
    yield
    pipeline.snow.release_commits()


@contextmanager
def a_checkpoint_in_its_transaction(pipeline: Pipeline, evsup: Evsup) -> Iterator[None]:
    """Rows are durable, and the transaction of their checkpoint waits for a lock on its row."""
    dsn = postgres_of(pipeline).dsn
    with psycopg.connect(dsn) as holder, psycopg.connect(dsn, autocommit=True) as eye:
        holder.execute("SELECT 1 FROM evsup_checkpoint FOR UPDATE")
        pipeline.publish(300)
        eventually(lambda: eye.execute(WAITS).fetchone() == (1,), "the checkpoint waits")
        yield


@contextmanager
def a_checkpoint_that_nobody_takes(pipeline: Pipeline, evsup: Evsup) -> Iterator[None]:
    """Rows are durable, and the store is away."""
    postgres_of(pipeline).stop_immediately()
    pipeline.publish(300)
    eventually(lambda: "checkpoint_retrying" in evsup.stderr, "the checkpoint is tried")
    yield
    postgres_of(pipeline).start()


MOMENTS: tuple[Moment, ...] = (
    nothing_in_flight,
    rows_in_flight,
    a_checkpoint_in_its_transaction,
    a_checkpoint_that_nobody_takes,
)


@pytest.mark.parametrize("moment", MOMENTS, ids=lambda moment: moment.__name__)
def test_a_worker_killed_at_any_moment_ends_the_tree_with_75_and_loses_nothing(
    pipeline: Pipeline, moment: Moment
) -> None:
    pipeline.publish(300)
    evsup = pipeline.start()
    evsup.await_running(1)
    pipeline.await_all()
    with moment(pipeline, evsup):
        os.kill(evsup.workers()[P].pid, signal.SIGKILL)
        assert evsup.wait() == 75
    assert "Partition 0: The worker" in evsup.last_line
    assert "SIGKILL" in evsup.last_line
    if moment in (a_checkpoint_in_its_transaction, a_checkpoint_that_nobody_takes):
        assert checkpointed(pipeline) < int(pipeline.token(P) or 0), "the table is ahead of the checkpoint"


def checkpointed(pipeline: Pipeline) -> int:
    checkpoint = pipeline.checkpoint(P)
    assert checkpoint is not None
    assert checkpoint.sequence_number is not None
    return checkpoint.sequence_number

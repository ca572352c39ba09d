"""The channel of an idle partition is gone, as after 30 idle days: where nothing is in doubt the tree goes on."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from scripts.harness.evsup import Evsup
from scripts.harness.waiting import eventually
from shared.snowflake.channel_name import of_generation
from tests.harness.pipeline import UNCHECKED, Pipeline, fix_of, pipeline_of

P = "0"
MORE = 20


@pytest.fixture(scope="module")
def pipeline() -> Iterator[Pipeline]:
    with pipeline_of(**UNCHECKED) as made:
        made.publish(50)
        yield made


@pytest.fixture
def evsup(pipeline: Pipeline) -> Evsup:
    """A tree whose partition is idle: all is in the table and checkpointed."""
    started = pipeline.started
    tree = started[-1] if started and started[-1].is_running else pipeline.start()
    pipeline.await_all()
    eventually(lambda: pipeline.position(P) == pipeline.in_hub()[P].last, "all is checkpointed")
    return tree


def generation(pipeline: Pipeline) -> int:
    checkpoint = pipeline.checkpoint(P)
    assert checkpoint is not None
    return checkpoint.channel_generation


def expire(pipeline: Pipeline) -> None:
    """Do what 30 idle days do: the channel is deleted, and the checkpoint is as old."""
    with closing(sqlite3.connect(pipeline.settings.control.sqlite_path, isolation_level=None)) as control:
        control.execute("UPDATE evsup_checkpoint SET updated_at = updated_at - 30 * 86400")
    drop(pipeline)


def drop(pipeline: Pipeline) -> None:
    """Delete the channel while the checkpoint is young: a person dropped it, or the table."""
    pipeline.snow.delete_channel(of_generation(pipeline.channel(P), generation(pipeline)))


def test_a_running_worker_begins_the_next_channel_and_every_event_that_comes_is_there_once(
    pipeline: Pipeline, evsup: Evsup
) -> None:
    before = generation(pipeline)
    expire(pipeline)
    eventually(lambda: generation(pipeline) == before + 1 or not evsup.is_running, "the next channel begins")
    assert evsup.is_running, evsup.last_line
    evsup.await_running(1)
    pipeline.publish(MORE)
    pipeline.await_all()
    assert "channel_gone" in evsup.stderr


def test_a_start_begins_the_next_channel_after_the_checkpoint(pipeline: Pipeline, evsup: Evsup) -> None:
    before = generation(pipeline)
    assert evsup.stop() == 0
    expire(pipeline)
    assert "the next one begins" in pipeline.check()
    again = pipeline.start()
    again.await_running(1)
    assert generation(pipeline) == before + 1
    pipeline.publish(MORE)
    pipeline.await_all()


def test_a_channel_dropped_within_a_minute_of_its_last_commit_is_for_a_person_to_judge(
    pipeline: Pipeline, evsup: Evsup
) -> None:
    before = generation(pipeline)
    pipeline.publish(MORE)
    pipeline.await_all()
    eventually(lambda: pipeline.position(P) == pipeline.in_hub()[P].last, "all is checkpointed")
    drop(pipeline)
    assert evsup.wait() == 65
    assert "may have been rejected without being counted" in evsup.last_line
    assert generation(pipeline) == before
    pipeline.output(*fix_of(evsup.last_line).arguments, "--yes")
    pipeline.start().await_running(1)
    pipeline.publish(MORE)
    pipeline.await_all()
    eventually(lambda: pipeline.position(P) == pipeline.in_hub()[P].last, "all is checkpointed")
    pipeline.prove()


def test_rows_that_the_next_channel_rejects_are_counted_from_0(pipeline: Pipeline, evsup: Evsup) -> None:
    assert evsup.is_running
    pipeline.snow.reject_rows(1)
    pipeline.publish(MORE)
    assert evsup.wait() == 65
    assert fix_of(evsup.last_line).arguments[-2:] == ["--rejected-rows", "1"]
    pipeline.output(*fix_of(evsup.last_line).arguments, "--yes")


def test_events_after_the_checkpoint_may_have_been_written_so_a_start_ends_with_65_and_the_command(
    pipeline: Pipeline,
) -> None:
    pipeline.publish(MORE)
    expire(pipeline)
    refused = pipeline.start()
    assert refused.wait() == 65
    assert "but the channel has no token" in refused.last_line
    assert fix_of(refused.last_line).arguments == ["checkpoints", "set", "--partition", P, "--table-end"]

"""Token, checkpoint and partition tell different stories: a start is refused with 65, and nothing is written."""

import re
from collections.abc import Iterator

import pytest

from tests.acceptance.evsup import Held, Pipeline, eventually, pipeline_of

P = "0"


@pytest.fixture(scope="module")
def drained() -> Iterator[Pipeline]:
    """A partition that was moved and drained: token and checkpoint agree."""
    with pipeline_of() as made:
        made.publish(500)
        evsup = made.start()
        made.await_all()
        assert evsup.stop() == 0
        made.publish(100)
        yield made


@pytest.fixture
def pipeline(drained: Pipeline) -> Iterator[Pipeline]:
    before = drained.in_table()
    yield drained
    drained.snow.set_token(drained.channel(P), "499")
    assert drained.in_table() == before


def refused(pipeline: Pipeline) -> str:
    """The reason of a start that ends with 65."""
    evsup = pipeline.start()
    assert evsup.wait() == 65
    assert "artition 0" in evsup.last_line
    return evsup.last_line


def test_a_token_behind_the_checkpoint_is_refused(pipeline: Pipeline) -> None:
    pipeline.snow.set_token(pipeline.channel(P), "300")
    assert "the channel's token 300 is behind the checkpoint 499" in refused(pipeline)


def test_a_token_beyond_the_last_event_is_refused(pipeline: Pipeline) -> None:
    pipeline.snow.set_token(pipeline.channel(P), "5000")
    assert "position 5000 is beyond the last event 599" in refused(pipeline)


def test_a_token_that_is_no_number_is_refused(pipeline: Pipeline) -> None:
    pipeline.snow.set_token(pipeline.channel(P), "0|499|somebody")
    assert "'0|499|somebody'" in refused(pipeline)


def test_a_channel_without_a_token_is_refused_while_a_checkpoint_exists(pipeline: Pipeline) -> None:
    pipeline.snow.delete_channel(pipeline.channel(P))
    assert "the checkpoint is at 499, but the channel has no token" in refused(pipeline)


def test_rejected_rows_are_refused_now_and_at_every_start_until_somebody_accepts_them() -> None:
    with pipeline_of() as pipeline:
        evsup = pipeline.start()
        evsup.await_running(1)
        pipeline.snow.reject_rows(3)
        pipeline.publish(500)
        assert evsup.wait() == 65
        assert "Snowflake rejected 3 rows" in evsup.last_line
        again = refused(pipeline)
        assert "Snowflake rejected 3 rows" in again
        [command] = re.findall(r"`evsup (checkpoints [^`]*)`", again)
        assert pipeline.run(*command.split(), "--yes").returncode == 0
        pipeline.publish(100)
        accepted = pipeline.start()
        eventually(lambda: pipeline.rows() == 597, "it goes on")
        assert accepted.stop() == 0
        assert pipeline.in_table()[P] == Held(597, 597, 3, 599), "the first three are the rejected ones"

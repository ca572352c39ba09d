"""Token, checkpoint and partition contradict each other: a start is refused with 65, and nothing is written.

The operator runs the one command that it names, word for word, and the next start loads what came since, each event
once. One partition goes through all of it; what it holds before each test is drained and agrees.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime

import pytest

from scripts.harness.evsup import Evsup
from scripts.harness.table import EVENTS
from scripts.harness.waiting import eventually
from shared.snowflake.channel_name import of_generation
from tests.harness.pipeline import UNCHECKED, Pipeline, fix_of, pipeline_of

P = "0"
MORE = 100
Trouble = Callable[[Pipeline], object]


@pytest.fixture(scope="module")
def drained() -> Iterator[Pipeline]:
    """A partition that was moved and drained: token and checkpoint agree."""
    with pipeline_of(**UNCHECKED) as made:
        made.publish(500)
        evsup = made.start()
        made.await_all()
        assert evsup.stop() == 0
        yield made


@pytest.fixture
def pipeline(drained: Pipeline) -> Pipeline:
    return drained


def refused(pipeline: Pipeline) -> str:
    """The reason of a start that ends with 65."""
    evsup = pipeline.start()
    assert evsup.wait() == 65
    assert "artition 0" in evsup.last_line
    return evsup.last_line


def run_fix(pipeline: Pipeline, reason: str) -> None:
    """Run the command that a reason names."""
    assert "Done." in pipeline.output(*fix_of(reason).arguments, "--yes")


def loads(pipeline: Pipeline, rows: int) -> Evsup:
    """A start that loads so many rows and drains."""
    expected = pipeline.rows() + rows
    evsup = pipeline.start()
    eventually(lambda: pipeline.rows() >= expected or not evsup.is_running, f"{rows} rows come")
    assert evsup.stop() == 0, evsup.last_line
    assert pipeline.rows() == expected
    return evsup


def lose_channel(pipeline: Pipeline) -> None:
    """Delete the channel, as Snowflake does after 30 idle days."""
    pipeline.snow.delete_channel(current_channel(pipeline))


def set_token(token: str) -> Trouble:
    return lambda pipeline: pipeline.snow.set_token(current_channel(pipeline), token)


def current_channel(pipeline: Pipeline) -> str:
    checkpoint = pipeline.checkpoint(P)
    assert checkpoint is not None
    return of_generation(pipeline.channel(P), checkpoint.channel_generation)


def control(pipeline: Pipeline, statement: str, *values: object) -> None:
    """Change the control store in a way that no command does."""
    with closing(sqlite3.connect(pipeline.settings.control.sqlite_path, isolation_level=None)) as connection:
        connection.execute(statement, values)


def leave_behind(pipeline: Pipeline, events: int) -> None:
    """Set the checkpoint back by so many events: a crash between a commit and its checkpoint leaves it so."""
    number = (pipeline.position(P) or 0) - events
    event = f"SELECT epoch_ms(max(ENQUEUED_TIME)) FROM {EVENTS} WHERE SEQUENCE_NUMBER = {number}"  # noqa: S608
    [(enqueued_ms,)] = pipeline.snow.query(event)
    control(pipeline, "UPDATE evsup_checkpoint SET sequence_number = ?, enqueued_at = ? / 1e3", number, enqueued_ms)


def test_a_token_without_a_checkpoint_goes_on_and_says_so(pipeline: Pipeline) -> None:
    """The first test, because a move is in the row that this one deletes: which channel is the present one."""
    control(pipeline, "DELETE FROM evsup_checkpoint")
    pipeline.publish(MORE)
    assert "token without a checkpoint" in loads(pipeline, MORE).stderr
    pipeline.prove()


@pytest.mark.parametrize(
    ("trouble", "reason", "command"),
    [
        (lose_channel, "the checkpoint is at 599, but the channel has no token", "set --partition 0 --table-end"),
        (set_token("300"), "the channel's token 300 is behind the checkpoint 699", "set --partition 0 --table-end"),
    ],
)
def test_a_refused_start_names_the_command_after_which_each_event_is_there_once(
    pipeline: Pipeline, trouble: Trouble, reason: str, command: str
) -> None:
    trouble(pipeline)
    pipeline.publish(MORE)
    told = refused(pipeline)
    assert reason in told
    assert f"`evsup checkpoints {command}" in told
    run_fix(pipeline, told)
    loads(pipeline, MORE)
    pipeline.prove()


def test_a_token_that_is_no_number_is_refused(pipeline: Pipeline) -> None:
    token = pipeline.snow.channels()[current_channel(pipeline)].token
    set_token("0|499|somebody")(pipeline)
    assert "'0|499|somebody'" in refused(pipeline)
    set_token(str(token))(pipeline)
    assert "every event is there once" in pipeline.output("verify")


def test_a_hub_that_failed_over_is_refused_and_its_new_events_are_read_however_they_are_numbered(
    pipeline: Pipeline,
) -> None:
    """A checkpoint knows when its event was enqueued. So its age does not matter, nor does a token that is ahead."""
    before, rows = "", pipeline.rows()
    for lost, ahead, reason in (
        (2 * MORE, 0, "is beyond the last event"),
        (MORE // 2, 0, "is not the one that was read before"),
        (MORE // 2, MORE // 4, "is not the one that was read before"),
    ):
        before = datetime.now(UTC).isoformat()
        if ahead:
            leave_behind(pipeline, ahead)
        pipeline.hub.fail_over(P, lost)
        pipeline.publish(MORE)
        control(pipeline, "UPDATE evsup_checkpoint SET updated_at = updated_at + 3600")
        told = refused(pipeline)
        assert reason in told
        run_fix(pipeline, told)
        loads(pipeline, MORE)
    assert pipeline.rows() == rows + 3 * MORE, "a refused start writes nothing"
    assert "every event is there once" in pipeline.output("verify", "--since", before)


def test_rejected_rows_are_refused_now_and_at_every_start_until_somebody_accepts_them(pipeline: Pipeline) -> None:
    rows = pipeline.rows()
    evsup = pipeline.start()
    evsup.await_running(1)
    pipeline.snow.reject_rows(3)
    pipeline.publish(500)
    assert evsup.wait() == 65
    assert "Snowflake rejected 3 rows" in evsup.last_line
    again = refused(pipeline)
    assert "Snowflake rejected 3 rows" in again
    run_fix(pipeline, again)
    pipeline.publish(MORE)
    accepted = pipeline.start()
    eventually(lambda: pipeline.rows() == rows + 597, "it goes on")
    assert accepted.stop() == 0
    assert pipeline.rows() == rows + 597, "all but the rejected ones"

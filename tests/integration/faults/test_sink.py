"""Faults of the sink that end the tree. After each one, the next start brings every event into the table once."""

import signal
import time
from collections.abc import Iterator

import pytest

from scripts.harness.evsup import Evsup
from scripts.harness.waiting import BUSY_S, eventually
from scripts.localcloud.cloud import DATABASE, ROLE, SCHEMA, TABLE
from scripts.localcloud.snow.http.faults import Call
from tests.harness.pipeline import UNCHECKED, Pipeline, pipeline_of

P, PIPE = "0", f"{TABLE}-STREAMING"
STALL_S, DRAIN_S = 4.0, 1.0


@pytest.fixture(scope="module")
def pipeline() -> Iterator[Pipeline]:
    """A commit timeout of a few seconds, and a drain timeout below it."""
    with pipeline_of(SNOWFLAKE_COMMIT_TIMEOUT=str(STALL_S), EVSUP_DRAIN_TIMEOUT=str(DRAIN_S), **UNCHECKED) as made:
        yield made


@pytest.fixture
def evsup(pipeline: Pipeline) -> Iterator[Evsup]:
    with pipeline.doomed_tree(P) as tree:
        yield tree


def test_a_channel_opened_by_somebody_else_ends_the_tree_with_75(pipeline: Pipeline, evsup: Evsup) -> None:
    pipeline.snow.steal(pipeline.channel(P))
    pipeline.publish(300)
    assert evsup.wait() == 75
    assert "Partition 0" in evsup.last_line
    assert "Another opener" in evsup.last_line


def test_an_invalid_channel_ends_the_tree_with_69(pipeline: Pipeline, evsup: Evsup) -> None:
    pipeline.snow.invalidate(pipeline.channel(P))
    assert evsup.wait() == 69
    assert "Partition 0" in evsup.last_line
    assert "ERR_CHANNEL_MUST_BE_REOPENED" in evsup.last_line


def test_a_refusal_that_the_sdk_does_not_know_ends_the_tree_with_69(pipeline: Pipeline, evsup: Evsup) -> None:
    pipeline.snow.fail("append", 400, times=None, code="ERR_OF_A_LATER_YEAR")
    pipeline.publish(300)
    assert evsup.wait() == 69
    assert "Partition 0" in evsup.last_line
    assert "ERR_OF_A_LATER_YEAR" in evsup.last_line


def test_commits_that_stall_end_the_tree_with_69(pipeline: Pipeline, evsup: Evsup) -> None:
    pipeline.snow.stall_commits()
    pipeline.publish(300)
    assert evsup.wait() == 69
    assert "Snowflake has committed nothing for" in evsup.last_line
    assert "SNOWFLAKE_COMMIT_TIMEOUT" in evsup.last_line


def test_a_token_that_stands_still_ends_the_tree_with_69(pipeline: Pipeline, evsup: Evsup) -> None:
    pipeline.snow.freeze_token()
    pipeline.publish(300)
    assert evsup.wait() == 69
    assert "Snowflake has committed nothing for" in evsup.last_line


def test_a_token_that_moves_back_ends_the_tree_with_65(pipeline: Pipeline, evsup: Evsup) -> None:
    before = pipeline.token(P)
    pipeline.snow.set_token(pipeline.channel(P), "7")
    try:
        assert evsup.wait() == 65
        assert f"moved back: from {before} to 7" in evsup.last_line
    finally:
        pipeline.snow.set_token(pipeline.channel(P), before)


def test_a_token_that_is_no_number_any_more_ends_the_tree_with_65(pipeline: Pipeline, evsup: Evsup) -> None:
    before = pipeline.token(P)
    pipeline.snow.set_token(pipeline.channel(P), "somebody's")
    try:
        assert evsup.wait() == 65
        assert "is not a sequence number" in evsup.last_line
    finally:
        pipeline.snow.set_token(pipeline.channel(P), before)


@pytest.mark.parametrize(("call", "status"), [("append", 429), ("status", 503), ("append", 403)])
def test_refusals_without_end_end_the_tree_with_69(pipeline: Pipeline, evsup: Evsup, call: Call, status: int) -> None:
    pipeline.snow.fail(call, status, times=None)
    pipeline.publish(300)
    assert evsup.wait() == 69
    assert "Snowflake has committed nothing for" in evsup.last_line
    assert f"HTTP {status}, error_code=" in evsup.last_line


def test_a_pipe_that_is_gone_ends_the_tree_with_78_and_names_it(pipeline: Pipeline, evsup: Evsup) -> None:
    pipeline.snow.drop_pipe((DATABASE, SCHEMA, PIPE))
    pipeline.publish(300)
    try:
        assert evsup.wait() == 78
        assert PIPE in evsup.last_line
    finally:
        pipeline.snow.create_pipe((DATABASE, SCHEMA, PIPE), TABLE)


def test_a_role_that_loses_a_privilege_ends_the_tree_and_every_start_with_78(pipeline: Pipeline, evsup: Evsup) -> None:
    insert, usage = ("INSERT", (DATABASE, SCHEMA, TABLE), ROLE), ("USAGE", (DATABASE,), ROLE)
    pipeline.snow.revoke(*insert)
    pipeline.publish(300)
    try:
        for code, fix in (
            ("ERR_TABLE_DOES_NOT_EXIST_NOT_AUTHORIZED", "SNOWFLAKE_ROLE may use them"),
            ("ERR_TABLE_DOES_NOT_EXIST_NOT_AUTHORIZED", "GRANT INSERT ON TABLE"),
            ("ERR_DATABASE_DOES_NOT_EXIST_OR_NOT_AUTHORIZED", "GRANT USAGE ON DATABASE"),
        ):
            assert evsup.wait() == 78
            assert code in evsup.last_line
            assert fix in evsup.last_line
            if fix.startswith("GRANT INSERT"):
                pipeline.snow.revoke(*usage)
            evsup = pipeline.start()  # of which the last one ends as well
        assert evsup.wait() == 78
    finally:
        pipeline.snow.grant(*insert)
        pipeline.snow.grant(*usage)


def test_a_token_of_somebody_else_s_rows_ends_the_tree_with_75(pipeline: Pipeline, evsup: Evsup) -> None:
    before = pipeline.token(P)
    pipeline.snow.set_token(pipeline.channel(P), "999999")
    try:
        assert evsup.wait() == 75
        assert "Another writer uses the channel" in evsup.last_line
    finally:
        pipeline.snow.set_token(pipeline.channel(P), before)


def test_a_snowflake_that_never_answers_delays_a_drain_no_longer_than_its_timeout(
    pipeline: Pipeline, evsup: Evsup
) -> None:
    for call in ("append", "status", "token", "open"):
        pipeline.snow.hang(call, times=None)
    pipeline.publish(300)
    eventually(lambda: evsup.workers()[P].rows_inflight, "rows are in flight")
    sent_s = time.monotonic()
    evsup.send(signal.SIGTERM)
    assert evsup.wait() == 75
    assert time.monotonic() - sent_s < DRAIN_S + BUSY_S


def test_a_table_that_is_gone_ends_the_tree_and_no_start_begins_without_it() -> None:
    with pipeline_of() as own:
        own.publish(300)
        evsup = own.start(**UNCHECKED)
        own.await_all()
        own.snow.drop_table((DATABASE, SCHEMA, TABLE))
        own.publish(300)
        assert evsup.wait() in (69, 78)  # its channel is invalid, or its table unknown, whatever is asked first
        assert "Partition 0" in evsup.last_line
        again = own.start()
        assert again.wait() == 78
        assert TABLE in again.last_line

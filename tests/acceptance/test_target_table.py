# ruff: noqa: S608 - names of this file's own
"""A table without our columns, a pipe that is not one row an event: refused at a start, noticed while a tree runs."""

import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from scripts.harness.table import EVENTS
from scripts.harness.waiting import eventually
from scripts.localcloud.cloud import DATABASE, SCHEMA, TABLE
from shared.snowflake.session import SqlSession
from shared.snowflake.tables import envelope_columns
from tests.acceptance.test_verify import verified
from tests.harness.pipeline import Pipeline, pipeline_of

ROLE = "EVSUP_LOADER"
HERE = (DATABASE, SCHEMA, TABLE)
NOTICED_S = 60.0
OURS = ", ".join(column.name for column in envelope_columns())
KEYS = ", ".join(f"$1:{column.name}" for column in envelope_columns())
STREAM = "TABLE(DATA_SOURCE(TYPE => 'STREAMING'))"


@pytest.fixture(scope="module")
def shared() -> Iterator[Pipeline]:
    """One pipeline for what is refused before anything moves."""
    with pipeline_of(1) as made:
        yield made


def change(pipeline: Pipeline, statement: str) -> None:
    """By SQL, behind evsup's back."""
    with closing(SqlSession(pipeline.settings.snowflake)) as session:
        session.change(statement)


def refused(pipeline: Pipeline, code: int, **environment: str) -> str:
    """The last line of a start, and of a `check` that says the same; fails unless both end with `code`."""
    evsup = pipeline.start(stderr=None, **environment)
    assert evsup.wait() == code, evsup.stderr
    done = pipeline.run("check", **environment)
    assert done.returncode == code, done.stdout
    return evsup.last_line


def checked(pipeline: Pipeline, **environment: str) -> str:
    """The lines of `check`."""
    return pipeline.run("check", **environment).stdout


def test_the_table_of_another_loader_and_one_without_a_column_for_the_body_are_refused(shared: Pipeline) -> None:
    shared.publish(94)
    change(shared, "CREATE TABLE EVSUP.PUBLIC.T_KAFKA (RECORD_CONTENT VARIANT, RECORD_METADATA VARIANT)")
    evsup = shared.start(SNOWFLAKE_TABLE="T_KAFKA")
    assert evsup.wait() == 78
    assert f"there is no column {OURS}" in evsup.last_line
    others = ", ".join(
        f'"{one.name}" {one.type}' for one in envelope_columns() if one.name not in ("PAYLOAD", "RAW_BODY")
    )
    change(shared, f"CREATE TABLE EVSUP.PUBLIC.T_NOPAY (BODY VARIANT, {others})")
    reason = refused(shared, 78, SNOWFLAKE_TABLE="T_NOPAY")
    add = 'ALTER TABLE "EVSUP"."PUBLIC"."T_NOPAY" ADD COLUMN "PAYLOAD" VARIANT, "RAW_BODY" BINARY;'
    assert add in reason
    assert not shared.snow.channels(), "nothing was opened"
    evsup = shared.start(SNOWFLAKE_TABLE="T_NOPAY", SNOWFLAKE_CHECK_COLUMNS="false")
    eventually(lambda: shared.position("0") == 93, "without the look they are loaded")
    assert evsup.stop() == 0
    assert '"columns_not_checked"' in evsup.stderr
    [finding] = verified(shared, code=65, SNOWFLAKE_TABLE="T_NOPAY")["0"]["findings"]
    assert (finding["kind"], finding["count"], finding["first"], finding["last"]) == ("no_body", 94, 0, 93)
    assert "the table has no column PAYLOAD and no RAW_BODY" in finding["text"]
    assert add in shared.output("replay", "--partition=0", "--from=0", "--to=3", "--into=T_NOPAY", code=78)
    change(shared, add)
    assert verified(shared, code=65, SNOWFLAKE_TABLE="T_NOPAY")["0"]["findings"][0]["count"] == 94


def test_a_pipe_that_is_not_one_row_an_event_is_refused_and_one_that_is_can_be_trusted(shared: Pipeline) -> None:
    pipe = (
        f"CREATE OR REPLACE PIPE EVSUP.PUBLIC.THEIRS AS COPY INTO {EVENTS} ({OURS}) FROM (SELECT {KEYS} FROM {STREAM}"
    )
    change(shared, f"{pipe} WHERE $1:PAYLOAD:n > 1)")
    assert "WHERE leaves events out" in refused(shared, 78, SNOWFLAKE_PIPE="THEIRS")
    change(shared, f"{pipe})")
    assert "THEIRS: its definition makes one row of each event" in checked(shared, SNOWFLAKE_PIPE="THEIRS")


def test_a_role_that_may_not_see_columns_or_pipe_is_told_the_grant(shared: Pipeline) -> None:
    for privilege in ("SELECT", "REFERENCES"):
        shared.snow.revoke(privilege, HERE, ROLE)
    grant = 'GRANT REFERENCES ON TABLE "EVSUP"."PUBLIC"."EVENTS" TO ROLE "EVSUP_LOADER"; SNOWFLAKE_CHECK_COLUMNS=false'
    assert grant in refused(shared, 77)
    assert "warn    table" in checked(shared, SNOWFLAKE_CHECK_COLUMNS="false")
    shared.snow.clear_faults()
    change(shared, f"CREATE OR REPLACE PIPE EVSUP.PUBLIC.MINE AS COPY INTO {EVENTS} FROM (SELECT {KEYS} FROM {STREAM})")
    for privilege in ("OPERATE", "MONITOR"):
        shared.snow.revoke(privilege, ("EVSUP", "PUBLIC", "MINE"), ROLE)
    assert "GRANT OPERATE ON PIPE" in refused(shared, 78, SNOWFLAKE_PIPE="MINE")
    shared.snow.clear_faults()


def test_without_sql_a_start_ends_with_69_and_names_the_setting_that_goes_without(shared: Pipeline) -> None:
    shared.snow.refuse_logins(times=None)  # an address that a network policy lets stream, and not speak SQL
    evsup = shared.start()
    assert evsup.wait() == 77
    assert "SNOWFLAKE_CHECK_COLUMNS=false" in evsup.last_line
    shared.snow.clear_faults()
    shared.snow.fail("login", 503, times=None)
    evsup = shared.start()
    assert evsup.wait() == 69
    assert "SNOWFLAKE_CHECK_COLUMNS=false" in evsup.last_line
    assert "skipped snowflake login" in checked(shared, SNOWFLAKE_CHECK_COLUMNS="false")
    shared.snow.clear_faults()


def test_a_column_with_a_default_is_a_doubt_that_every_start_says(pipeline: Pipeline) -> None:
    change(pipeline, f"ALTER TABLE {EVENTS} ADD COLUMN LOADED_AT TIMESTAMP_TZ DEFAULT CURRENT_TIMESTAMP()")
    change(pipeline, f"ALTER TABLE {EVENTS} ADD COLUMN TENANT VARCHAR NOT NULL DEFAULT 'x'")
    lines = checked(pipeline)
    assert "LOADED_AT has a DEFAULT" in lines
    assert "TENANT has a DEFAULT" in lines
    pipeline.publish(10)
    assert pipeline.start().wait() == 65, "an older account writes NULL over the default, and counts the rows"
    pipeline.snow.use_defaults(used=True)
    assert pipeline.run("checkpoints", "reset", "--all", "--to", "-1", "--yes").returncode == 0
    evsup = pipeline.start()
    pipeline.await_all()
    assert evsup.stop() == 0
    assert '"target_suspicious"' in evsup.stderr
    assert pipeline.snow.query(f"SELECT DISTINCT TENANT FROM {EVENTS} WHERE LOADED_AT IS NOT NULL") == [("x",)]


@pytest.mark.timeout(240)
def test_a_column_dropped_under_load_stops_the_tree_within_a_minute_and_its_events_are_read_again(
    pipeline: Pipeline,
) -> None:
    pipeline.publish(100)
    evsup = pipeline.start()
    pipeline.await_all()
    change(pipeline, f"ALTER TABLE {EVENTS} RENAME COLUMN PAYLOAD TO BODY")
    began_s = time.monotonic()
    while evsup.is_running and time.monotonic() < began_s + NOTICED_S:
        pipeline.publish(50)
        eventually(lambda: pipeline.rows() == pipeline.in_hub()["0"].rows or not evsup.is_running, "they are loaded")
    assert evsup.wait() == 78
    reason = evsup.last_line
    assert "there is no column PAYLOAD; rows loaded since the last look may lack it: events 0 to " in reason
    last = pipeline.position("0")
    assert f"`evsup replay --partition 0 --from 0 --to {last}`" in reason
    change(pipeline, f"ALTER TABLE {EVENTS} RENAME COLUMN BODY TO PAYLOAD")
    found = verified(pipeline, code=65)["0"]["findings"]
    assert [(one["kind"], one["first"], one["last"]) for one in found] == [("no_body", 100, last)]
    pipeline.output("replay", "--partition", "0", "--from", "0", "--to", str(last))
    change(
        pipeline,
        f"UPDATE {EVENTS} SET PAYLOAD = R.PAYLOAD, RAW_BODY = R.RAW_BODY FROM {EVENTS}_REPLAY R"
        f" WHERE {EVENTS}.PARTITION_ID = R.PARTITION_ID AND {EVENTS}.SEQUENCE_NUMBER = R.SEQUENCE_NUMBER"
        f" AND {EVENTS}.PAYLOAD IS NULL AND {EVENTS}.RAW_BODY IS NULL",
    )
    assert verified(pipeline, code=0)["0"]["verdict"] == "proven"


@pytest.mark.timeout(240)
def test_a_running_tree_goes_on_without_sql_and_says_that_it_cannot_see(pipeline: Pipeline) -> None:
    evsup = pipeline.start()
    evsup.await_running(1)
    pipeline.snow.fail("query", 503, times=None)
    eventually(lambda: (tree := evsup.status()) and tree.table_unseen, "it is said", timeout_s=2 * NOTICED_S)
    assert "columns cannot be seen" in pipeline.output("status")
    pipeline.publish(100)
    pipeline.await_all()
    assert evsup.stop() == 0
    assert '"table_not_seen"' in evsup.stderr

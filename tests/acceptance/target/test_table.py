# ruff: noqa: S608 - names of this file's own
"""A table without our columns, a pipe that is not one row an event: no start begins with them."""

from collections.abc import Iterator

import pytest

from scripts.harness.table import EVENTS
from scripts.harness.waiting import eventually
from scripts.localcloud.cloud import DATABASE, SCHEMA, TABLE
from shared.snowflake.tables import envelope_columns
from tests.acceptance.commands.test_verify import verified
from tests.harness.pipeline import Pipeline, pipeline_of

ROLE = "EVSUP_LOADER"
HERE = (DATABASE, SCHEMA, TABLE)
OURS = ", ".join(column.name for column in envelope_columns())
KEYS = ", ".join(f"$1:{column.name}" for column in envelope_columns())
STREAM = "TABLE(DATA_SOURCE(TYPE => 'STREAMING'))"


@pytest.fixture(scope="module")
def shared() -> Iterator[Pipeline]:
    """One pipeline for what is refused before anything moves."""
    with pipeline_of(1) as made:
        yield made


def refused(pipeline: Pipeline, code: int, **environment: str) -> str:
    """The last line of a start, and of a `check` that says the same; fails unless both end with `code`."""
    evsup = pipeline.start(stderr=None, **environment)
    assert evsup.wait() == code, evsup.stderr
    pipeline.check(code=code, **environment)
    return evsup.last_line


def checked(pipeline: Pipeline, **environment: str) -> str:
    """The lines of `check`."""
    return pipeline.check(code=None, **environment)


def test_the_table_of_another_loader_and_one_without_a_column_for_the_body_are_refused(shared: Pipeline) -> None:
    shared.publish(94)
    shared.change("CREATE TABLE EVSUP.PUBLIC.T_KAFKA (RECORD_CONTENT VARIANT, RECORD_METADATA VARIANT)")
    evsup = shared.start(SNOWFLAKE_TABLE="T_KAFKA")
    assert evsup.wait() == 78
    assert f"there is no column {OURS}" in evsup.last_line
    others = ", ".join(
        f'"{one.name}" {one.type}' for one in envelope_columns() if one.name not in ("PAYLOAD", "RAW_BODY")
    )
    shared.change(f"CREATE TABLE EVSUP.PUBLIC.T_NOPAY (BODY VARIANT, {others})")
    reason = refused(shared, 78, SNOWFLAKE_TABLE="T_NOPAY")
    add = 'ALTER TABLE "EVSUP"."PUBLIC"."T_NOPAY" ADD COLUMN "PAYLOAD" VARIANT, "RAW_BODY" BINARY;'
    assert add in reason
    assert not shared.snow.channels(), "nothing was opened"
    evsup = shared.start(SNOWFLAKE_TABLE="T_NOPAY", SNOWFLAKE_CHECK_COLUMNS="false")
    eventually(lambda: shared.position("0") == 93, "without the check they are loaded")
    assert evsup.stop() == 0
    assert '"columns_not_checked"' in evsup.stderr
    [finding] = verified(shared, code=65, SNOWFLAKE_TABLE="T_NOPAY")["0"]["findings"]
    assert (finding["kind"], finding["count"], finding["first"], finding["last"]) == ("no_body", 94, 0, 93)
    assert "the table has no column PAYLOAD and no RAW_BODY" in finding["text"]
    assert add in shared.output("replay", "--partition=0", "--from=0", "--to=3", "--into=T_NOPAY", code=78)
    shared.change(add)
    assert verified(shared, code=65, SNOWFLAKE_TABLE="T_NOPAY")["0"]["findings"][0]["count"] == 94


def test_a_pipe_that_is_not_one_row_an_event_is_refused_and_one_that_is_can_be_trusted(shared: Pipeline) -> None:
    pipe = (
        f"CREATE OR REPLACE PIPE EVSUP.PUBLIC.THEIRS AS COPY INTO {EVENTS} ({OURS}) FROM (SELECT {KEYS} FROM {STREAM}"
    )
    shared.change(f"{pipe} WHERE $1:PAYLOAD:n > 1)")
    assert "WHERE leaves events out" in refused(shared, 78, SNOWFLAKE_PIPE="THEIRS")
    shared.change(f"{pipe})")
    assert "THEIRS: its definition makes one row of each event" in checked(shared, SNOWFLAKE_PIPE="THEIRS")


def test_a_role_that_may_not_see_columns_or_pipe_is_refused_with_the_missing_grant(shared: Pipeline) -> None:
    for privilege in ("SELECT", "REFERENCES"):
        shared.snow.revoke(privilege, HERE, ROLE)
    grant = 'GRANT REFERENCES ON TABLE "EVSUP"."PUBLIC"."EVENTS" TO ROLE "EVSUP_LOADER"; SNOWFLAKE_CHECK_COLUMNS=false'
    assert grant in refused(shared, 77)
    assert "warn    table" in checked(shared, SNOWFLAKE_CHECK_COLUMNS="false")
    shared.snow.clear_faults()
    shared.change(f"CREATE OR REPLACE PIPE EVSUP.PUBLIC.MINE AS COPY INTO {EVENTS} FROM (SELECT {KEYS} FROM {STREAM})")
    for privilege in ("OPERATE", "MONITOR"):
        shared.snow.revoke(privilege, ("EVSUP", "PUBLIC", "MINE"), ROLE)
    assert "GRANT OPERATE ON PIPE" in refused(shared, 78, SNOWFLAKE_PIPE="MINE")
    shared.snow.clear_faults()


def test_a_column_with_a_default_is_a_doubt_that_every_start_says(pipeline: Pipeline) -> None:
    pipeline.change(f"ALTER TABLE {EVENTS} ADD COLUMN LOADED_AT TIMESTAMP_TZ DEFAULT CURRENT_TIMESTAMP()")
    pipeline.change(f"ALTER TABLE {EVENTS} ADD COLUMN TENANT VARCHAR NOT NULL DEFAULT 'x'")
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


def iceberg_table(pipeline: Pipeline, name: str, version: int, time: str = "TIMESTAMP_LTZ(6)") -> None:
    """Create an envelope with the types that Iceberg has."""
    types = {"TIMESTAMP_TZ": time, "VARIANT": "VARIANT" if version == 3 else "VARCHAR"}
    columns = ", ".join(f'"{one.name}" {types.get(one.type, one.type)}' for one in envelope_columns())
    options = f"CATALOG = 'SNOWFLAKE' EXTERNAL_VOLUME = 'v' BASE_LOCATION = 't/' ICEBERG_VERSION = {version}"
    pipeline.change(f"CREATE ICEBERG TABLE EVSUP.PUBLIC.{name} ({columns}) {options}")


def test_an_iceberg_table_of_version_3_takes_rows_and_one_of_version_2_as_text(shared: Pipeline) -> None:
    shared.publish(4)
    for version in (3, 2):
        table = f"T_ICE{version}"
        iceberg_table(shared, table, version)
        shared.output("replay", "--partition=0", "--from=0", "--to=3", f"--into={table}")
        rows = shared.snow.query(f"SELECT SEQUENCE_NUMBER, PAYLOAD FROM EVSUP.PUBLIC.{table} ORDER BY 1")
        assert [number for number, _ in rows] == [0, 1, 2, 3]
        assert all(payload.startswith("{") for _, payload in rows)
    assert "warn    table" in checked(shared, SNOWFLAKE_TABLE="T_ICE2"), "JSON as text is a warning"
    iceberg_table(shared, "T_ICE", 2, time="TIMESTAMP_NTZ(6)")
    reason = checked(shared, SNOWFLAKE_TABLE="T_ICE")
    assert "ENQUEUED_TIME is TIMESTAMP_NTZ(6), not TIMESTAMP_LTZ" in reason
    assert 'ALTER ICEBERG TABLE "EVSUP"."PUBLIC"."T_ICE"' in reason
    views = shared.run("init", "--views", SNOWFLAKE_TABLE="T_ICE2")
    assert (views.returncode, "ICEBERG_VERSION = 3" in views.stderr) == (78, True)


def test_a_table_for_columns_is_proposed_from_recent_events_and_checked_against_them(shared: Pipeline) -> None:
    keys = {"SNOWFLAKE_ROW_FORMAT": "columns", "SNOWFLAKE_TABLE": "T_KEYS"}
    shared.hub.append("0", [b'{"id": 1, "at": "2026-01-31T10:00:00Z", "on": 1, "to": {"a": 1}}', b"no json"] * 3)
    printed = shared.run("init", "--target", "--from-sample", "4", "--print", **keys).stdout
    assert printed.startswith("-- 2 of 4 recent events are JSON objects.")
    assert '"ID" NUMBER(38,0),\n    "AT" TIMESTAMP_TZ,\n    "ON" NUMBER(38,0),\n    "TO" VARIANT\n)' in printed
    made = shared.run("init", "--target", "--from-sample", "4", **keys)
    assert (made.returncode, printed.splitlines()[2] in made.stderr) == (0, True), made.stderr
    assert "ok      column types" in checked(shared, **keys)
    shared.change('CREATE OR REPLACE TABLE EVSUP.PUBLIC.T_KEYS (_EVSUP VARIANT NOT NULL, "ON" BOOLEAN)')
    said = checked(shared, **keys)
    assert "ON is BOOLEAN, and the key 'on' has a value that is the number 0 or 1: Snowflake rejects the row" in said
    assert shared.run("init", "--target", "--from-sample", SNOWFLAKE_TABLE="T_KEYS").returncode == 64

"""The views over the target table, by real SQL: a row a record, the latest event by key, bodies as text."""

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec import structs

from shared.config.settings import SnowflakeSettings
from shared.errors import ConfigurationError, NotPermitted, UsageError
from shared.snowflake.session import SqlSession
from shared.snowflake.tables import create_table_sql
from supervisor.commands.init import views
from supervisor.target.value_path import parse_condition, parse_key
from supervisor.target.views import LatestBy
from tests.harness.snow.sql import ROLE, SnowSql
from tests.integration.conftest import snowflake_settings_of

BORN = datetime(2026, 1, 31, tzinfo=UTC)
AZURE_MONITOR = {"records": [{"time": "2026-01-31", "level": 4}, {"level": 5}]}
JSON_LINES = [{"id": 1}, {"id": 2}, "text"]


@pytest.fixture
def settings(snow_server: SnowSql) -> SnowflakeSettings:
    return structs.replace(snowflake_settings_of(snow_server.elsewhere()), table="FLIGHTS")


@pytest.fixture
def session(settings: SnowflakeSettings) -> Iterator[SqlSession]:
    with closing(SqlSession(settings)) as made:
        made.change(create_table_sql(settings))
        yield made


def put(session: SqlSession, number: int, body: object, partition_id: str = "0", second: int | None = None) -> None:
    """An event comes into the table; bytes are a body that is not JSON."""
    enqueued = (BORN + timedelta(seconds=number if second is None else second)).isoformat()
    payload, raw = (None, body.hex()) if isinstance(body, bytes) else (json.dumps(body), None)
    session.change(
        "INSERT INTO FLIGHTS (PARTITION_ID, SEQUENCE_NUMBER, ENQUEUED_TIME, PAYLOAD, RAW_BODY, DECODE_ERROR)"
        " SELECT ?, ?, CAST(? AS TIMESTAMP_TZ), PARSE_JSON(?), TO_BINARY(?, 'HEX'), ?",
        *(partition_id, number, enqueued, payload, raw, "not JSON" if raw else None),
    )


def made(settings: SnowflakeSettings, *keys: str, deleted: Sequence[str] = (), replace: bool = False) -> list[str]:
    latest = LatestBy([parse_key(key) for key in keys], [parse_condition(text) for text in deleted])
    return list(views.created(settings, latest, replace=replace))


def shown(session: SqlSession, statement: str) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in session.query(statement)]


def test_each_record_of_an_event_is_a_row(settings: SnowflakeSettings, session: SqlSession) -> None:
    for number, body in enumerate((AZURE_MONITOR, JSON_LINES, {"id": 3}, {"records": 5}, [], b"\xff", None)):
        put(session, number, body)
    made(settings)
    rows = shown(session, "SELECT SEQUENCE_NUMBER, RECORD_INDEX, RECORD FROM FLIGHTS_RECORDS ORDER BY 1, 2")
    assert [(number, index, record and json.loads(record)) for number, index, record in rows] == [
        *((0, index, record) for index, record in enumerate(AZURE_MONITOR["records"])),
        *((1, index, record) for index, record in enumerate(JSON_LINES)),
        (2, 0, {"id": 3}),
        (3, 0, {"records": 5}),
        (6, 0, None),
    ]
    [(level,)] = shown(session, "SELECT RECORD:level::NUMBER FROM FLIGHTS_RECORDS WHERE RECORD:time IS NOT NULL")
    assert level == 4


def test_a_body_that_is_not_json_is_text_where_it_can_be(settings: SnowflakeSettings, session: SqlSession) -> None:
    for number, body in enumerate(("ü;'1'\n".encode(), b"\xff\x00", {"id": 1})):
        put(session, number, body)
    made(settings)
    rows = shown(session, "SELECT SEQUENCE_NUMBER, BODY_TEXT, RAW_BODY, DECODE_ERROR FROM FLIGHTS_UNDECODED ORDER BY 1")
    assert rows == [(0, "ü;'1'\n", "ü;'1'\n".encode(), "not JSON"), (1, None, b"\xff\x00", "not JSON")]


def latest(session: SqlSession) -> list[tuple[str, int]]:
    return [
        (row["p"], row["n"])
        for row in session.query("SELECT PARTITION_ID AS P, SEQUENCE_NUMBER AS N FROM FLIGHTS_LATEST ORDER BY 1, 2")
    ]


def test_the_latest_event_of_a_key_has_the_highest_number_of_its_partition(
    settings: SnowflakeSettings, session: SqlSession
) -> None:
    put(session, 9, {"id": 1, "gate": "A"})
    put(session, 10, {"id": "1", "gate": "B"}, second=0)  # enqueued earlier, by a clock that was set back
    put(session, 11, {"id": 2})
    put(session, 12, {"id": None})
    put(session, 13, {"other": 3})
    put(session, 14, b"\xff")
    made(settings, "PAYLOAD:id")
    assert latest(session) == [("0", 10), ("0", 11)]


def test_between_partitions_the_later_event_is_the_latest(settings: SnowflakeSettings, session: SqlSession) -> None:
    put(session, 100, {"id": 1}, partition_id="1", second=5)
    put(session, 7, {"id": 1}, partition_id="0", second=6)
    put(session, 8, {"id": 2}, partition_id="0", second=6)
    made(settings, "PAYLOAD:id")
    assert latest(session) == [("0", 7), ("0", 8)]


def test_a_key_of_several_parts_and_of_several_places(settings: SnowflakeSettings, session: SqlSession) -> None:
    put(session, 0, {"db": "a", "after": {"my id": 1}})
    put(session, 1, {"db": "b", "after": {"my id": 1}})
    put(session, 2, {"db": "b", "after": None, "before": [{"id": 1}], "op": "u"})
    put(session, 3, {"db": "c", "after": {"my id": 4}})
    put(session, 4, {"db": "c", "after": None, "before": [{"id": 4}], "op": "d"})
    made(settings, "PAYLOAD:db", 'PAYLOAD:after."my id"|PAYLOAD:before[0].id', deleted=["PAYLOAD:op=d"])
    assert latest(session) == [("0", 0), ("0", 2)]


def test_a_key_whose_last_event_has_no_body_is_deleted(settings: SnowflakeSettings, session: SqlSession) -> None:
    session.change("ALTER TABLE FLIGHTS ADD COLUMN UNUSED VARCHAR")
    for number, body in enumerate(({"a": 1}, b"", {"a": 2}, {"a": 3}, None, {"a": 4})):
        put(session, number, body)
    for number, key in enumerate("aabccd"):
        session.change("UPDATE FLIGHTS SET PARTITION_KEY = ? WHERE SEQUENCE_NUMBER = ?", key, number)
    made(settings, "partition_key")
    assert latest(session) == [("0", 2), ("0", 5)]
    session.change("ALTER TABLE FLIGHTS ADD COLUMN ADDED VARCHAR")
    assert latest(session) == [("0", 2), ("0", 5)], "a view outlives a column more"


def test_views_stay_as_they_are_until_they_are_replaced(settings: SnowflakeSettings, session: SqlSession) -> None:
    put(session, 0, {"id": 1, "other": 2})
    put(session, 1, {"id": 1, "other": 3})
    assert made(settings, "PAYLOAD:id")[-1].endswith('FLIGHTS_LATEST": View FLIGHTS_LATEST successfully created.')
    assert "already exists" in made(settings, "PAYLOAD:other")[-1]
    assert latest(session) == [("0", 1)]
    made(settings, "PAYLOAD:other", replace=True)
    assert latest(session) == [("0", 0), ("0", 1)]
    assert "--key PAYLOAD:id" in made(settings)[-1]


def test_a_table_that_views_cannot_be_made_over_is_refused(settings: SnowflakeSettings, session: SqlSession) -> None:
    with pytest.raises(UsageError, match="The table has no column PAYLOD: it has PAYLOAD, PARTITION_ID"):
        made(settings, "PAYLOD:id")
    session.change("ALTER TABLE FLIGHTS DROP COLUMN RAW_BODY")
    with pytest.raises(ConfigurationError, match="there is no column RAW_BODY"):
        made(settings)
    session.change("DROP TABLE FLIGHTS")
    with pytest.raises(ConfigurationError, match="init --target"):
        made(settings)


def put_columns(session: SqlSession, number: int, evsup: dict[str, object], **columns: object) -> None:
    """An event comes into a table whose columns are the keys of its body."""
    metadata = {"partition_id": "0", "sequence_number": number, "enqueued_time": BORN.isoformat(), **evsup}
    names = ["_EVSUP", *columns]
    values = [each if isinstance(each, str) else json.dumps(each) for each in (metadata, *columns.values())]
    selected = ", ".join("?" if isinstance(each, str) else "PARSE_JSON(?)" for each in (metadata, *columns.values()))
    session.change(f"INSERT INTO FLIGHTS ({', '.join(names)}) SELECT {selected}", *values)


def test_with_columns_the_same_is_read_from_the_metadata(settings: SnowflakeSettings, session: SqlSession) -> None:
    settings = structs.replace(settings, row_format="columns")
    session.change("CREATE OR REPLACE TABLE FLIGHTS (_EVSUP VARIANT, ID VARIANT, OP VARCHAR)")
    put_columns(session, 0, {}, ID=1, OP="c")
    put_columns(session, 1, {"body": JSON_LINES})
    put_columns(session, 2, {"unknown": AZURE_MONITOR}, ID=2)
    put_columns(session, 3, {"raw_body": "/wA=", "decode_error": "not JSON"})
    put_columns(session, 4, {"raw_body": "w7w=", "decode_error": "not JSON"})
    put_columns(session, 5, {}, ID=1, OP="d")
    made(settings, "ID", deleted=["OP=d"])
    assert latest_of_columns(session) == [2]
    records = shown(session, "SELECT SEQUENCE_NUMBER, RECORD_INDEX FROM FLIGHTS_RECORDS ORDER BY 1, 2")
    assert records == [(1, 0), (1, 1), (1, 2), (2, 0), (2, 1)]
    text = shown(session, "SELECT SEQUENCE_NUMBER, BODY_TEXT, RAW_BODY FROM FLIGHTS_UNDECODED ORDER BY 1")
    assert text == [(3, None, b"\xff\x00"), (4, "ü", "ü".encode())]
    session.change("ALTER TABLE FLIGHTS ADD COLUMN RECORDS VARIANT")
    put_columns(session, 6, {}, RECORDS=[{"a": 1}])
    made(settings, replace=True)
    records = shown(session, "SELECT SEQUENCE_NUMBER FROM FLIGHTS_RECORDS WHERE SEQUENCE_NUMBER IN (2, 6) ORDER BY 1")
    assert records == [(2,), (2,), (6,)]


def latest_of_columns(session: SqlSession) -> list[int]:
    rows = session.query('SELECT "_EVSUP":sequence_number::NUMBER AS N FROM FLIGHTS_LATEST ORDER BY 1')
    return [row["n"] for row in rows]


def test_a_role_that_may_not_create_views_is_told_so(
    settings: SnowflakeSettings, session: SqlSession, snow_server: SnowSql
) -> None:
    assert session.query("SELECT 1 AS ONE")
    snow_server.admin.revoke("CREATE VIEW", ("DB", settings.schema), ROLE)
    with pytest.raises(NotPermitted, match="Insufficient privileges to operate on schema"):
        made(settings)

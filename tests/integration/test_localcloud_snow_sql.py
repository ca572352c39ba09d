"""The official connector against the local Snowflake: logins, Hybrid Tables, and the rows that streaming committed."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest
from snowflake.connector.errors import DatabaseError, OperationalError, ProgrammingError

from scripts.localcloud.cloud import STREAMING_PROPERTIES, key_pair
from scripts.localcloud.snow.certificate import write_private
from scripts.localcloud.snow.driver import SdkDriver
from tests.integration.snow_sql import ACCOUNT, CLAIM, ROLE, USER, WAREHOUSE, SnowSql, ask, count, number, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from snowflake.connector import SnowflakeConnection


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SnowSql]:
    snow = SnowSql.start(tmp_path_factory.mktemp("snow"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REQUESTS_CA_BUNDLE", snow.service.ready["ca_file"])
        yield snow
    assert snow.service.stop() == 0


@pytest.fixture
def snow(server: SnowSql) -> Iterator[SnowSql]:
    yield server.elsewhere()
    server.admin.clear_faults()


@pytest.fixture
def sql(snow: SnowSql) -> Iterator[SnowflakeConnection]:
    with snow.connect() as connection:
        yield connection


@pytest.fixture
def claims(sql: SnowflakeConnection) -> SnowflakeConnection:
    """A connection whose schema has the Hybrid Table CLAIM."""
    ask(sql, f"CREATE HYBRID TABLE CLAIM {CLAIM}")
    return sql


def test_a_key_pair_logs_in_and_the_session_knows_who_and_where_it_is(snow: SnowSql, sql: SnowflakeConnection) -> None:
    here = "CURRENT_USER(), CURRENT_ROLE(), CURRENT_WAREHOUSE(), CURRENT_DATABASE(), CURRENT_SCHEMA()"
    assert ask(sql, f"SELECT {here}") == [(USER, ROLE, WAREHOUSE, "DB", snow.schema)]


@pytest.mark.parametrize(
    ("changed", "errno"),
    [({"user": "STRANGER"}, 390144), ({"account": "OTHER"}, 390144), ({"role": "ACCOUNTADMIN"}, 390189)],
)
def test_another_user_account_or_role_is_refused(snow: SnowSql, changed: dict[str, str], errno: int) -> None:
    with pytest.raises(DatabaseError) as caught:
        snow.connect(**changed)
    assert caught.value.errno == errno


def test_a_wrong_key_is_refused(snow: SnowSql, tmp_path: Path) -> None:
    write_private(tmp_path / "other.p8", key_pair()[0])
    with pytest.raises(DatabaseError, match="JWT token is invalid"):
        snow.connect(private_key_file=str(tmp_path / "other.p8"))


def test_a_server_whose_authority_is_not_trusted_is_refused(snow: SnowSql, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    with pytest.raises(OperationalError):
        snow.connect(login_timeout=5)


def test_rows_that_streaming_committed_are_read_by_sql(snow: SnowSql, sql: SnowflakeConnection) -> None:
    url = f"https://127.0.0.1:{snow.service.ready['port']}"
    properties = {"account": ACCOUNT, "user": USER, "url": url, "private_key_file": str(snow.key_file)}
    with SdkDriver(snow.service.ready["ca_file"], {**properties, **STREAMING_PROPERTIES}) as sdk:
        sdk.client(("DB", snow.schema, "EVENTS-STREAMING"))
        sdk.open("channel")
        rows = [{"PAYLOAD": {"carrier": "AA"}, "N": n, "SEEN": "2026-03-01T10:00:00+02:00"} for n in range(3)]
        sdk.append("channel", rows, ("0", "2"))
        sdk.flush("channel", 20)
        until(lambda: sdk.status("channel")["token"] == "2")
    read = ask(sql, "SELECT N, PAYLOAD:carrier::VARCHAR, SEEN FROM EVENTS ORDER BY N")
    assert read == [(n, "AA", dt.datetime(2026, 3, 1, 8, tzinfo=dt.UTC)) for n in range(3)]


def test_a_hybrid_table_enforces_its_key_and_a_standard_table_does_not(claims: SnowflakeConnection) -> None:
    ask(claims, f"CREATE TABLE PLAIN {CLAIM}")
    for insert in ("INSERT INTO CLAIM (P, EPOCH) VALUES (%s, %s)", "INSERT INTO PLAIN (P, EPOCH) VALUES (%s, %s)"):
        assert count(claims, insert, ("0", 1)) == 1
    assert count(claims, "INSERT INTO PLAIN (P, EPOCH) VALUES ('0', 2)") == 1
    with pytest.raises(ProgrammingError) as caught:
        ask(claims, "INSERT INTO CLAIM (P, EPOCH) VALUES ('0', 2)")
    assert number(caught.value) == (200001, "22000")
    assert ask(claims, "SELECT EPOCH FROM CLAIM") == [(1,)]


def test_the_row_count_says_who_won_a_compare_and_set(claims: SnowflakeConnection) -> None:
    count(claims, "INSERT INTO CLAIM (P, OWNER, EPOCH) VALUES ('0', 'a', 1), ('1', 'a', 1)")
    claim = "UPDATE CLAIM SET OWNER = 'b', EPOCH = EPOCH + 1, SEEN = SYSDATE() WHERE P = '0' AND EPOCH = 1"
    assert [count(claims, claim), count(claims, claim)] == [1, 0]
    assert count(claims, "DELETE FROM CLAIM WHERE OWNER IN ('a', 'b')") == 2

"""Faults of SQL that the local Snowflake can be asked for, and how the official connector reacts."""

import threading
import time
from pathlib import Path

import pytest
from snowflake.connector import SnowflakeConnection
from snowflake.connector.errors import DatabaseError, ProgrammingError, ServiceUnavailableError

from scripts.localcloud.snow.http.faults import Call
from tests.harness.snow.sql import CLAIM, OTHER_ROLE, ROLE, SnowSql, ask, count, refusal, until

NO_PRIVILEGE = (3001, "42501")
NO_WAREHOUSE = (606, "57P03")
NOWHERE = (2043, "02000")
SEEN = "SELECT EPOCH FROM CLAIM WHERE P = '0'"


@pytest.mark.parametrize(
    ("privilege", "sql"),
    [
        ("SELECT", SEEN),
        ("INSERT", "INSERT INTO CLAIM (P) SELECT UUID_STRING()"),
        ("UPDATE", "UPDATE CLAIM SET EPOCH = 9"),
        ("DELETE", "DELETE FROM CLAIM"),
    ],
)
def test_a_role_without_a_privilege_on_a_table_is_refused_until_it_is_granted(
    snow_sql: SnowSql, claims: SnowflakeConnection, privilege: str, sql: str
) -> None:
    table = ("DB", snow_sql.schema, "CLAIM")
    snow_sql.admin.revoke(privilege, table, ROLE)
    assert refusal(claims, sql) == NO_PRIVILEGE
    with snow_sql.connect(role=OTHER_ROLE) as other:
        ask(other, sql)
    snow_sql.admin.grant(privilege, table, ROLE)
    ask(claims, sql)


def test_a_statement_that_is_explained_needs_its_privilege_and_no_warehouse_and_is_not_run(
    snow_sql: SnowSql, claims: SnowflakeConnection
) -> None:
    explained = "EXPLAIN INSERT INTO CLAIM (P) SELECT '7'"
    with snow_sql.connect(warehouse=None) as session:
        ask(session, explained)
        ask(session, "DESCRIBE TABLE CLAIM")
        snow_sql.admin.revoke("INSERT", ("DB", snow_sql.schema, "CLAIM"), ROLE)
        assert refusal(session, explained) == NO_PRIVILEGE
        assert refusal(session, explained.replace("CLAIM", "NOTHING"))[0] == 2003
    assert len(ask(claims, "SELECT P FROM CLAIM")) == 2


@pytest.mark.parametrize(("kind", "parts"), [("DATABASE", 1), ("SCHEMA", 2)])
def test_without_usage_there_is_no_database_or_schema_and_nothing_in_it(
    snow_sql: SnowSql, claims: SnowflakeConnection, kind: str, parts: int
) -> None:
    path = ("DB", snow_sql.schema)[:parts]
    shown = f"SHOW {kind}S LIKE '{path[-1]}'"
    assert ask(claims, shown)
    snow_sql.admin.revoke("USAGE", path, ROLE)
    assert not ask(claims, shown)
    assert not ask(claims, "SHOW TABLES LIKE 'CLAIM'")
    assert refusal(claims, f"SHOW TABLES IN {kind} {'.'.join(path)}") == NOWHERE
    for sql in (SEEN, "DESCRIBE TABLE CLAIM", "DELETE FROM CLAIM", "EXPLAIN INSERT INTO CLAIM (P) SELECT '7'"):
        with pytest.raises(ProgrammingError, match=f"{kind.title()} '{'.'.join(path)}' does not exist or not auth"):
            ask(claims, sql)


@pytest.mark.parametrize(
    ("name", "absent"),
    [("NOPE.S.T", "Database 'NOPE'"), ("DB.NOPE.T", "Schema 'DB.NOPE'"), ("DB.{}.NOPE", "Object .*NOPE'")],
)
def test_a_name_that_leads_nowhere_is_refused_by_the_part_that_is_not_there(
    snow_sql: SnowSql, claims: SnowflakeConnection, name: str, absent: str
) -> None:
    with pytest.raises(ProgrammingError, match=f"{absent} does not exist or not authorized"):
        ask(claims, f"SELECT * FROM {name.format(snow_sql.schema)}")  # noqa: S608 - made up here
    assert refusal(claims, "SHOW SCHEMAS IN DATABASE NOPE") == NOWHERE


def test_a_role_that_may_not_create_hybrid_tables_says_so(snow_sql: SnowSql, session: SnowflakeConnection) -> None:
    snow_sql.admin.revoke("CREATE HYBRID TABLE", ("DB", snow_sql.schema), ROLE)
    with pytest.raises(ProgrammingError, match=f"Insufficient privileges to operate on schema '{snow_sql.schema}'"):
        ask(session, f"CREATE HYBRID TABLE CLAIM {CLAIM}")
    ask(session, f"CREATE TABLE CLAIM {CLAIM}")


def test_an_account_without_hybrid_tables_makes_standard_ones(snow_sql: SnowSql, session: SnowflakeConnection) -> None:
    snow_sql.admin.allow_hybrid_tables(allowed=False)
    with pytest.raises(ProgrammingError, match="Unsupported feature 'HYBRID TABLE'"):
        ask(session, f"CREATE HYBRID TABLE CLAIM {CLAIM}")
    ask(session, f"CREATE TABLE CLAIM {CLAIM}")


def test_a_session_without_a_warehouse_touches_no_row(snow_sql: SnowSql, claims: SnowflakeConnection) -> None:
    with snow_sql.connect(warehouse=None) as idle:
        assert refusal(idle, SEEN) == NO_WAREHOUSE
        assert ask(idle, "SELECT COUNT(*) FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_NAME = 'NONE'") == [(0,)]
        ask(idle, "USE WAREHOUSE WH")
        assert ask(idle, SEEN) == [(1,)]


@pytest.mark.parametrize(
    ("name", "value"),
    [("NO_SUCH_PARAMETER", 1), ("READ_LATEST_WRITES", "perhaps"), ("HYBRID_TABLE_LOCK_TIMEOUT", -1)],
)
def test_a_parameter_that_does_not_exist_or_does_not_fit_is_refused(
    snow_sql: SnowSql, session: SnowflakeConnection, name: str, value: object
) -> None:
    assert refusal(session, f"ALTER SESSION SET {name} = '{value}'")[1] == "22023"
    with pytest.raises(DatabaseError):
        snow_sql.connect(session_parameters={name: value})


def test_parameters_of_a_session_are_taken_at_login_and_later(snow_sql: SnowSql) -> None:
    wanted = {"READ_LATEST_WRITES": True, "HYBRID_TABLE_LOCK_TIMEOUT": 5, "QUERY_TAG": "evsup"}
    with snow_sql.connect(session_parameters=wanted, autocommit=False) as session:
        ask(session, "ALTER SESSION SET READ_LATEST_WRITES = FALSE, QUERY_TAG = 'other'")
        ask(session, "ALTER SESSION UNSET QUERY_TAG")


@pytest.mark.parametrize("call", ["login", "query"])
def test_a_service_that_is_unavailable_for_a_moment_is_asked_again(
    snow_sql: SnowSql, claims: SnowflakeConnection, call: Call
) -> None:
    fired = snow_sql.admin.fired().get("http", 0)
    snow_sql.admin.fail(call, 503)
    if call == "login":
        snow_sql.connect().close()
    assert ask(claims, SEEN) == [(1,)]
    assert snow_sql.admin.fired()["http"] == fired + 1


def test_a_statement_whose_answer_is_lost_runs_once(snow_sql: SnowSql, claims: SnowflakeConnection) -> None:
    snow_sql.admin.reset("query", served=True)
    assert count(claims, "UPDATE CLAIM SET EPOCH = EPOCH + 1 WHERE P = '0' AND EPOCH = 1") == 1
    assert snow_sql.admin.fired()["reset_after"] >= 1
    assert ask(claims, SEEN) == [(2,)]


def test_a_slow_service_is_waited_for(snow_sql: SnowSql, claims: SnowflakeConnection) -> None:
    snow_sql.admin.delay("query", 0.5)
    started = time.monotonic()
    assert ask(claims, SEEN) == [(1,)]
    assert time.monotonic() - started >= 0.5


def test_a_refused_login_says_why(snow_sql: SnowSql) -> None:
    snow_sql.admin.refuse_logins()
    with pytest.raises(DatabaseError) as caught:
        snow_sql.connect()
    assert caught.value.errno == 390422
    snow_sql.connect().close()


def test_an_expired_session_is_renewed_and_keeps_its_transaction(
    snow_sql: SnowSql, claims: SnowflakeConnection
) -> None:
    renewals = snow_sql.admin.answers().get("renew 200", 0)
    ask(claims, "BEGIN")
    count(claims, "UPDATE CLAIM SET EPOCH = 2 WHERE P = '0'")
    snow_sql.admin.expire_sessions()
    assert ask(claims, SEEN) == [(2,)]
    assert snow_sql.admin.answers()["renew 200"] == renewals + 1
    ask(claims, "COMMIT")


def test_a_session_whose_master_token_expired_has_ended(snow_sql: SnowSql, claims: SnowflakeConnection) -> None:
    snow_sql.admin.expire_sessions(master=True)
    assert refusal(claims, SEEN)[0] == 390114
    with snow_sql.connect() as anew:
        assert ask(anew, SEEN) == [(1,)]


def test_a_session_token_lives_as_long_as_is_set(snow_sql: SnowSql, claims: SnowflakeConnection) -> None:
    snow_sql.admin.set_session_lifetime(0)
    renewals = snow_sql.admin.answers().get("renew 200", 0)
    with snow_sql.connect() as brief:
        snow_sql.admin.set_session_lifetime(3600)
        assert ask(brief, SEEN) == [(1,)]
    assert snow_sql.admin.answers()["renew 200"] > renewals


def test_a_session_is_kept_alive_by_heartbeats_and_ended_by_a_logout(
    snow_sql: SnowSql, session: SnowflakeConnection
) -> None:
    before = snow_sql.admin.answers()
    assert session.rest is not None
    assert session.rest._heartbeat() == {"data": None, "code": None, "message": None, "success": True}
    assert session.is_valid()
    session.close()
    after = snow_sql.admin.answers()
    assert after["heartbeat 200"] > before.get("heartbeat 200", 0)
    assert after["logout 200"] == before.get("logout 200", 0) + 1


def test_a_statement_that_its_client_gave_up_is_cancelled(snow_sql: SnowSql, claims: SnowflakeConnection) -> None:
    snow_sql.admin.hold_lock(("DB", snow_sql.schema, "CLAIM"))
    with claims.cursor() as cursor, pytest.raises(ProgrammingError) as caught:
        cursor.execute("UPDATE CLAIM SET EPOCH = 9", timeout=1)
    assert caught.value.errno == 604
    snow_sql.admin.release_locks()
    assert ask(claims, SEEN) == [(1,)]


def test_a_service_that_stays_unavailable_is_given_up_after_the_network_timeout(snow_sql: SnowSql) -> None:
    with snow_sql.connect(network_timeout=2) as session:
        snow_sql.admin.fail("query", 503, times=None)
        with pytest.raises(ServiceUnavailableError):
            ask(session, "SELECT 1")


def test_a_service_stops_at_once_although_a_driver_idles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    snow_sql = SnowSql.start(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", snow_sql.service.ready["ca_file"])
    idle = snow_sql.connect(network_timeout=1)
    assert snow_sql.service.stop() == 0
    idle.close(retry=False)


def test_streaming_goes_on_while_sql_waits(snow_sql: SnowSql, claims: SnowflakeConnection) -> None:
    snow_sql.admin.hold_lock(("DB", snow_sql.schema, "CLAIM"))
    waiter = threading.Thread(target=count, args=(claims, "UPDATE CLAIM SET EPOCH = 9"))
    waiter.start()
    snow_sql.admin.create_table(("DB", snow_sql.schema, "LATER"), [("N", "NUMBER")])
    assert snow_sql.admin.query("SELECT count(*) FROM LATER", "DB", snow_sql.schema) == [(0,)]
    assert waiter.is_alive()
    snow_sql.admin.release_locks()
    until(lambda: not waiter.is_alive())

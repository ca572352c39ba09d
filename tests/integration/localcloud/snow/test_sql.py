"""The official connector against the local Snowflake: logins, types, Hybrid Tables, and rows that were streamed."""

import datetime as dt
from pathlib import Path

import pytest
from snowflake.connector import SnowflakeConnection
from snowflake.connector.errors import DatabaseError, OperationalError

from scripts.localcloud.cloud import key_pair
from scripts.localcloud.signing.certificate import write_private
from scripts.localcloud.snow.driver import SdkDriver, SdkError
from tests.harness.snow.sql import (
    ACCOUNT,
    CLAIM,
    ROLE,
    USER,
    WAREHOUSE,
    SnowSql,
    ask,
    count,
    records,
    refusal,
    until,
)

NOON = dt.datetime(2026, 3, 1, 12, 0, 0, 123456)  # noqa: DTZ001 - a TIMESTAMP_NTZ has no zone
KINDS = """(K NUMBER, T VARCHAR, B BOOLEAN, F FLOAT, D DATE, N TIMESTAMP_NTZ(6), Z TIMESTAMP_TZ, R BINARY, V VARIANT,
    PRIMARY KEY (K))"""
DUPLICATE_KEY = (200001, "22000")


def test_a_key_pair_logs_in_and_the_session_knows_who_and_where_it_is(
    snow_sql: SnowSql, session: SnowflakeConnection
) -> None:
    here = "CURRENT_USER(), CURRENT_ROLE(), CURRENT_WAREHOUSE(), CURRENT_DATABASE(), CURRENT_SCHEMA()"
    assert ask(session, f"SELECT {here}") == [(USER, ROLE, WAREHOUSE, "DB", snow_sql.schema)]


@pytest.mark.parametrize(
    ("changed", "errno"),
    [({"user": "STRANGER"}, 390144), ({"account": "OTHER"}, 390144), ({"role": "ACCOUNTADMIN"}, 390189)],
)
def test_another_user_account_or_role_is_refused(snow_sql: SnowSql, changed: dict[str, str], errno: int) -> None:
    with pytest.raises(DatabaseError) as caught:
        snow_sql.connect(**changed)
    assert caught.value.errno == errno


def test_a_wrong_key_is_refused(snow_sql: SnowSql, tmp_path: Path) -> None:
    write_private(tmp_path / "other.p8", key_pair()[0])
    with pytest.raises(DatabaseError, match="JWT token is invalid"):
        snow_sql.connect(private_key_file=str(tmp_path / "other.p8"))


def test_a_password_is_refused(snow_sql: SnowSql) -> None:
    with pytest.raises(DatabaseError) as caught:
        snow_sql.connect(authenticator="snowflake", password="x", private_key_file=None)
    assert caught.value.errno == 390100


def test_a_server_whose_authority_is_not_trusted_is_refused(snow_sql: SnowSql, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    with pytest.raises(OperationalError):
        snow_sql.connect(login_timeout=5)


def test_rows_that_streaming_committed_are_read_by_sql(snow_sql: SnowSql, session: SnowflakeConnection) -> None:
    stream(snow_sql, "EVENTS")
    read = ask(session, "SELECT N, PAYLOAD:carrier::VARCHAR, SEEN FROM EVENTS ORDER BY N")
    assert read == [(n, "AA", dt.datetime(2026, 3, 1, 8, tzinfo=dt.UTC)) for n in range(3)]


def test_a_table_that_sql_created_takes_streamed_rows_until_sql_drops_it(
    snow_sql: SnowSql, session: SnowflakeConnection
) -> None:
    ask(session, "CREATE TABLE MADE (PAYLOAD VARIANT, N NUMBER(38,0) NOT NULL, SEEN TIMESTAMP_TZ)")
    stream(snow_sql, "MADE")
    assert ask(session, "SELECT COUNT(*), MIN(N), MAX(N) FROM MADE") == [(3, 0, 2)]
    ask(session, "DROP TABLE MADE")
    assert refusal(session, "SELECT 1 FROM MADE") == (2003, "42S02")
    with pytest.raises(SdkError, match="PIPE_DOES_NOT_EXIST"):
        stream(snow_sql, "MADE")


def test_a_table_is_described_with_the_types_it_was_created_with(session: SnowflakeConnection) -> None:
    types = ["NUMBER(9,2)", "FLOAT", "BOOLEAN", "VARCHAR(10)", "BINARY(20)", "DATE", "TIME(3)", "TIMESTAMP_NTZ(6)",
             "TIMESTAMP_LTZ(9)", "TIMESTAMP_TZ(0)", "VARIANT", "OBJECT", "ARRAY"]  # fmt: skip
    ask(session, f"CREATE TABLE TYPED ({', '.join(f'C{i} {kind}' for i, kind in enumerate(types))})")
    assert [row[1] for row in ask(session, "DESCRIBE TABLE TYPED")] == types
    ask(session, "ALTER TABLE TYPED ADD COLUMN LAST VARCHAR")
    assert ask(session, "DESCRIBE TABLE TYPED")[-1][:2] == ("LAST", "VARCHAR(16777216)")


def test_a_column_that_counts_by_itself_is_described_as_such(session: SnowflakeConnection) -> None:
    ask(session, "CREATE TABLE COUNTING (N NUMBER, T VARCHAR DEFAULT 'x', A NUMBER AUTOINCREMENT)")
    ask(session, "ALTER TABLE COUNTING ADD COLUMN I NUMBER IDENTITY(1,1)")
    default = {row[0]: row[4] for row in ask(session, "DESCRIBE TABLE COUNTING")}
    assert default["N"] is None
    assert "x" in default["T"]
    assert default["A"] == default["I"] == "IDENTITY START 1 INCREMENT 1 NOORDER"


def test_a_table_of_any_name_is_described(session: SnowflakeConnection) -> None:
    for name in ("o'brien", 'a"b', "a.b", "événement"):
        quoted = '"' + name.replace('"', '""') + '"'
        ask(session, f"CREATE TABLE {quoted} (N NUMBER(9,2))")
        assert [row[:2] for row in ask(session, f"DESCRIBE TABLE {quoted}")] == [("N", "NUMBER(9,2)")]


def test_a_hybrid_table_enforces_its_key_and_a_standard_table_does_not(claims: SnowflakeConnection) -> None:
    ask(claims, f"CREATE TABLE PLAIN {CLAIM}")
    assert count(claims, "INSERT INTO PLAIN (P, EPOCH) VALUES (%s, %s), (%s, %s)", ("0", 1, "0", 2)) == 2
    assert refusal(claims, "INSERT INTO CLAIM (P, EPOCH) VALUES (%s, %s)", ("0", 2)) == DUPLICATE_KEY
    assert refusal(claims, "UPDATE CLAIM SET P = '1' WHERE P = '0'") == DUPLICATE_KEY
    assert refusal(claims, "INSERT INTO CLAIM (EPOCH) VALUES (2)") == (100072, "22000")
    assert ask(claims, "SELECT P, EPOCH FROM CLAIM ORDER BY P") == [("0", 1), ("1", 1)]


def test_which_tables_are_hybrid_is_shown_in_three_places(snow_sql: SnowSql, claims: SnowflakeConnection) -> None:
    ask(claims, f"CREATE TABLE PLAIN {CLAIM}")
    shown = {row["name"]: row["is_hybrid"] for row in records(claims, "SHOW TABLES")}
    like = [row["name"] for row in records(claims, f"SHOW TABLES LIKE 'cl%' IN SCHEMA DB.{snow_sql.schema}")]
    hybrid = [row["name"] for row in records(claims, "SHOW HYBRID TABLES")]
    listed = ask(
        claims,
        "SELECT TABLE_NAME, IS_HYBRID, TABLE_TYPE FROM INFORMATION_SCHEMA.TABLES"
        " WHERE TABLE_SCHEMA = CURRENT_SCHEMA() AND TABLE_NAME <> 'EVENTS' ORDER BY TABLE_NAME",
    )
    assert (shown["CLAIM"], shown["PLAIN"], like) == ("Y", "N", ["CLAIM"])
    assert "CLAIM" in hybrid
    assert "PLAIN" not in hybrid
    assert listed == [("CLAIM", "YES", "BASE TABLE"), ("PLAIN", "NO", "BASE TABLE")]


@pytest.mark.parametrize(
    ("columns", "sqlstate"),
    [("(P VARCHAR)", "0A000"), ("(P TIMESTAMP_TZ PRIMARY KEY)", "0A000"), ("(P VARIANT, PRIMARY KEY (P))", "0A000")],
)
def test_a_hybrid_table_needs_a_key_of_types_that_can_be_one(
    session: SnowflakeConnection, columns: str, sqlstate: str
) -> None:
    assert refusal(session, f"CREATE HYBRID TABLE H {columns}")[1] == sqlstate


def test_a_table_is_created_once(claims: SnowflakeConnection) -> None:
    assert refusal(claims, f"CREATE HYBRID TABLE CLAIM {CLAIM}") == (2002, "42710")
    [(status,)] = ask(claims, f"CREATE HYBRID TABLE IF NOT EXISTS CLAIM {CLAIM}")
    assert status == "CLAIM already exists, statement succeeded."
    assert ask(claims, "SELECT COUNT(*) FROM CLAIM") == [(2,)]


def test_the_row_count_says_who_won_a_compare_and_set(claims: SnowflakeConnection) -> None:
    claim = "UPDATE CLAIM SET OWNER = 'b', EPOCH = EPOCH + 1, SEEN = SYSDATE() WHERE P = '0' AND EPOCH = 1"
    assert [count(claims, claim), count(claims, claim)] == [1, 0]
    assert count(claims, "DELETE FROM CLAIM WHERE OWNER IN ('a', 'b')") == 2


@pytest.mark.parametrize("style", ["qmark", "pyformat"])
def test_every_type_comes_back_as_it_went_in(snow_sql: SnowSql, style: str) -> None:
    zoned = NOON.replace(tzinfo=dt.UTC)
    row = (10**18, "it's \\ 100% ✓", True, 1.5, NOON.date(), NOON, zoned, b"\x00\xff")
    with snow_sql.connect(paramstyle=style) as session:
        ask(session, f"CREATE HYBRID TABLE KINDS {KINDS}")
        insert = "INSERT INTO KINDS (K, T, B, F, D, N, Z, R) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"
        if style == "qmark":
            count(session, insert.replace("%s", "?"), (*row[:6], ("TIMESTAMP_TZ", zoned), row[7]))
        else:
            count(session, insert, row)
        count(session, "UPDATE KINDS SET V = PARSE_JSON('{\"a\": [1, null]}')")
        assert ask(session, "SELECT K, T, B, F, D, N, Z, R, V:a[0]::INT, V:b FROM KINDS") == [(*row, 1, None)]


def test_many_rows_are_bound_at_once_and_counted_together(snow_sql: SnowSql, claims: SnowflakeConnection) -> None:
    rows = [(str(n), n) for n in range(2, 7)]
    with snow_sql.connect(paramstyle="qmark") as bound, bound.cursor() as cursor:
        cursor.executemany("INSERT INTO CLAIM (P, EPOCH) VALUES (?, ?)", rows)
        assert cursor.rowcount == 5
        with pytest.raises(DatabaseError, match="200001"):
            cursor.executemany("INSERT INTO CLAIM (P, EPOCH) VALUES (?, ?)", [("7", 7), ("0", 0)])
    assert ask(claims, "SELECT COUNT(*), SUM(EPOCH) FROM CLAIM") == [(7, 22)], "all of the second batch or nothing"


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        (
            "DATEDIFF(millisecond, '2026-03-01 12:00:00'::TIMESTAMP_NTZ, DATEADD(second, 5, '2026-03-01 12:00:00'))",
            5000,
        ),
        ("TIMESTAMPDIFF(microsecond, '2026-03-01'::TIMESTAMP_NTZ, '2026-03-01 00:00:01.5'::TIMESTAMP_NTZ)", 1_500_000),
        ("TO_TIMESTAMP_NTZ(1772366400123456, 6)", NOON),
        ("DATE_PART(epoch_millisecond, TO_TIMESTAMP_NTZ(1772366400987654, 6))", 1_772_366_400_987),
        ("DATE_PART(epoch_second, TO_TIMESTAMP_NTZ(1772366400987654, 6))", 1_772_366_400),
        ("DATEDIFF(second, SYSDATE(), CURRENT_TIMESTAMP()::TIMESTAMP_NTZ)", 0),
        ("COUNT(DISTINCT 1)", 1),
        ("IFF(GREATEST(1, 2) = 2, 'yes', 'no')", "yes"),
    ],
)
def test_functions_of_snowflake_answer_as_it_does(session: SnowflakeConnection, expression: str, value: object) -> None:
    assert ask(session, f"SELECT {expression}") == [(value,)]


def test_windows_find_gaps_and_duplicates(snow_sql: SnowSql, session: SnowflakeConnection) -> None:
    stream(snow_sql, "EVENTS", numbers=(0, 1, 1, 4))
    gaps = "SELECT N, N - LAG(N) OVER (ORDER BY N) AS STEP FROM EVENTS QUALIFY STEP <> 1 ORDER BY N"
    assert ask(session, gaps) == [(1, 0), (4, 3)]
    assert ask(session, "SELECT COUNT(*) - COUNT(DISTINCT N) FROM EVENTS") == [(1,)]


def test_the_clock_of_a_statement_is_the_servers_and_in_utc(claims: SnowflakeConnection) -> None:
    before = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    count(claims, "UPDATE CLAIM SET SEEN = SYSDATE() WHERE P = '0'")
    [(seen,)] = ask(claims, "SELECT SEEN FROM CLAIM WHERE P = '0'")
    assert before <= seen <= dt.datetime.now(dt.UTC).replace(tzinfo=None)


def stream(snow_sql: SnowSql, table: str, numbers: tuple[int, ...] = (0, 1, 2)) -> None:
    """Append rows with the streaming SDK and wait for their commit."""
    url = f"https://127.0.0.1:{snow_sql.service.ready['port']}"
    properties = {"account": ACCOUNT, "user": USER, "url": url, "private_key_file": str(snow_sql.key_file)}
    with SdkDriver(snow_sql.service.ready["ca_file"], properties) as sdk:
        sdk.client(("DB", snow_sql.schema, f"{table}-STREAMING"))
        sdk.open("channel")
        rows = [{"PAYLOAD": {"carrier": "AA"}, "N": n, "SEEN": "2026-03-01T10:00:00+02:00"} for n in numbers]
        sdk.append("channel", rows, ("0", "9"))
        sdk.flush("channel", 20)
        until(lambda: sdk.status("channel")["token"] == "9")

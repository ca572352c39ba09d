"""The pure parts of the local Snowflake's SQL: statements, bindings, keys, parameters, waits and rowsets."""

import datetime as dt
from decimal import Decimal
from typing import Any

import duckdb
import pytest
import sqlglot
from hypothesis import given
from hypothesis import strategies as st
from sqlglot import exp

from scripts.localcloud.snow.sql.locking import keys
from scripts.localcloud.snow.sql.locking.locks import WHOLE, Blocked, Locks
from scripts.localcloud.snow.sql.locking.waits import Waits, left_s
from scripts.localcloud.snow.sql.objects import hybrid
from scripts.localcloud.snow.sql.statements.binding import bound, literal, rows
from scripts.localcloud.snow.sql.statements.parameter import Parameters
from scripts.localcloud.snow.sql.statements.refusal import SqlRefusal
from scripts.localcloud.snow.sql.statements.rowset import Rowset
from scripts.localcloud.snow.sql.statements.statement import parse, present, resolved, settings

TABLE = ("DB", "S", "T")
NOW = dt.datetime(2026, 3, 1, 12, 0, 0, 5, tzinfo=dt.UTC)


def create(sql: str) -> exp.Create:
    tree = sqlglot.parse_one(sql, read="snowflake")
    assert isinstance(tree, exp.Create)
    return tree


# -- statements --


@pytest.mark.parametrize(
    ("sql", "kind", "is_hybrid"),
    [
        ("with a as (select 1) select * from a", "read", False),
        ("SELECT 1 UNION ALL SELECT 2", "read", False),
        ("INSERT INTO t VALUES (1);", "write", False),
        ("create or replace hybrid table t (a int primary key)", "definition", True),
        ("START TRANSACTION", "begin", False),
        ("SHOW HYBRID TABLES LIKE 'x'", "show", True),
        ("ALTER SESSION SET A = 1", "session", False),
        ("USE ROLE r", "use", False),
    ],
)
def test_a_statement_is_of_one_kind(sql: str, kind: str, is_hybrid: bool) -> None:
    statement = parse(sql)
    assert (statement.kind, statement.hybrid) == (kind, is_hybrid)


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("SELEC 1", "001003"),
        ("SELECT 1; SELECT 2", "001003"),
        ("", "001003"),
        ("MERGE INTO t USING s ON t.a = s.a WHEN MATCHED THEN DELETE", "000002"),
        ("SELECT a FROM t FOR UPDATE", "000002"),
        ("CALL p()", "000002"),
    ],
)
def test_what_is_not_imitated_is_refused_instead_of_half_done(sql: str, code: str) -> None:
    with pytest.raises(SqlRefusal) as caught:
        parse(sql)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("sql", "target", "sources"),
    [
        ("UPDATE a.b.t SET x = 1 FROM s WHERE t.k = s.k", "t", ["s"]),
        ("INSERT INTO t (a) SELECT a FROM (WITH w AS (SELECT * FROM deep) SELECT * FROM w)", "t", ["deep"]),
        ("DELETE FROM t WHERE a IN (SELECT a FROM s)", "t", ["s"]),
        ("DROP TABLE IF EXISTS t", "t", []),
        ("TRUNCATE TABLE t", "t", []),
        ("CREATE TABLE t AS SELECT * FROM s", "t", ["s"]),
        ("CREATE SCHEMA s", None, []),
        ("SELECT * FROM t", None, ["t"]),
    ],
)
def test_a_statement_names_what_it_writes_and_what_it_reads(sql: str, target: str | None, sources: list[str]) -> None:
    statement = parse(sql)
    assert (statement.target.name if statement.target else None) == target
    named = [one.name for one in statement.sources() if one.name]
    assert named == sources


def test_a_name_is_completed_by_the_session_and_folded_unless_quoted() -> None:
    table = parse('SELECT * FROM s."t"').sources()[0]
    assert resolved(table, "DB", "PUBLIC") == ("DB", "S", "t")
    with pytest.raises(SqlRefusal, match="002003"):
        resolved(table, None, None)


def test_now_and_here_become_literals_so_that_a_statement_means_the_same_again() -> None:
    tree = parse("SELECT SYSDATE(), CURRENT_TIMESTAMP() AS c, CURRENT_ROLE(), DATE_PART(epoch_second, SYSDATE())").tree
    text = present(tree, NOW, {exp.CurrentRole: "R"}).sql("snowflake")
    assert text.count("'2026-03-01 12:00:00.000005'") == 2
    assert "'2026-03-01 12:00:00.000005+00:00'" in text
    assert "'R' AS \"CURRENT_ROLE()\"" in text
    assert "CURRENT_TIMESTAMP()" not in text
    assert "DATE_TRUNC('SECOND'" in text


def test_alter_session_sets_and_unsets_by_name() -> None:
    assert settings(parse("ALTER SESSION SET A = 'x', B = 5, C = FALSE").tree) == {"A": "x", "B": "5", "C": "FALSE"}
    assert settings(parse("ALTER SESSION UNSET A, B").tree) == {"A": None, "B": None}


# -- bindings --


@pytest.mark.parametrize(
    ("kind", "value", "sql"),
    [
        ("TEXT", "it's \\", "'it''s \\\\'"),
        ("FIXED", "12", "12"),
        ("REAL", "1.5", "1.5"),
        ("BOOLEAN", "true", "TRUE"),
        ("BINARY", "00ff", "TO_BINARY('00ff', 'HEX')"),
        ("DATE", "1772323200000", "'2026-03-01'::DATE"),
        ("TIMESTAMP_NTZ", "1772366400123456000", "'2026-03-01 12:00:00.123456'::TIMESTAMP_NTZ"),
        ("TIMESTAMP_TZ", "1772366400000000000 1560", "'2026-03-01 14:00:00.000000+02:00'::TIMESTAMP_TZ"),
        ("ANY", None, "NULL"),
    ],
)
def test_a_bound_value_becomes_a_literal_of_its_type(kind: str, value: str | None, sql: str) -> None:
    assert literal(kind, value) == sql


@given(st.text(st.characters(exclude_characters="\0", codec="utf-8")))
def test_a_bound_text_is_the_same_text_again(text: str) -> None:
    (sql,) = sqlglot.transpile("SELECT " + literal("TEXT", text), read="snowflake", write="duckdb")
    assert duckdb.execute(sql).fetchall() == [(text,)]


def test_a_bound_text_holds_nothing_that_looks_like_a_session_variable() -> None:
    assert "$Default" not in literal("TEXT", "$Default")


def test_marks_in_texts_and_comments_are_left_alone() -> None:
    assert bound("SELECT ?, '?' /* ? */ -- ?\n, ?", ["1", "2"]) == "SELECT 1, '?' /* ? */ -- ?\n, 2"
    with pytest.raises(SqlRefusal, match="1 bind variables"):
        bound("SELECT ?", ["1", "2"])


def test_an_array_binding_is_one_execution_for_each_of_its_values() -> None:
    arrays: dict[str, dict[str, Any]] = {
        "1": {"type": "FIXED", "value": ["1", "2"]},
        "2": {"type": "TEXT", "value": ["a", None]},
    }
    assert rows(arrays) == [["1", "'a'"], ["2", "NULL"]]
    assert rows({"1": {"type": "FIXED", "value": "1"}}) == [["1"]]


# -- keys and locks --


@pytest.mark.parametrize(
    ("sql", "query"),
    [
        ("UPDATE t SET n = 1 WHERE a = 2", "SELECT t.A FROM t WHERE a = 2"),
        ("UPDATE t SET n = s.n FROM s WHERE t.a = s.a", "SELECT t.A FROM t CROSS JOIN s WHERE t.a = s.a"),
        ("DELETE FROM t", "SELECT t.A FROM t"),
        ("INSERT INTO t VALUES (1, 2)", 'SELECT A FROM (VALUES (1, 2)) AS incoming("A", "N")'),
        ("INSERT INTO t (n, a) SELECT n, a FROM s", 'SELECT A FROM (SELECT n, a FROM s) AS incoming("N", "A")'),
        ("UPDATE t SET a = 1", None),
        ("INSERT INTO t (n) VALUES (1)", None),
    ],
)
def test_the_keys_of_the_rows_that_a_statement_writes_can_be_asked_for(sql: str, query: str | None) -> None:
    found = keys.written(parse(sql).tree, ["A"], ["A", "N"])
    assert (found.sql("snowflake") if found else None) == query


def test_a_row_is_held_by_one_and_the_whole_table_by_all_its_rows() -> None:
    locks = Locks()
    locks.take(TABLE, [("0",), ("1",)], owner=1)
    assert locks.holder(TABLE, [("1",)], owner=2) == 1
    assert locks.holder(TABLE, [WHOLE], owner=2) == 1
    assert locks.holder(TABLE, [("2",)], owner=2) is None
    assert locks.holder(TABLE, [("1",)], owner=1) is None
    locks.take(("DB", "S", "OTHER"), [WHOLE], owner=2)
    assert locks.holder(("DB", "S", "OTHER"), [("7",)], owner=1) == 2
    locks.release(1)
    assert locks.holder(TABLE, [WHOLE], owner=2) is None


def test_a_circle_of_waiters_is_refused() -> None:
    waits = Waits()
    waits.begin(1, 2)
    waits.begin(2, 3)
    with pytest.raises(SqlRefusal, match="000634"):
        waits.begin(3, 1)
    waits.end(2)
    waits.begin(3, 1)


def test_a_wait_is_as_long_as_the_shorter_of_its_limits() -> None:
    parameters = Parameters()
    parameters.set("HYBRID_TABLE_LOCK_TIMEOUT", 10)
    row, table = Blocked(TABLE, 2, hybrid=True), Blocked(TABLE, 2, hybrid=False)
    assert left_s(parameters, row, 4.0) == 6.0
    assert left_s(parameters, table, 4.0) == 43_196.0
    with pytest.raises(SqlRefusal, match="000625"):
        left_s(parameters, row, 10.0)
    parameters.set("STATEMENT_TIMEOUT_IN_SECONDS", 5)
    with pytest.raises(SqlRefusal, match="000630"):
        left_s(parameters, row, 5.0)
    parameters.set("STATEMENT_TIMEOUT_IN_SECONDS", 0)
    assert left_s(parameters, row, 5.0) == 5.0


# -- declarations --


@pytest.mark.parametrize("declared", ["A INT PRIMARY KEY, B INT UNIQUE", "A INT, B INT, CONSTRAINT k PRIMARY KEY (A)"])
def test_the_keys_of_a_standard_table_are_not_enforced(declared: str) -> None:
    plain = hybrid.unenforced(create(f"CREATE TABLE t ({declared})")).sql("snowflake")
    assert plain == "CREATE TABLE t (A INT, B INT)"


@pytest.mark.parametrize(
    "declared", ["A INT PRIMARY KEY", "A INT, B INT, PRIMARY KEY (A, B)", "a DATE, PRIMARY KEY (A)"]
)
def test_a_hybrid_table_with_a_key_is_accepted(declared: str) -> None:
    hybrid.check(create(f"CREATE TABLE t ({declared})"))


# -- rowsets --


def test_values_travel_as_text_in_the_forms_that_the_drivers_read() -> None:
    before = dt.datetime(1969, 12, 31, 23, 59, 59, 500_000)  # noqa: DTZ001 - a TIMESTAMP_NTZ has no zone
    values = {
        "BIGINT": (5, "5"),
        "DECIMAL(38,2)": (Decimal("1.50"), "1.50"),
        "BOOLEAN": (True, "1"),
        "BLOB": (b"\x00\xff", "00FF"),
        "DATE": (dt.date(1970, 1, 3), "2"),
        "TIME": (dt.time(0, 0, 1, 5), "1.000005000"),
        "TIMESTAMP": (before, "-0.500000000"),
        "TIMESTAMP WITH TIME ZONE": (NOW, "1772366400.000005000 1440"),
        "JSON": ('{"a":1}', '{"a":1}'),
        "VARCHAR": (None, None),
    }
    result = Rowset(list(values), list(values), [[value for value, _ in values.values()]])
    assert result.values() == [[text for _, text in values.values()]]
    types = {one["name"]: (one["type"], one["precision"], one["scale"]) for one in result.rowtype()}
    assert types["DECIMAL(38,2)"] == ("fixed", 38, 2)
    assert types["TIMESTAMP"] == ("timestamp_ntz", 0, 9)
    assert types["JSON"] == ("variant", None, None)

"""What a statement is, what it names, and what stands in it for the time and for names."""

import datetime as dt

import pytest
from sqlglot import exp

from scripts.localcloud.snow.sql.statements.refusal import SqlRefusal
from scripts.localcloud.snow.sql.statements.statement import parse, present, resolved, settings

NOW = dt.datetime(2026, 3, 1, 12, 0, 0, 5, tzinfo=dt.UTC)


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

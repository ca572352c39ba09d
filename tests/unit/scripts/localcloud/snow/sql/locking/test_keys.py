"""The keys of the rows that a statement writes."""

import pytest

from scripts.localcloud.snow.sql.locking import keys
from scripts.localcloud.snow.sql.statements.statement import parse


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

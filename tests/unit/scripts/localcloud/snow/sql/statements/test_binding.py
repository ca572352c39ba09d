"""Values that are bound to a statement."""

from typing import Any

import duckdb
import pytest
import sqlglot
from hypothesis import given
from hypothesis import strategies as st

from scripts.localcloud.snow.sql.statements.binding import bound, literal, rows
from scripts.localcloud.snow.sql.statements.refusal import SqlRefusal


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

"""A name of a setting is one name in SQL, whatever is in it, or refused."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sqlglot import exp, parse

from shared.config.formats.identifier import problem, quoted, stored_name

INSIDE = st.text(st.characters(codec="utf-8"), max_size=20)


def tables_in(sql: str) -> list[str]:
    """The names of all tables in the statements, as another reader of SQL sees them."""
    return [table.name for tree in parse(sql, read="snowflake") if tree for table in tree.find_all(exp.Table)]


@given(
    INSIDE
    | INSIDE.map(lambda text: f'"{text}"')
    | INSIDE.map(quoted)
    | st.from_regex(r"[A-Za-z_][\w$]*", fullmatch=True)
)
def test_any_text_is_one_name_or_refused(text: str) -> None:
    assume(problem(text) is None)
    assert tables_in(f"SELECT 1 FROM {quoted(stored_name(text))}") == [stored_name(text)]  # noqa: S608


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "must be letters"),
        ("a b", "must be letters"),
        ("ä", "must be letters"),
        ("1a", "must be letters"),
        ("a;DROP TABLE b", "must be letters"),
        ("a.b", "one name"),
        ('"a"."b"', "double quote"),
        ('"', "double quote"),
        ('""', "double quote"),
        ('a"', "double quote"),
        ('"a"b"', "double quote"),
        ('"a\nb"', "control character"),
        ('"a\x00"', "control character"),
        ('"a\x7f"', "control character"),
        ("a" * 256, "longer"),
        (f'"{"a" * 256}"', "longer"),
    ],
)
def test_what_is_no_name_is_refused_in_plain_words(text: str, why: str) -> None:
    assert why in (problem(text) or "")


@pytest.mark.parametrize("text", ["a", "_1$", '"a.b"', '"é \' ; --"', '"a""b"', "a" * 255])
def test_what_is_a_name_is_one(text: str) -> None:
    assert problem(text) is None

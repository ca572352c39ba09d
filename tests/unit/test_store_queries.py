import re
from importlib.resources import files

import pytest

from shared.errors import Bug
from shared.store import schema
from shared.store.queries import pyformat, query, source

COMMON = [file.name.removesuffix(".sql") for file in (files("shared.store") / "sql").iterdir() if file.is_file()]


def test_a_query_is_found_by_its_name_and_has_no_comments() -> None:
    assert source("retire", "sqlite").startswith("-- Remove")
    assert query("retire", "sqlite").startswith("DELETE FROM evsup_supervisor")


def test_a_dialects_own_query_is_found_first() -> None:
    assert query("begin_write", "sqlite") == "BEGIN IMMEDIATE"
    assert "lock_timeout" in query("begin_write", "postgres")


@pytest.mark.parametrize("name", ["nothing", "../schema", "Retire"])
def test_an_unknown_name_is_a_bug(name: str) -> None:
    with pytest.raises(Bug):
        query(name, "sqlite")


@pytest.mark.parametrize("name", COMMON)
def test_every_parameter_becomes_psycopgs(name: str) -> None:
    named = re.findall(r":([a-z_]+)", query(name, "postgres"))
    assert re.findall(r"%\(([a-z_]+)\)s", pyformat(name, "postgres")) == named
    assert ":" not in pyformat(name, "postgres")


@pytest.mark.parametrize("name", COMMON)
def test_every_file_holds_one_statement(name: str) -> None:
    assert ";" not in query(name, "sqlite")


@pytest.mark.parametrize("table", ["ownership", "checkpoint", "supervisor", "schema"])
def test_the_printed_tables_are_complete(table: str) -> None:
    printed = schema.as_sql("postgres")
    assert printed.count(f"CREATE TABLE IF NOT EXISTS evsup_{table} (") == 1
    assert printed.endswith("ON CONFLICT (name) DO NOTHING;")


def test_the_recorded_version_is_the_known_one() -> None:
    assert f"VALUES ('control', {schema.VERSION})" in query("record_schema", "sqlite")

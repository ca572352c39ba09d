import re
from importlib.resources import files

import pytest

from shared.control import schema
from shared.control.queries import pyformat, qmark, query, source
from shared.errors import Bug

COMMON = [file.name.removesuffix(".sql") for file in (files("shared.control") / "sql").iterdir() if file.is_file()]


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


@pytest.mark.parametrize("table", ["ownership", "checkpoint", "supervisor", "audit", "schema"])
def test_the_printed_tables_are_complete(table: str) -> None:
    printed = schema.as_sql("postgres")
    assert printed.count(f"CREATE TABLE IF NOT EXISTS evsup_{table} (") == 1
    assert printed.endswith("VALUES ('control', 6);")


@pytest.mark.parametrize("dialect", ["sqlite", "postgres", "snowflake", "smoke"])
def test_the_recorded_version_is_the_known_one(dialect: str) -> None:
    assert f"'control', {schema.VERSION}" in query("record_schema", dialect)
    assert f"SET version = {schema.VERSION} " in query("raise_schema", dialect)


def test_older_tables_get_only_what_they_lack() -> None:
    from_1, from_2 = schema.as_sql("postgres", 1), schema.as_sql("postgres", 2)
    for printed in (from_1, from_2):
        assert printed.endswith("UPDATE evsup_schema SET version = 6 WHERE name = 'control';")
        assert "ADD COLUMN enqueued_at" in printed
        assert printed.count("ADD COLUMN unsettled_from") == printed.count("ADD COLUMN repeats_up_to") == 1
    assert "ADD COLUMN channel_generation" in from_1
    assert "ADD COLUMN channel_generation" not in from_2
    assert "ADD COLUMN" not in schema.as_sql("postgres") + schema.as_sql("postgres", schema.VERSION)


def test_a_query_for_snowflake_names_its_parameters_in_order() -> None:
    statement, names = qmark("fence", "snowflake")
    assert statement.count("?") == len(names)
    assert names[0] == names[-1] == "epoch"
    assert ":" not in statement


def test_a_dialect_may_differ_from_another_one_in_a_few_queries() -> None:
    assert source("create_checkpoint", "snowflake").count("CREATE HYBRID TABLE") == 1
    for table in ("checkpoint", "audit"):
        assert "CREATE TABLE IF NOT EXISTS" in source(f"create_{table}", "smoke")
        assert "CREATE HYBRID TABLE IF NOT EXISTS" in source(f"create_{table}", "snowflake")
    assert source("save_checkpoint", "smoke") == source("save_checkpoint", "snowflake")


def test_snowflakes_tables_are_hybrid_and_printed_with_the_grant_they_need() -> None:
    printed = schema.as_sql("snowflake")
    assert printed.count("CREATE HYBRID TABLE IF NOT EXISTS evsup_") == len(schema.TABLES)
    assert "GRANT CREATE HYBRID TABLE ON SCHEMA" in printed

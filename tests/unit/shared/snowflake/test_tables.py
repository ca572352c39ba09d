import pytest
from msgspec.structs import replace

from shared.config.settings import SnowflakeSettings
from shared.errors import ConfigurationError
from shared.snowflake.tables import (
    create_quarantine_sql,
    create_table_sql,
    envelope_columns,
    events_sql,
    quarantine_name,
    table_name,
)
from supervisor.commands.init.tables import target_tables

SETTINGS = SnowflakeSettings(account="a-b", user="U", database="events", schema="PUBLIC", table='"Flight ""data"""')


def test_names_are_quoted_as_snowflake_stores_them() -> None:
    assert table_name(SETTINGS) == '"EVENTS"."PUBLIC"."Flight ""data"""'


@pytest.mark.parametrize("bad", ["a; DROP TABLE b", "a.b", 'a"b', "1a", "", "a b"])
def test_a_name_that_is_none_never_reaches_sql(bad: str) -> None:
    for setting in ("database", "schema", "table"):
        with pytest.raises(ConfigurationError, match=f"SNOWFLAKE_{setting.upper()}"):
            create_table_sql(replace(SETTINGS, **{setting: bad}))


def test_only_what_every_row_carries_is_required() -> None:
    assert [column.name for column in envelope_columns() if column.is_required] == ["PARTITION_ID", "SEQUENCE_NUMBER"]


def test_the_envelope_is_the_documented_one() -> None:
    assert ", ".join(f"{column.name} {column.type}" for column in envelope_columns()) == (
        "PAYLOAD VARIANT, PARTITION_ID VARCHAR, SEQUENCE_NUMBER NUMBER(38,0), OFFSET VARCHAR, "
        "ENQUEUED_TIME TIMESTAMP_TZ, PARTITION_KEY VARCHAR, PROPERTIES VARIANT, SYSTEM_PROPERTIES VARIANT, "
        "CONTENT_TYPE VARCHAR, MESSAGE_ID VARCHAR, CORRELATION_ID VARCHAR, RAW_BODY BINARY, DECODE_ERROR VARCHAR"
    )


def test_the_statement_creates_the_table_once() -> None:
    statement = create_table_sql(SETTINGS)
    assert statement.startswith('CREATE TABLE IF NOT EXISTS "EVENTS"."PUBLIC"."Flight ""data""" (\n')
    assert '    "SEQUENCE_NUMBER" NUMBER(38,0) NOT NULL,\n' in statement
    assert statement.endswith('    "DECODE_ERROR" VARCHAR\n)\nERROR_LOGGING = TRUE;')


def test_the_quarantine_stands_beside_the_table_and_says_what_its_reason_is() -> None:
    assert quarantine_name(SETTINGS) == '"EVENTS"."PUBLIC"."Flight ""data""_QUARANTINE"'
    statement = create_quarantine_sql(SETTINGS)
    assert statement.startswith(f"CREATE TABLE IF NOT EXISTS {quarantine_name(SETTINGS)} (\n")
    assert "That of the error table for this row, or the last message of the whole range'" in statement
    assert statement.endswith('    "QUARANTINED_AT" TIMESTAMP_TZ NOT NULL\n);')


def test_init_makes_the_quarantine_where_rows_are_to_be_set_aside() -> None:
    assert list(target_tables(SETTINGS)) == [table_name(SETTINGS)]
    with_quarantine = target_tables(replace(SETTINGS, on_reject="quarantine"))
    assert list(with_quarantine) == [table_name(SETTINGS), quarantine_name(SETTINGS)]


def test_a_table_of_columns_grows_with_its_keys_where_snowflake_is_to_add_them() -> None:
    by_hand = create_table_sql(replace(SETTINGS, row_format="columns"))
    assert by_hand.endswith('(\n    "_EVSUP" VARIANT NOT NULL\n)\nERROR_LOGGING = TRUE;')
    by_itself = create_table_sql(replace(SETTINGS, row_format="columns", on_unknown_key="evolve"))
    assert by_itself == by_hand.removesuffix(";") + "\nENABLE_SCHEMA_EVOLUTION = TRUE;"


def test_events_are_identified_by_columns_or_by_what_is_beside_the_keys() -> None:
    assert events_sql(SETTINGS) == table_name(SETTINGS)
    by_keys = events_sql(replace(SETTINGS, row_format="columns"))
    assert 'TRY_CAST("_EVSUP":"sequence_number"::VARCHAR AS NUMBER(38,0)) AS SEQUENCE_NUMBER' in by_keys
    assert by_keys.endswith(f" AS ENQUEUED_TIME FROM {table_name(SETTINGS)})")

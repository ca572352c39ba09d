"""An Iceberg table is checked by the types that Iceberg has, and what it cannot do is refused by name."""

from msgspec.structs import replace

from shared.snowflake.tables import Column, envelope_columns
from supervisor.target.columns import Misfit, StoredColumn, misfits
from supervisor.target.iceberg import columns_on_iceberg, iceberg_misfits
from tests.unit.plain_settings import snowflake

ENVELOPE = envelope_columns()


def found(version: int, **others: str) -> list[Misfit]:
    """The misfits of an envelope of that version, with some columns of other types."""
    types = {"TIMESTAMP_TZ": "TIMESTAMP_LTZ(6)", "VARIANT": "VARIANT" if version == 3 else "VARCHAR(134217728)"}
    stored = [StoredColumn(one.name, others.get(one.name) or types.get(one.type, one.type)) for one in ENVELOPE]
    plain = misfits(stored, columns_on_iceberg(ENVELOPE, stored), "T")
    return list(iceberg_misfits(plain, ENVELOPE, stored, snowflake()))


def test_version_3_fits_and_version_2_with_text_is_a_warning() -> None:
    assert found(3) == []
    [warning] = found(2)
    assert warning.is_doubtful
    assert warning.problem.startswith("PAYLOAD, PROPERTIES, SYSTEM_PROPERTIES holds JSON as text")
    assert "ICEBERG_VERSION = 3" in warning.fix


def test_a_type_that_loses_something_is_refused_with_a_statement_for_iceberg() -> None:
    [wrong] = found(3, ENQUEUED_TIME="TIMESTAMP_NTZ(6)")
    assert (wrong.problem, wrong.is_doubtful) == ("ENQUEUED_TIME is TIMESTAMP_NTZ(6), not TIMESTAMP_LTZ", False)
    assert wrong.fix.startswith("ALTER ICEBERG TABLE T RENAME COLUMN")
    [text] = [each for each in found(3, SEQUENCE_NUMBER="VARCHAR") if not each.is_doubtful]
    assert text.problem == "SEQUENCE_NUMBER is VARCHAR, not NUMBER(38,0)"


def test_columns_need_variant() -> None:
    stored = [StoredColumn("_EVSUP", "VARCHAR(134217728)")]
    wanted = [Column("_EVSUP", "VARIANT")]
    [refused] = iceberg_misfits([], wanted, stored, replace(snowflake(), row_format="columns"))
    assert not refused.is_doubtful
    assert "_EVSUP is text, and SNOWFLAKE_ROW_FORMAT=columns needs VARIANT" in refused.problem


def test_no_column_is_added_to_an_iceberg_table() -> None:
    settings = replace(snowflake(), row_format="columns", on_unknown_key="evolve")
    wanted, stored = [Column("_EVSUP", "VARIANT")], [StoredColumn("_EVSUP", "VARIANT")]
    [refused] = iceberg_misfits([], wanted, stored, settings)
    assert (refused.is_doubtful, refused.fix) == (False, "Set SNOWFLAKE_ON_UNKNOWN_KEY=keep.")

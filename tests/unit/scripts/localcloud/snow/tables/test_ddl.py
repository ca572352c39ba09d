"""The local Snowflake reads the table that `evsup init --target` prints, and refuses what it does not understand."""

import pytest

from scripts.localcloud.snow.tables.column import Column
from scripts.localcloud.snow.tables.ddl import ICEBERG, altered, create_table, options


def test_names_fold_and_types_keep_their_sizes() -> None:
    name, columns, _ = create_table("""
        CREATE TABLE IF NOT EXISTS "Db".public.EVENTS (
          PAYLOAD VARIANT COMMENT 'the body, as it is', -- any JSON
          sequence_number NUMBER(38, 0) NOT NULL,
          "offset" VARCHAR(20),
          RAW BINARY,
          AT TIMESTAMP_TZ
        );
    """)
    assert name == ("Db", "PUBLIC", "EVENTS")
    assert columns == [
        Column("PAYLOAD", "VARIANT"),
        Column("SEQUENCE_NUMBER", "NUMBER", nullable=False, size=38),
        Column("offset", "VARCHAR", size=20),
        Column("RAW", "BINARY", size=8_388_608),
        Column("AT", "TIMESTAMP_TZ", scale=9),
    ]


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("CREATE VIEW v AS SELECT 1", "not a CREATE TABLE"),
        ("CREATE TABLE t (a GEOGRAPHY)", "unsupported type"),
        ("CREATE TABLE t (a NUMBER(39,0))", "precision"),
        ("CREATE TABLE t (a VARCHAR, A VARCHAR)", "same name"),
        ("CREATE TABLE t (a VARCHAR COLLATE 'x')", "unsupported clause of column a"),
        ("CREATE TABLE t (a VARCHAR) CLUSTER BY (a)", "CREATE TABLE|unsupported"),
    ],
)
def test_what_is_not_understood_is_refused(statement: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        create_table(statement)


def test_defaults_are_kept_as_the_local_database_takes_them() -> None:
    _, columns, _ = create_table("""
        CREATE TABLE t (a VARCHAR NOT NULL DEFAULT 'it''s', b TIMESTAMP_TZ DEFAULT SYSDATE(), c NUMBER DEFAULT -1,
                        d NUMBER AUTOINCREMENT START 1 INCREMENT 1 NOORDER)
    """)
    assert [(one.default, one.nullable, one.counts) for one in columns] == [
        ("'it''s'", False, False),
        ("CURRENT_TIMESTAMP", True, False),
        ("-1", True, False),
        (None, True, True),
    ]


ROW = [Column("A", "VARCHAR", nullable=False, size=20, default="'x'"), Column("b", "VARIANT")]


@pytest.mark.parametrize(
    ("clause", "names", "done"),
    [
        ("ADD COLUMN C BINARY NOT NULL, D FLOAT", ["A", "b", "C", "D"], "SET NOT NULL"),
        ("ADD COLUMN IF NOT EXISTS A VARCHAR", ["A", "b"], ""),
        ("DROP COLUMN a;", ["b"], 'DROP COLUMN "A"'),
        ('RENAME COLUMN "b" TO body', ["A", "BODY"], 'RENAME COLUMN "b" TO "BODY"'),
        ("ALTER COLUMN a DROP NOT NULL", ["A", "b"], 'ALTER COLUMN "A" DROP NOT NULL'),
    ],
)
def test_columns_change_as_alter_table_says(clause: str, names: list[str], done: str) -> None:
    found = altered(f"ALTER TABLE db.s.t {clause}", ROW)
    assert found is not None
    clauses, columns = found
    assert [one.name for one in columns] == names
    assert "".join(clauses).endswith(done)


def test_what_changes_no_column_is_left_to_others_and_a_wrong_column_is_refused() -> None:
    assert altered("ALTER TABLE t SET ERROR_LOGGING = TRUE", ROW) is None
    for clause in ("DROP COLUMN nope", "ADD COLUMN A VARCHAR", "RENAME COLUMN b TO c"):
        with pytest.raises(ValueError, match="exist"):
            altered(f"ALTER TABLE t {clause}", ROW)


def test_options_of_a_table_are_switched_on_and_off() -> None:
    _, _, on = create_table("CREATE TABLE t (a VARCHAR)\nERROR_LOGGING = TRUE\nENABLE_SCHEMA_EVOLUTION = FALSE;")
    assert on == {"ERROR_LOGGING"}
    assert options("ALTER TABLE t SET ERROR_LOGGING = FALSE", on) == frozenset()
    assert options("ALTER TABLE a.b.t SET ENABLE_SCHEMA_EVOLUTION = TRUE;", on) == on | {"ENABLE_SCHEMA_EVOLUTION"}
    assert options("ALTER TABLE t SET COMMENT = 'x'", on) is None
    assert options("ALTER TABLE t ADD COLUMN b VARCHAR", on) is None


def test_an_iceberg_table_has_variant_from_version_3_on_and_no_timestamp_tz() -> None:
    iceberg = "CREATE ICEBERG TABLE t (a {}) CATALOG = 'SNOWFLAKE' BASE_LOCATION = 't/' ICEBERG_VERSION = {}"
    _, _, on = create_table(iceberg.format("VARIANT", 3))
    assert on == {ICEBERG}
    for kind, version in (("VARIANT", 2), ("TIMESTAMP_TZ", 3)):
        with pytest.raises(ValueError, match=f"Unsupported data type '{kind}' for iceberg tables"):
            create_table(iceberg.format(kind, version))

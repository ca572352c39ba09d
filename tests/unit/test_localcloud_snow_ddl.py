"""The local Snowflake reads the table that `evsup init --target` prints, and refuses what it does not understand."""

from __future__ import annotations

import pytest

from scripts.localcloud.snow.column import Column
from scripts.localcloud.snow.ddl import create_table


def test_names_fold_and_types_keep_their_sizes() -> None:
    name, columns = create_table("""
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
        Column("AT", "TIMESTAMP_TZ"),
    ]


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("CREATE VIEW v AS SELECT 1", "not a CREATE TABLE"),
        ("CREATE TABLE t (a GEOGRAPHY)", "unsupported type"),
        ("CREATE TABLE t (a NUMBER(39,0))", "precision"),
        ("CREATE TABLE t (a VARCHAR, A VARCHAR)", "same name"),
        ("CREATE TABLE t (a VARCHAR DEFAULT 'x')", "unsupported clause of column a"),
        ("CREATE TABLE t (a VARCHAR) CLUSTER BY (a)", "CREATE TABLE|unsupported"),
    ],
)
def test_what_is_not_understood_is_refused(statement: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        create_table(statement)

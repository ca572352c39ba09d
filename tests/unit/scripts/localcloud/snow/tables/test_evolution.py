"""A local table with ENABLE_SCHEMA_EVOLUTION gets columns as Snowflake's release note says."""

from scripts.localcloud.snow.tables.column import column
from scripts.localcloud.snow.tables.evolution import MOST_COLUMNS, Evolution
from scripts.localcloud.snow.tables.warehouse import Table

TABLE = Table("DB", "SCHEMA", "T", (column("N", "NUMBER", nullable=False), column("Name", "VARCHAR")))


def test_a_field_without_a_column_becomes_one_of_its_type_in_capitals() -> None:
    body = b'{"n":1,"NAME":"x","text":null,"o":{"a":1}}\n\n{"N":2,"text":"t","f":1.5,"b":true,"i":7}'
    table, clauses = Evolution().evolved(TABLE, body, 0.0)
    added = {one.name: one.type for one in table.columns[2:]}
    assert added == {
        "O": "VARIANT",
        "TEXT": "VARCHAR(16777216)",
        "F": "FLOAT",
        "B": "BOOLEAN",
        "I": "NUMBER(38,0)",
    }
    assert len(clauses) == len(added)


def test_not_null_goes_where_a_row_has_no_value() -> None:
    assert not Evolution().evolved(TABLE, b'{"n":1}', 0.0)[0].columns[0].nullable
    for body in (b"{}", b'{"n":null}'):
        table, clauses = Evolution().evolved(TABLE, body, 0.0)
        assert table.columns[0].nullable
        assert clauses == ['ALTER COLUMN "N" DROP NOT NULL']


def test_one_load_adds_so_many_columns_and_no_more() -> None:
    body = b"{" + b",".join(b'"k%d":1' % number for number in range(MOST_COLUMNS + 5)) + b',"n":1}'
    assert len(Evolution().evolved(TABLE, body, 0.0)[1]) == MOST_COLUMNS


def test_a_delay_counts_from_the_first_field() -> None:
    late = Evolution(delay_s=3.0)
    assert [len(late.evolved(TABLE, b'{"n":1,"k":1}', now_s)[1]) for now_s in (0.0, 2.9, 3.0)] == [0, 0, 1]

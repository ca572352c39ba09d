"""Rows are checked against their columns: what fits is stored as it is, what does not is counted and explained."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from scripts.localcloud.snow.http.refusal import Refusal
from scripts.localcloud.snow.tables.column import BinaryFormat, LoadOptions, column
from scripts.localcloud.snow.tables.warehouse import Table, Warehouse

TABLE = Table(
    "DB",
    "PUBLIC",
    "T",
    (
        column("K", "NUMBER(38,0)", nullable=False),
        column("V", "VARIANT"),
        column("S", "VARCHAR(3)"),
        column("F", "FLOAT"),
        column("B", "BOOLEAN"),
        column("AT", "TIMESTAMP_TZ"),
        column("RAW", "BINARY(9)"),
    ),
)


@pytest.fixture
def warehouse() -> Iterator[Warehouse]:
    opened = Warehouse()
    opened.create(TABLE)
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ({}, "NULL result in a non-nullable column: K"),
        ({"K": None}, "NULL result in a non-nullable column: K"),
        ({"K": "seven"}, 'Failed to cast variant value "seven" to FIXED, column K'),
        ({"K": 10**38}, "to FIXED, column K"),
        ({"K": {"a": 1}}, 'value {"a":1} to FIXED, column K'),
        ({"K": 1, "S": "four"}, "String 'four' is too long and would be truncated, column S"),
        ({"K": 1, "F": "x"}, 'Failed to cast variant value "x" to REAL, column F'),
        ({"K": 1, "B": "perhaps"}, 'Failed to cast variant value "perhaps" to BOOLEAN, column B'),
        ({"K": 1, "AT": "2026-13-01"}, 'value "2026-13-01" to TIMESTAMP_TZ, column AT'),
        ({"K": 1, "AT": "infinity"}, 'value "infinity" to TIMESTAMP_TZ, column AT'),
        ({"K": 1, "RAW": "%%"}, 'Failed to cast variant value "%%" to BINARY, column RAW'),
        ({"K": 1, "RAW": "QUJD" * 5}, "Binary value is too long and would be truncated, column RAW"),
    ],
)
def test_a_row_that_does_not_fit_is_skipped_with_its_reason(
    warehouse: Warehouse, row: dict[str, object], complaint: str
) -> None:
    good = {"K": 1}
    loaded = warehouse.load(TABLE, b"\n\n".join(json.dumps(one).encode() for one in (good, row, good)))
    assert (loaded.parsed, loaded.inserted, loaded.errors) == (3, 2, 1)
    assert loaded.complaint is not None
    assert complaint in loaded.complaint


@pytest.mark.parametrize(
    ("form", "text", "stored"),
    [
        ("BASE64", "AP8=", "00FF"),
        ("HEX", "00fF", "00FF"),
        ("UTF-8", "é", "C3A9"),
        ("BASE64", "00fg", "D347E0"),
        ("HEX", "AP8=", None),
        ("HEX", "0", None),
        ("UTF-8", "AP8=", "4150383D"),
    ],
)
def test_the_text_of_a_binary_column_is_read_as_the_pipe_says(
    warehouse: Warehouse, form: BinaryFormat, text: str, stored: str | None
) -> None:
    loaded = warehouse.load(TABLE, json.dumps({"K": 1, "RAW": text}).encode(), LoadOptions(form))
    assert loaded.errors == (stored is None)
    assert warehouse.query("SELECT raw FROM t", "DB", "PUBLIC").rows == ([[stored]] if stored else [])


@pytest.mark.parametrize("line", [b'{"K": 1', b"[1]", b'{"K": 1, "S": "\xff"}', b'{"K": 1, "S": "\\ud800"}'])
def test_a_line_that_is_no_json_object_is_skipped(warehouse: Warehouse, line: bytes) -> None:
    loaded = warehouse.load(TABLE, line + b'\n{"K": 2}\n')
    assert (loaded.parsed, loaded.inserted) == (2, 1)
    assert loaded.complaint is not None
    assert loaded.complaint.startswith("Error parsing JSON")


@pytest.mark.parametrize(
    "document",
    ['{"a":1,"a":2}', "123456789012345678901234567890", "1e400", '"\\u0000"', '"null"', "[]", '{"é":"\U0001f600"}'],
)
def test_a_variant_keeps_its_json(warehouse: Warehouse, document: str) -> None:
    warehouse.load(TABLE, f'{{"K":1,"V":{document}}}'.encode())
    ((stored,),) = warehouse.query("SELECT v FROM t", "DB", "PUBLIC").rows
    assert json.loads(stored, object_pairs_hook=list) == json.loads(document, object_pairs_hook=list)


def test_columns_match_by_name_without_regard_to_case_in_each_row(warehouse: Warehouse) -> None:
    warehouse.load(TABLE, b'{"k":1,"v":{"x":1},"other":2}\n{"K":2,"V":null}\n{"v":"y","K":3}')
    assert warehouse.query("SELECT k, v FROM t ORDER BY k", "DB", "PUBLIC").rows == [
        [1, '{"x":1}'],
        [2, "null"],
        [3, '"y"'],
    ]


def test_a_pipe_that_regards_case_takes_the_spelling_of_the_column_alone(warehouse: Warehouse) -> None:
    lines = b'{"K": 1, "S": "a"}\n{"K": 2, "s": "b"}'
    warehouse.load(TABLE, lines, LoadOptions(is_case_sensitive=True))
    assert warehouse.query("SELECT k, s FROM t ORDER BY k", "DB", "PUBLIC").rows == [[1, "a"], [2, None]]


def test_a_column_that_rows_spell_differently_is_read_with_the_type_of_each_value(warehouse: Warehouse) -> None:
    loaded = warehouse.load(
        TABLE, b'{"K":1,"B":true}\n{"K":2,"b":"no"}\n{"K":3,"b":null}\n{"K":4,"b":0}\n{"K":5,"b":"0"}'
    )
    assert (loaded.inserted, loaded.errors) == (4, 1)
    assert warehouse.query("SELECT k, b FROM t ORDER BY k", "DB", "PUBLIC").rows == [
        [1, True],
        [2, False],
        [3, None],
        [5, False],
    ]


@pytest.mark.parametrize(("given", "stored"), [('"V":null,', "null"), ('"v":null,', "null"), ("", None)])
def test_a_null_in_a_variant_is_a_json_null_and_an_absent_key_is_null(
    warehouse: Warehouse, given: str, stored: str | None
) -> None:
    warehouse.load(TABLE, f'{{{given}"K":1,"S":null}}'.encode())
    assert warehouse.query("SELECT v, s FROM t", "DB", "PUBLIC").rows == [[stored, None]]


@pytest.mark.parametrize("sql", ["DROP TABLE t", "SELECT 1; SELECT 2", "INSERT INTO t VALUES (1)", "SELEC"])
def test_a_query_only_reads(warehouse: Warehouse, sql: str) -> None:
    with pytest.raises(Refusal):
        warehouse.query(sql, "DB", "PUBLIC")


def test_a_table_that_logs_errors_keeps_each_rejected_row_with_its_reason(warehouse: Warehouse) -> None:
    logging = replace(TABLE, name="L", options=frozenset({"ERROR_LOGGING"}))
    warehouse.create(logging)
    loaded = warehouse.load(logging, b'{"K": "x"}\n{"K": 1}\n\n{"K": 2, "S": "four"}')
    assert [json.loads(row) for row, _ in loaded.rejected] == [{"K": "x"}, {"K": 2, "S": "four"}]
    assert [reason.rpartition(" ")[2] for _, reason in loaded.rejected] == ["K", "S"]
    assert loaded.complaint == loaded.rejected[0][1]
    warehouse.log_errors(logging, loaded.rejected, {"channel_name": "C"})
    found = warehouse.query(
        "SELECT ERROR_DATA ->> 'K', ERROR_METADATA ->> '$.details.channel_name' FROM \"L$ERRORS\"", "DB", "PUBLIC"
    )
    assert found.rows == [["x", "C"], ["2", "C"]]

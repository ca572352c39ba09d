"""The type for a key is one that holds all its values; a column of another type is a warning with the fix."""

import re
from pathlib import Path
from typing import get_args

import pytest

from shared.ipc.messages import KeyShape, ValueKind
from supervisor.target.columns import StoredColumn
from supervisor.target.key_types import column_type, type_misfits

PAGE = Path(__file__).parents[4] / "docs" / "target-table.md"
TABLE = '"EVENTS"."PUBLIC"."FLIGHTS"'


def shape(*kinds: ValueKind, characters: int = 0, digits: int = 0, scale: int = 0) -> KeyShape:
    return KeyShape(
        key="k", kinds=dict.fromkeys(kinds, 1), most_characters=characters, most_digits=digits, most_scale=scale
    )


@pytest.mark.parametrize(
    ("kinds", "kind"),
    [
        (["boolean"], "BOOLEAN"), (["boolean", "null"], "BOOLEAN"), (["0 or 1"], "NUMBER(38,0)"),
        (["0 or 1", "integer"], "NUMBER(38,0)"), (["integer", "number"], "FLOAT"), (["text"], "VARCHAR"),
        (["number as text"], "VARCHAR"), (["date"], "DATE"), (["time"], "TIME"), (["time with an offset"], "VARCHAR"),
        (["timestamp"], "TIMESTAMP_NTZ"), (["timestamp with an offset", "null"], "TIMESTAMP_TZ"),
        (["timestamp", "timestamp with an offset"], "VARCHAR"), (["date", "text"], "VARCHAR"),
        (["object"], "VARIANT"), (["array"], "VARIANT"), (["integer", "text"], "VARIANT"),
        (["boolean", "integer"], "VARIANT"), (["null"], "VARIANT"), ([], "VARIANT"),
    ],
)  # fmt: skip
def test_a_column_is_proposed_that_holds_every_value(kinds: list[ValueKind], kind: str) -> None:
    assert column_type(shape(*kinds)) == kind


def test_numbers_that_a_float_would_round_have_a_variant() -> None:
    assert column_type(shape("integer", "number", digits=15, scale=20)) == "FLOAT"
    assert column_type(shape("integer", "number", digits=16)) == "VARIANT"


def misfits(stored: str, found: KeyShape) -> list[tuple[str, str]]:
    return [(each.problem, each.fix) for each in type_misfits(StoredColumn("K", stored), found, TABLE)]


@pytest.mark.parametrize(
    ("stored", "found", "effect", "fix"),
    [
        ("BOOLEAN", shape("0 or 1"), "is the number 0 or 1: Snowflake rejects the row", "NUMBER(38,0)"),
        ("BOOLEAN", shape("text"), "unless it is true, false, yes, no", "VARCHAR"),
        ("TIME(9)", shape("time with an offset"), "a time with an offset: Snowflake rejects the row", "VARCHAR"),
        ("TIMESTAMP_NTZ(9)", shape("integer"), "Snowflake shows it on the clock of the account's", "NUMBER"),
        ("TIMESTAMP_NTZ(9)", shape("timestamp with an offset"), "drops the offset", "TIMESTAMP_TZ"),
        ("TIMESTAMP_TZ(9)", shape("timestamp"), "takes the time zone of the account", "TIMESTAMP_NTZ"),
        ("TIMESTAMP_LTZ(9)", shape("date"), "takes the time zone of the account", "DATE"),
        ("DATE", shape("timestamp"), "keeps the date and drops the time", "TIMESTAMP_NTZ"),
        ("BINARY(8388608)", shape("text"), "gives other bytes or rejects", "VARCHAR"),
        ("VARCHAR(3)", shape("text", characters=4), "text of 4 characters: Snowflake rejects", "DATA TYPE VARCHAR;"),
        ("VARCHAR(3) COLLATE 'de'", shape("text", characters=4), "4 characters", "DATA TYPE VARCHAR COLLATE 'de';"),
        ("NUMBER(5,2)", shape("integer", digits=4), "4 digits before the point: Snowflake rejects", "NUMBER(38,2);"),
        ("NUMBER(38,0)", shape("number", digits=1, scale=3), "3 digits behind the point: Snowflake rounds", "FLOAT"),
        ("NUMBER(38,0)", shape("text"), "has a value that is text: Snowflake rejects the row", "VARCHAR"),
        ("NUMBER(38,0)", shape("object"), "an object: Snowflake rejects the row", "VARIANT"),
        ("FLOAT", shape("integer", digits=16), "a number of 16 digits: Snowflake rounds it", "NUMBER(38,0)"),
        ("ARRAY", shape("object"), "wraps it into an array", "VARIANT"),
        ("OBJECT", shape("array"), "Snowflake rejects the row", "VARIANT"),
    ],
)  # fmt: skip
def test_a_trap_is_named_with_column_key_kind_of_value_and_fix(
    stored: str, found: KeyShape, effect: str, fix: str
) -> None:
    [(problem, statement)] = misfits(stored, found)
    assert problem.startswith(f"K is {stored}, and the key 'k' has ")
    assert effect in problem
    assert statement.startswith(f"ALTER TABLE {TABLE}")
    assert fix in statement


@pytest.mark.parametrize(
    ("stored", "found"),
    [
        ("VARIANT", shape("text", "object", "0 or 1")), ("BOOLEAN", shape("boolean", "null")),
        ("NUMBER(38,0)", shape("integer", "number as text", digits=38)),
        ("FLOAT", shape("number", digits=9, scale=20)),
        ("VARCHAR(16777216)", shape("text", "object", "integer", characters=9)), ("TIME(9)", shape("time")),
        ("TIMESTAMP_TZ(9)", shape("timestamp with an offset", "integer")), ("DATE", shape("date")),
        ("TIMESTAMP_NTZ(9)", shape("timestamp", "date")), ("ARRAY", shape("array")), ("GEOGRAPHY", shape("object")),
    ],
)  # fmt: skip
def test_values_that_are_stored_as_they_are_are_no_warning(stored: str, found: KeyShape) -> None:
    assert misfits(stored, found) == []


def test_the_page_names_the_types_that_change_a_value() -> None:
    _, _, section = PAGE.read_text().partition("## Values that a column changes")
    rows = [line.split("|")[1::2] for line in section.splitlines() if line.startswith("| `")]
    said = {name for cell, effect in rows if "rejects the row" not in effect for name in re.findall("`([A-Z_]+)", cell)}
    anything = shape(*get_args(ValueKind), characters=99, digits=16, scale=9)
    types = ["BOOLEAN", "NUMBER(5,2)", "FLOAT", "BINARY", "VARCHAR(3)", "DATE", "TIME", "ARRAY", "OBJECT", "VARIANT"]
    types += ["TIMESTAMP_NTZ", "TIMESTAMP_TZ", "TIMESTAMP_LTZ"]
    changing = {each for each in types if any(": Snowflake rejects" not in why for why, _ in misfits(each, anything))}
    assert {each.partition("(")[0] for each in changing} == said | {"BINARY"}, "BINARY does either"

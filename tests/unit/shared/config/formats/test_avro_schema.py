"""A schema is what Avro's specification says that it is, and one that is none is refused with its place and a fix."""

import json
from pathlib import Path
from typing import Any

import pytest

from shared.config.formats.avro_schema import (
    DEEPEST,
    LARGEST_INT,
    MOST_BYTES,
    Array,
    Enum,
    Fixed,
    Logical,
    Map,
    Primitive,
    Record,
    Reference,
    Union,
    parse,
    schema_problem,
)

INT, LONG = Primitive("int"), Primitive("long")


def record(*fields: Any, **more: Any) -> dict[str, Any]:
    return {"type": "record", "name": "R", "fields": list(fields), **more}


def field(name: Any, kind: Any = "int", **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, **more}


def enum(*symbols: Any, **more: Any) -> dict[str, Any]:
    return {"type": "enum", "name": "E", "symbols": list(symbols), **more}


def fixed(size: Any, **more: Any) -> dict[str, Any]:
    return {"type": "fixed", "name": "F", "size": size, **more}


VALID: list[tuple[Any, Any]] = [
    *((name, Primitive(name)) for name in ("null", "boolean", "int", "long", "float", "double", "bytes", "string")),
    ({"type": "string", "avro.java.string": "String"}, Primitive("string")),
    ({"type": {"type": "string", "avro.java.string": "String"}}, Primitive("string")),
    ({"type": ["null", "int"]}, Union([Primitive("null"), INT])),
    (["null", "int"], Union([Primitive("null"), INT])),
    ([], Union([])),
    ({"type": "array", "items": "int"}, Array(INT)),
    ({"type": "map", "values": ["int", "long"]}, Map(Union([INT, LONG]))),
    (enum("A", "B", doc="text", aliases=["Old"]), Enum("E", ["A", "B"])),
    (fixed(16), Fixed("F", 16)),
    (fixed(0), Fixed("F", 0)),
    (record(), Record("R", ())),
    (record(field("a"), field("b", "long")), Record("R", (("a", INT), ("b", LONG)))),
    ({"type": "error", "name": "X", "fields": []}, Record("X", ())),
    (record(field("größe_1")), Record("R", (("größe_1", INT),))),
    # A type that is known is named, also within itself.
    (
        record(field("next", ["null", "R"])),
        Record("R", (("next", Union([Primitive("null"), Reference("R")])),)),
    ),
    (
        record(field("a", fixed(2)), field("b", {"type": "F"})),
        Record("R", (("a", Fixed("F", 2)), ("b", Reference("F")))),
    ),
    # Names of a namespace, of another one, and of none.
    (
        record(field("a", enum("A")), field("b", "E"), field("c", "n.E"), namespace="n"),
        Record("n.R", (("a", Enum("n.E", ["A"])), ("b", Reference("n.E")), ("c", Reference("n.E")))),
    ),
    (
        record(field("a", enum("A", namespace="m")), field("b", "m.E"), namespace="n"),
        Record("n.R", (("a", Enum("m.E", ["A"])), ("b", Reference("m.E")))),
    ),
    (
        record(field("a", enum("A", namespace="")), field("b", "E"), namespace="n"),
        Record("n.R", (("a", Enum("E", ["A"])), ("b", Reference("E")))),
    ),
    (enum("A", name="n.m.E", namespace="ignored"), Enum("n.m.E", ["A"])),
    (enum("A", namespace=None), Enum("E", ["A"])),
    (enum("A", name="n.int"), Enum("n.int", ["A"])),
    (enum("A", name="a-b.E"), Enum("a-b.E", ["A"])),
    (
        record(field("a", enum("A")), namespace="com.Outer$"),
        Record("com.Outer$.R", (("a", Enum("com.Outer$.E", ["A"])),)),
    ),
    # What a reader does not need is not looked at.
    (record(field("a", default="no number", order="sideways", aliases=7)), Record("R", (("a", INT),))),
    (record(field("a", ["int", "null"], default=None)), Record("R", (("a", Union([INT, Primitive("null")])),))),
]

STRANGE: list[Any] = [None, 1, 1.5, True, [], {}, ["date"]]
LOGICAL: list[tuple[dict[str, Any], Logical | None]] = [
    ({"type": "int", "logicalType": "date"}, Logical("date")),
    ({"type": "long", "logicalType": "of-somebody"}, Logical("of-somebody")),
    ({"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}, Logical("decimal", 9, 2)),
    ({"type": "bytes", "logicalType": "decimal", "precision": 9}, Logical("decimal", 9, 0)),
    (fixed(8, logicalType="decimal", precision=18, scale=18), Logical("decimal", 18, 18)),
    # Avro asks to ignore what is invalid.
    *(({"type": "int", "logicalType": strange}, None) for strange in STRANGE),
    *(
        ({"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale}, None)
        for precision, scale in (
            (0, 0),
            (-1, 0),
            (2, 3),
            (2, -1),
            (2.5, 0),
            ("9", 0),
            (True, 0),
            (9, True),
            (9, "2"),
            (9, None),
            (LARGEST_INT + 1, 0),
            (10**30, 10**30),
        )
    ),
    ({"type": "bytes", "logicalType": "decimal"}, None),
    (fixed(8, logicalType="decimal", precision=19), None),
    (fixed(0, logicalType="decimal", precision=1), None),
]

DEEP: Any = "int"
for _ in range(DEEPEST):
    DEEP = {"type": "array", "items": DEEP}

INVALID: list[tuple[Any, str, str]] = [
    (None, "there is no type", "$"),
    (1, "there is no type", "$"),
    ({}, "there is no type", "$"),
    ({"type": None}, "there is no type", "$.type"),
    ({"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object"}, "'object' is not known", "$.type"),
    ("nothing", "the type 'nothing' is not known", "$"),
    (record(field("a", "Later"), field("b", enum("A", name="Later"))), "'Later' is not known", "$.fields[0].type"),
    ({"type": "array"}, '"items" is missing', "$"),
    ({"type": "map"}, '"values" is missing', "$"),
    ({"type": "record", "name": "R"}, '"fields" is missing', "$"),
    ({"type": "record", "fields": []}, '"name" is missing', "$"),
    (record(1), "a field is no object", "$.fields[0]"),
    ({"type": "record", "name": "R", "fields": "text"}, "the fields of a record are no list", "$.fields"),
    (record({"type": "int"}), '"name" is missing', "$.fields[0]"),
    (record({"name": "a"}), '"type" is missing', "$.fields[0]"),
    (record(field("a"), field("b"), field("a", "long")), "the record 'R' has the field 'a' twice", "$.fields[2]"),
    (
        record(field("x", {"type": "array", "items": record(field("a"), field("a"), name="In")})),
        "the record 'In' has the field 'a' twice",
        "$.fields[0].type.items.fields[1]",
    ),
    *((record(field(name)), "is no name", "$.fields[0].name") for name in ("", "1a", "a-b", "a b", "a.b", "a\0")),
    *((record(name=name), "is no name", "$.name") for name in ("", "R.", "n.1", "dr. spaceman")),
    (record(field(["a"])), "a name is no text", "$.fields[0].name"),
    (record(name={"a": 1}), "a name is no text", "$.name"),
    (record(namespace=7), "a namespace is no text", "$.namespace"),
    (enum("A", name="int"), "the name 'int' is taken by another type", "$.name"),
    (record(field("a", record())), "the name 'R' is taken by another type", "$.fields[0].type.name"),
    ([fixed(1), enum("A", name="F")], "the name 'F' is taken by another type", "$[1].name"),
    (enum("A", "A"), "an enum has a symbol twice", "$.symbols"),
    *((enum(symbol), "no list of names", "$.symbols") for symbol in ("", "white space", 1, None)),
    ({"type": "enum", "name": "E", "symbols": "A B"}, "no list of names", "$.symbols"),
    *((fixed(size), "no number of bytes", "$.size") for size in (-2, 1.5, "1", True, None, LARGEST_INT + 1)),
    (["null", "null"], "a union has the type 'null' twice", "$[1]"),
    (["int", {"type": "int", "logicalType": "date"}], "a union has the type 'int' twice", "$[1]"),
    ([{"type": "map", "values": "int"}, {"type": "map", "values": "long"}], "a union has the type map twice", "$[1]"),
    (record(field("a", ["R", "R"])), "a union has the type 'R' twice", "$.fields[0].type[1]"),
    (["null", ["int"]], "a union is directly within a union", "$[1]"),
    (DEEP, "the types are nested too deep", "$…"),
    ("n" * 10_000, "the type 'nnnnn", "$"),
]


@pytest.mark.parametrize(("schema", "expected"), VALID)
def test_a_valid_schema_is_its_types(schema: Any, expected: Any) -> None:
    assert parse(json.dumps(schema)) == expected


@pytest.mark.parametrize(("schema", "expected"), LOGICAL)
def test_a_logical_type_that_is_invalid_is_ignored(schema: dict[str, Any], expected: Logical | None) -> None:
    found = parse(json.dumps(schema))
    assert isinstance(found, Primitive | Fixed)
    assert found.logical == expected


@pytest.mark.parametrize(("schema", "what", "place"), INVALID)
def test_what_is_no_schema_is_refused_with_its_place_and_a_fix(schema: Any, what: str, place: str) -> None:
    with pytest.raises(ValueError, match=r" \(\$.*\): ") as refused:
        parse(json.dumps(schema))
    text = str(refused.value)
    assert what in text
    assert f"({place}" in text
    assert len(text) < 300


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is no JSON"),
        ("{", "it is no JSON"),
        ("True", "it is no JSON"),
        ('"\xff', "it is no JSON"),
        ("[" * 10_000 + "]" * 10_000, "it is nested too deep"),
        (json.dumps("x" * MOST_BYTES), f"it is larger than {MOST_BYTES} bytes"),
    ],
)
def test_what_cannot_be_read_at_all_says_so(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse(text)


def test_a_number_of_any_length_ends_nothing() -> None:
    with pytest.raises(ValueError, match=r"it is no JSON|no number of bytes"):
        parse('{"type": "fixed", "name": "F", "size": ' + "1" * 100_000 + "}")


def test_a_file_is_read_also_with_a_byte_order_mark(tmp_path: Path) -> None:
    file = tmp_path / "a.avsc"
    file.write_text('\ufeff"long"')
    assert schema_problem(str(file)) is None
    file.write_text(json.dumps(record(field("a"), field("a"))))
    assert schema_problem(str(file)) == (
        "is no Avro schema: the record 'R' has the field 'a' twice ($.fields[1]): rename one"
    )
    assert "there is no such file" in (schema_problem(str(tmp_path / "b.avsc")) or "")

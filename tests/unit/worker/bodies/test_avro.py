"""Avro bodies become JSON by documented rules, and whatever is not Avro of its schema is refused."""

import base64
import io
import json
import math
import tracemalloc
from collections.abc import Sequence
from contextlib import suppress
from datetime import date, datetime, time, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.config.formats.avro_schema import parse
from worker.bodies import avro
from worker.bodies.avro import AvroSchema
from worker.bodies.payload import NotPayload

NODE = {"type": "record", "name": "Node", "fields": [{"name": "next", "type": ["null", "Node"]}]}


def record(*fields: tuple[str, Any], name: str = "R") -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": [{"name": name, "type": kind} for name, kind in fields]}


def logical(kind: str, logical_type: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "logicalType": logical_type, **more}


def encoded(schema: Any, value: Any) -> bytes:
    """As the producers' libraries write it."""
    file = io.BytesIO()
    fastavro.schemaless_writer(file, fastavro.parse_schema(schema), value)
    return file.getvalue()


def read(schema: Any, body: bytes) -> Any:
    return json.loads(AvroSchema(parse(json.dumps(schema))).json(body), parse_float=Decimal)


PLAIN: Sequence[tuple[Any, Any, Any]] = [
    ("null", None, None),
    ("boolean", True, True),
    ("boolean", False, False),
    ("int", -(2**31), -(2**31)),
    ("long", 2**63 - 1, 2**63 - 1),
    ("long", -(2**63), -(2**63)),
    ("float", 1.5, Decimal("1.5")),
    ("double", 0.1, Decimal("0.1")),
    ("double", math.nan, "nan"),
    ("float", -math.inf, "-inf"),
    ("string", "é😀", "é😀"),
    ("bytes", b"\xff\x00text", base64.b64encode(b"\xff\x00text").decode()),
    ({"type": "fixed", "name": "F", "size": 3}, b"abc", "YWJj"),
    ({"type": "enum", "name": "E", "symbols": ["A", "B"]}, "B", "B"),
    ({"type": "array", "items": "int"}, [1, 2, 3], [1, 2, 3]),
    ({"type": "array", "items": "int"}, [], []),
    ({"type": "array", "items": "null"}, [None, None], [None, None]),
    ({"type": "array", "items": {"type": "fixed", "name": "F0", "size": 0}}, [b"", b""], ["", ""]),
    ({"type": "map", "values": "long"}, {"a": 1, "é": 2}, {"a": 1, "é": 2}),
    (["null", "int", "string"], "s", "s"),
    (["null", "int", "string"], None, None),
    (record(("a", "int"), ("b", ["null", "string"])), {"a": 1, "b": None}, {"a": 1, "b": None}),
    (record(), {}, {}),
    (NODE, {"next": {"next": None}}, {"next": {"next": None}}),
    ({"type": "error", "name": "X", "fields": [{"name": "a", "type": "int"}]}, {"a": 1}, {"a": 1}),
]
LOGICAL: Sequence[tuple[Any, Any, Any]] = [
    (logical("bytes", "decimal", precision=9, scale=2), Decimal("-1234.50"), Decimal("-1234.50")),
    (logical("bytes", "decimal", precision=9, scale=2), Decimal("0.05"), Decimal("0.05")),
    (logical("bytes", "decimal", precision=5), Decimal(12345), 12345),
    (logical("bytes", "decimal", precision=38, scale=10), Decimal("0.0000000001"), Decimal("0.0000000001")),
    (logical("bytes", "decimal", precision=38), Decimal("9" * 38), int("9" * 38)),
    (logical("bytes", "decimal", precision=40), Decimal("9" * 39), "9" * 39),
    (logical("fixed", "decimal", name="D", size=8, precision=9, scale=3), Decimal("1.234"), Decimal("1.234")),
    (logical("bytes", "decimal", precision=38, scale=38), Decimal("0." + "1" * 38), "0." + "1" * 38),
    (logical("bytes", "decimal", precision=99, scale=39), Decimal("-1.5").scaleb(-38), "-15E-39"),
    (logical("bytes", "decimal", precision=99, scale=99), Decimal(0), "0E-99"),
    (logical("int", "date"), date(2024, 5, 2), "2024-05-02"),
    (logical("int", "time-millis"), time(9, 30, 0, 250_000), "09:30:00.250000"),
    (logical("long", "time-micros"), time(9, 30, 0, 1), "09:30:00.000001"),
    (logical("long", "timestamp-millis"), datetime(2024, 5, 2, 9, tzinfo=timezone.utc), "2024-05-02T09:00:00Z"),  # noqa: UP017
    (
        logical("long", "timestamp-micros"),
        datetime(2024, 5, 2, 9, 0, 0, 1, tzinfo=timezone.utc),  # noqa: UP017
        "2024-05-02T09:00:00.000001Z",
    ),
    (logical("long", "timestamp-nanos"), 1, "1970-01-01T00:00:00.000000001Z"),
    (logical("long", "local-timestamp-millis"), datetime(2024, 5, 2, 9), "2024-05-02T09:00:00"),  # noqa: DTZ001
    (logical("long", "local-timestamp-micros"), datetime(2024, 5, 2, 9), "2024-05-02T09:00:00"),  # noqa: DTZ001
    (logical("long", "local-timestamp-nanos"), 2, "1970-01-01T00:00:00.000000002"),
    (logical("string", "uuid"), UUID(int=7), str(UUID(int=7))),
    (logical("fixed", "uuid", name="U", size=16), UUID(int=7).bytes, str(UUID(int=7))),
    (
        logical("fixed", "duration", name="L", size=12),
        b"\x01\0\0\0\x02\0\0\0" + (90_000_500).to_bytes(4, "little"),
        "P1M2DT90000.5S",
    ),
    (logical("fixed", "duration", name="L", size=12), bytes(12), "PT0S"),
]
OUT_OF_RANGE: Sequence[tuple[Any, int]] = [
    (logical("int", "date"), 2**31 - 1),
    (logical("int", "time-millis"), 86_400_000),
    (logical("long", "time-micros"), -1),
    (logical("long", "timestamp-millis"), 2**63 - 1),
    (logical("long", "local-timestamp-micros"), -(2**63)),
    (logical("long", "of-somebody"), 5),
    (logical("int", "timestamp-millis"), 5),
]


@pytest.mark.parametrize(("schema", "value", "expected"), [*PLAIN, *LOGICAL])
def test_each_type_becomes_json_by_its_rule(schema: Any, value: Any, expected: Any) -> None:
    assert read(schema, encoded(schema, value)) == expected


@pytest.mark.parametrize(("schema", "value", "expected"), [*PLAIN, *LOGICAL])
def test_each_type_has_the_same_rule_wherever_it_is(schema: Any, value: Any, expected: Any) -> None:
    item = record(("x", schema), ("y", "int"), name="Item")
    within = record(("a", {"type": "array", "items": item}), ("z", "int"), name="Outer")
    body = encoded(within, {"a": [{"x": value, "y": 8}], "z": 9})
    assert read(within, body) == {"a": [{"x": expected, "y": 8}], "z": 9}


@pytest.mark.parametrize(("schema", "number"), OUT_OF_RANGE)
def test_what_a_logical_type_has_no_text_for_stays_a_number(schema: Any, number: int) -> None:
    assert read(schema, encoded(schema["type"], number)) == number


def test_a_named_type_that_is_used_again_has_its_logical_type() -> None:
    decimal = logical("fixed", "decimal", name="D", size=4, precision=9, scale=2)
    schema = record(("a", decimal), ("b", "D"), ("c", {"type": "array", "items": "D"}))
    value = {"a": Decimal("1.10"), "b": Decimal("2.20"), "c": [Decimal("3.30")]}
    assert read(schema, encoded(schema, value)) == value


def test_names_are_found_in_their_namespaces() -> None:
    inner = {"type": "record", "name": "In", "fields": [{"name": "x", "type": "int"}]}
    schema = {
        "type": "record",
        "name": "Out",
        "namespace": "com.example",
        "fields": [{"name": "a", "type": inner}, {"name": "b", "type": "com.example.In"}, {"name": "c", "type": "In"}],
    }
    value = {"a": {"x": 1}, "b": {"x": 2}, "c": {"x": 3}}
    assert read(schema, encoded(schema, value)) == value


def test_blocks_may_say_their_size() -> None:
    assert read({"type": "array", "items": "int"}, b"\x03\x04\x02\x04\x02\x06\x00") == [1, 2, 3]
    assert read({"type": "map", "values": "int"}, b"\x01\x06\x02a\x02\x02\x02b\x04\x00") == {"a": 1, "b": 2}


# --- what is not Avro of its schema -----------------------------------------------------------------------------------

ANYTHING = [
    *("null", "boolean", "int", "float", "double", "bytes", "string", NODE),
    {"type": "array", "items": "Node"},
    {"type": "map", "values": ["null", logical("bytes", "decimal", precision=9, scale=2)]},
]


@pytest.mark.parametrize(("schema", "value", "expected"), [*PLAIN, *LOGICAL])
def test_a_body_that_is_cut_off_anywhere_is_refused(schema: Any, value: Any, expected: Any) -> None:
    whole = encoded(schema, value)
    for length in range(len(whole)):
        with pytest.raises(NotPayload, match="the body is not Avro of its schema"):
            read(schema, whole[:length])


@pytest.mark.parametrize(("schema", "value", "expected"), [*PLAIN, *LOGICAL])
def test_bytes_behind_the_value_are_refused(schema: Any, value: Any, expected: Any) -> None:
    whole = encoded(schema, value)
    with pytest.raises(NotPayload, match=rf"bytes are behind its end \(byte {len(whole)}\)"):
        read(schema, whole + b"\x00")


@pytest.mark.parametrize(
    ("schema", "body", "reason"),
    [
        (["null", "int"], b"\x01\x02", "no such branch"),
        (["null", "int"], b"\x04", "no such branch"),
        ({"type": "enum", "name": "E", "symbols": ["A", "B"]}, b"\x01", "no such symbol"),
        ({"type": "enum", "name": "E", "symbols": ["A", "B"]}, b"\x04", "no such symbol"),
        ("boolean", b"\x05", "neither true nor false"),
        ("long", b"\xff" * 12, "more than 10 bytes"),
        ("long", b"\xff" * 9 + b"\x02", "more than 64 bits"),
        ("string", b"\x03ab", "longer than the body"),
        ("string", b"\x04\xffa", "not UTF-8"),
        ("bytes", b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", "longer than the body"),
        ({"type": "array", "items": "int"}, b"\x0a\x02", "too early"),
        ({"type": "array", "items": "int"}, b"\xfe\xff\xff\xff\x0f\x02", "more than 2000000 values"),
        ({"type": "array", "items": "null"}, b"\xfe\xff\xff\xff\x0f\x00", "more than 2000000 values"),
        ({"type": "array", "items": record()}, b"\xfe\xff\xff\xff\x0f\x00", "more than 2000000 values"),
        ({"type": "map", "values": "null"}, b"\x04\x02a\x02a\x00", "a key twice"),
        (logical("bytes", "decimal", precision=9), b"\xa0\x1f" + bytes(2000), "too many digits"),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_its_place(schema: Any, body: bytes, reason: str) -> None:
    with pytest.raises(NotPayload, match=f"the body is not Avro of its schema: .*{reason}"):
        read(schema, body)


def doubled(depth: int) -> Any:
    """A record that takes no byte, and has two fields more with each level."""
    inner = record(("a", "null"), name="R0")
    for level in range(1, depth):
        inner = record(("a", inner), ("b", f"R{level - 1}"), name=f"R{level}")
    return inner


def test_values_are_bounded_because_few_bytes_can_be_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(avro, "MOST_VALUES", 1000)
    array = {"type": "array", "items": "boolean"}
    assert len(read(array, encoded(array, [True] * 1000))) == 1000
    for schema, body in (
        (array, encoded(array, [True] * 1001)),
        (array, (encoded("long", 1) + b"\x01") * 1001 + b"\x00"),
        ({"type": "map", "values": "null"}, encoded("long", 1001) + b"\x02a" * 1001),
        (record(("a", doubled(40)), ("b", "int")), b"\x00"),
    ):
        with pytest.raises(NotPayload, match=r"it has more than 1000 values"):
            read(schema, body)


NULLS = record(*((f"a_field_with_a_long_name_{number}", "null") for number in range(100)), name="Nulls")
MUCH_JSON: Sequence[tuple[Any, bytes]] = [
    (NULLS, b""),
    ({"type": "array", "items": NULLS}, encoded("long", 10_000) + b"\x00"),
    ({"type": "array", "items": "null"}, encoded("long", 1_000_000) + b"\x00"),
    ({"type": "array", "items": record(name="Empty")}, encoded("long", 1_000_000) + b"\x00"),
    ({"type": "array", "items": {"type": "fixed", "name": "F0", "size": 0}}, encoded("long", 1_000_000) + b"\x00"),
    ({"type": "array", "items": record(("n" * 100_000, "null"))}, encoded("long", 1000) + b"\x00"),
    (
        {"type": "array", "items": {"type": "enum", "name": "E", "symbols": ["s" * 100_000]}},
        encoded("long", 1000) + b"\x00" * 1001,
    ),
    (doubled(18), b""),
    ({"type": "array", "items": ["null", NULLS]}, encoded("long", 1000) + b"\x02" * 1000 + b"\x00"),
    ("string", encoded("string", "\x01" * 1000)),
    ("bytes", encoded("bytes", b"x" * 1000)),
]


@pytest.mark.parametrize(("schema", "body"), MUCH_JSON)
def test_json_is_bounded_because_few_bytes_can_be_much_of_it(schema: Any, body: bytes) -> None:
    tracemalloc.start()
    with pytest.raises(NotPayload, match=r"not Avro of its schema: more than 1000 bytes of JSON come out of it"):
        AvroSchema(parse(json.dumps(schema))).json(body, 1000)
    assert tracemalloc.get_traced_memory()[1] < 2_000_000, "it is refused before it is made"
    tracemalloc.stop()


@pytest.mark.parametrize("scale", [99, 10**6, 2**31 - 1])
def test_a_decimal_of_any_scale_is_a_short_text(scale: int) -> None:
    schema = logical("bytes", "decimal", precision=2**31 - 1, scale=scale)
    assert read(schema, b"\x02\x05") == f"5E-{scale}"


def test_a_value_that_is_as_deep_as_its_body_is_long_ends_nothing() -> None:
    with pytest.raises(NotPayload, match="nested too deep"):
        read(NODE, b"\x02" * 1_000_000 + b"\x00")


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    with suppress(NotPayload):
        read(ANYTHING, body)

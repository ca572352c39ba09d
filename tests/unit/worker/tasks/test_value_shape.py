"""What a value looks like is told by its JSON, and the value itself goes nowhere."""

import json

import msgspec
import pytest

from shared.ipc.frames import MAX_FRAME_BYTES, encode
from shared.ipc.messages import ValueKind
from worker.tasks.sample import LONGEST_KEY, MOST_KEYS, shapes
from worker.tasks.value_shape import KeyValues


def kind_of(raw: str) -> ValueKind:
    values = KeyValues("k")
    values.add(raw.encode())
    [kind] = values.shape().kinds
    return kind


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        ("null", "null"), ("true", "boolean"), ("false", "boolean"), ("{}", "object"), ("[1]", "array"),
        ("0", "0 or 1"), ("1", "0 or 1"), ("-1", "integer"), ("1769817600", "integer"), ("1" * 38, "integer"),
        ("1.5", "number"), ("-0.0", "number"), ("1e3", "number"),
        ('""', "text"), ('"gate"', "text"), ('"12"', "number as text"), ('"-1.5e3"', "number as text"),
        ('"2026-01-31"', "date"), ('"2026-02-31"', "text"), ('"20260131"', "number as text"),
        ('"2026-01-31T10:00:00"', "timestamp"), ('"2026-01-31 10:00"', "timestamp"),
        ('"2026-01-31T10:00:00.123456789Z"', "timestamp with an offset"),
        ('"2026-01-31 10:00:00 +0100"', "timestamp with an offset"),
        ('"2026-01-31T25:00:00Z"', "text"), ('"2026-01-31T10:00:00 UTC"', "text"),
        ('"10:30"', "time"), ('"10:30:00.5"', "time"), ('"10:30:00+01:00"', "time with an offset"), ('"25:00"', "text"),
        ('"\\u0032026-01-31"', "date"),
    ],
)  # fmt: skip
def test_a_value_is_of_the_kind_that_a_column_cares_about(raw: str, kind: ValueKind) -> None:
    assert kind_of(raw) == kind


def test_sizes_are_those_of_the_largest_value_and_no_value_is_kept() -> None:
    values = KeyValues("k")
    for raw in ('"secret"', '"s\\u00fc\\u00df"', "-1234", "0.12345", "null"):
        values.add(raw.encode())
    shape = values.shape()
    assert (shape.most_characters, shape.most_digits, shape.most_scale) == (6, 4, 5)
    assert shape.kinds == {"text": 2, "integer": 1, "number": 1, "null": 1}
    assert b"secret" not in msgspec.json.encode(shape)


def test_a_nought_before_the_point_is_no_digit_that_a_column_has_to_hold() -> None:
    values = KeyValues("k")
    values.add(b"-0.55")
    assert (values.shape().most_digits, values.shape().most_scale) == (0, 2)


def test_keys_of_objects_are_counted_and_other_bodies_are_not() -> None:
    sampled = shapes([b'{"a": 1, "b": {"c": 2}}', b"", b"[1]", b'{"a": "x"}', b"{}"])
    assert (sampled.events, sampled.objects) == (5, 3)
    assert [(shape.key, shape.kinds) for shape in sampled.keys] == [
        ("a", {"0 or 1": 1, "text": 1}),
        ("b", {"object": 1}),
    ]


def test_keys_of_any_number_and_length_fit_an_answer() -> None:
    new = [{f"{event} {key}": 1 for key in range(1000)} for event in range(20)]
    bodies = [json.dumps({"k" * 100_000: 1, **keys}).encode() for keys in new]
    sampled = shapes(bodies)
    assert len(sampled.keys) == MOST_KEYS
    [long] = [shape for shape in sampled.keys if len(shape.key) > 100]
    assert (long.key, long.kinds) == ("k" * LONGEST_KEY, {"0 or 1": 20})
    assert len(encode(sampled)) < MAX_FRAME_BYTES

"""Avro of any schema, as its producers' library writes it, is the JSON that another reading of the value is."""

import base64
import io
import json
import math
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, TypeAlias

import fastavro
from hypothesis import given
from hypothesis import strategies as st

from shared.config.formats.avro_schema import parse
from worker.bodies.avro import AvroSchema

Pair: TypeAlias = tuple[Any, Any]
"""A value as fastavro takes it, and what it is in JSON."""
Values: TypeAlias = "st.SearchStrategy[Pair]"
Draw: TypeAlias = Callable[["st.SearchStrategy[Any]"], Any]

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5)
NAMES = st.from_regex(r"\A[A-Za-z_][A-Za-z0-9_]{0,5}\Z")


def number(value: float) -> Any:
    return Decimal(repr(value)) if math.isfinite(value) else str(value)


def in_base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def each(values: "st.SearchStrategy[Any]", json_of: Callable[[Any], Any] = lambda value: value) -> Values:
    return values.map(lambda value: (value, json_of(value)))


PLAIN: dict[str, Values] = {
    "null": each(st.none()),
    "boolean": each(st.booleans()),
    "int": each(st.integers(-(2**31), 2**31 - 1)),
    "long": each(st.integers(-(2**63), 2**63 - 1)),
    "float": each(st.floats(width=32), number),
    "double": each(st.floats(), number),
    "bytes": each(st.binary(max_size=5), in_base64),
    "string": each(TEXTS),
}


def in_list(items: Sequence[Pair]) -> Pair:
    return [value for value, _ in items], [shown for _, shown in items]


def in_map(items: dict[str, Pair]) -> Pair:
    return {key: value for key, (value, _) in items.items()}, {key: shown for key, (_, shown) in items.items()}


def tagged(branch: str, item: Pair) -> Pair:
    """So that fastavro does not choose the branch of a union by the value."""
    return ((branch, item[0]) if branch != "null" else None), item[1]


def schema_of(draw: Draw, named: dict[str, Values], depth: int = 3) -> tuple[Any, Values]:
    """A schema and its values. What has a name may be used again, anywhere behind it."""
    match draw(st.sampled_from([*PLAIN, *named, "enum", "fixed", *["array", "map", "union", "record"][: 4 * depth]])):
        case "enum":
            symbols = draw(st.lists(NAMES, min_size=1, max_size=3, unique=True))
            schema = {"type": "enum", "symbols": symbols, "default": symbols[0], "aliases": ["Old"]}
            values = each(st.sampled_from(symbols))
        case "fixed":
            size = draw(st.integers(0, 3))
            schema, values = {"type": "fixed", "size": size}, each(st.binary(min_size=size, max_size=size), in_base64)
        case "array":
            inner, items = schema_of(draw, named, depth - 1)
            return {"type": "array", "items": inner}, st.lists(items, max_size=3).map(in_list)
        case "map":
            inner, items = schema_of(draw, named, depth - 1)
            return {"type": "map", "values": inner}, st.dictionaries(TEXTS, items, max_size=3).map(in_map)
        case "union":
            branches = draw(st.lists(st.sampled_from([*PLAIN, *named]), min_size=1, max_size=4, unique=True))
            known = PLAIN | named
            return branches, st.one_of([known[branch].map(partial(tagged, branch)) for branch in branches])
        case "record":
            names = draw(st.lists(NAMES, max_size=3, unique=True))
            fields = {name: schema_of(draw, named, depth - 1) for name in names}
            schema = {"type": "record", "fields": [{"name": name, "type": kind} for name, (kind, _) in fields.items()]}
            values = st.fixed_dictionaries({name: items for name, (_, items) in fields.items()}).map(in_map)
        case name:
            return name, (PLAIN | named)[name]
    named[name := f"Named{len(named)}"] = values
    return schema | {"name": name}, values


@given(st.data())
def test_any_value_of_any_schema_is_the_json_that_another_reading_of_it_is(data: st.DataObject) -> None:
    schema, values = schema_of(data.draw, {})
    value, expected = data.draw(values)
    file = io.BytesIO()
    fastavro.schemaless_writer(file, fastavro.parse_schema(schema), value)
    found = AvroSchema(parse(json.dumps(schema))).json(file.getvalue())
    assert json.loads(found, parse_float=Decimal) == expected

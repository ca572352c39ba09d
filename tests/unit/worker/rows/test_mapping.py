"""A mapper's mapping is the row, with what proves that the event is there once; all else that it does is a refusal."""

import inspect
import linecache
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from shared import mapper
from shared.errors import MapperFailed
from tests.unit.worker.rows import mappers
from tests.unit.worker.rows.events import event, line_of, message, properties
from worker.bodies.body_reader import BodyReader
from worker.rows.envelope import Envelope
from worker.rows.event import Event, refused
from worker.rows.mapping import RowMapper

PLACE = {"PARTITION_ID": "3", "SEQUENCE_NUMBER": 5, "OFFSET": "123", "ENQUEUED_TIME": "2023-11-14T22:13:20.123000Z"}
FULL = event(
    b'{"n": 1}',
    annotations={b"x-opt-partition-key": b"k", b"other": 1},
    application_properties={b"p": b"v"},
    properties=properties(content_type=b"application/json", message_id=b"m", correlation_id=b"r"),
)


def mapped(name: str, encoded: bytes = FULL, on_decode_error: Any = "keep") -> Event:
    """The event of a message through one of `mappers`."""
    rows = RowMapper(f"{mappers.__name__}:{name}")
    return Envelope("3", on_decode_error, BodyReader(), rows).event_of(encoded)


def refusal(name: str, encoded: bytes = FULL) -> str:
    """Why an event is refused, as a person reads it."""
    found = mapped(name, encoded)
    assert found.refusal
    error = refused("3", found, found.refusal)
    assert isinstance(error, MapperFailed)
    assert error.what == "Partition 3, event 5, offset 123: the mapper gives no row for it"
    return error.why


def seen(encoded: bytes) -> mapper.Event:
    mapped("remember", encoded)
    return mappers.remembered[-1]


def test_a_mapper_gets_all_that_is_known_of_an_event() -> None:
    found = seen(FULL)
    assert (found.value, found.body, found.decode_error) == ({"n": 1}, b'{"n": 1}', None)
    assert (found.partition_id, found.sequence_number, found.offset) == ("3", 5, "123")
    assert found.enqueued_time is not None
    assert found.enqueued_time.isoformat() == "2023-11-14T22:13:20.123000+00:00"
    assert (found.partition_key, found.content_type, found.message_id) == ("k", "application/json", "m")
    assert (found.correlation_id, found.properties, found.system_properties) == ("r", {"p": "v"}, {"other": 1})


@pytest.mark.parametrize(
    ("encoded", "value", "body", "decode_error"),
    [
        (event(b"not json"), None, b"not json", "JSON is malformed"),
        (event(b""), None, b"", None),
        (event(b"null"), None, b"null", None),
        (event(b'{"a":1}\n{"a":2}'), [{"a": 1}, {"a": 2}], b'{"a":1}\n{"a":2}', None),
        (message(value=b'{"a":1}'), {"a": 1}, None, None),
        (message(value={b"k": 1}), {"k": 1}, None, None),
        (event(b"[" + b"1," * 600_000 + b"1]"), [1] * 600_001, b"[" + b"1," * 600_000 + b"1]", None),
    ],
)
def test_a_mapper_gets_any_body(encoded: bytes, value: Any, body: bytes | None, decode_error: str | None) -> None:
    found = seen(encoded)
    assert (found.value, found.body) == (value, body)
    assert (found.decode_error or "").startswith(decode_error or "")
    assert (found.decode_error is None) == (decode_error is None)


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("one_column", {"PAYLOAD": {"m": 1}}),
        ("every_column", mappers.EVERY_COLUMN | {"RAW_BODY": "/wA="}),
        ("with_nulls", {"PAYLOAD": None}),
        ("nothing", {"PAYLOAD": None}),
        ("raw_body_alone", {"RAW_BODY": "/wA="}),
        ("raw_body_and_none", {"RAW_BODY": "/wA="}),
    ],
)
def test_the_row_is_what_the_mapper_returns_and_the_event_s_place(name: str, columns: dict[str, Any]) -> None:
    found = mapped(name)
    assert line_of(found) == columns | PLACE
    assert (found.refusal, found.is_undecoded, found.size_bytes) == (None, False, len(bytes(found.row)))


def test_a_body_that_is_not_json_goes_to_the_mapper_unless_it_is_refused() -> None:
    assert line_of(mapped("one_column", event(b"not json"))) == {"PAYLOAD": {"m": 1}} | PLACE
    mappers.remembered.clear()
    assert "UndecodableEvent" in str(mapped("remember", event(b"not json"), "fail").refusal)
    assert not mappers.remembered


def test_what_nobody_can_decode_goes_past_the_mapper() -> None:
    encoded = event(b"{}")[:-1]
    mappers.remembered.clear()
    assert "cannot be decoded" in line_of(mapped("remember", encoded))["DECODE_ERROR"]
    assert not mappers.remembered


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("gives_none", "returns None, a mapping is needed"),
        ("gives_a_list", "returns a value of type list, a mapping is needed"),
        ("gives_text", "returns a value of type str"),
        ("unknown_column", "it returns FLIGHT, N, and the envelope has no such column"),
        ("small_letters", "it returns payload, and the envelope has no such column"),
        ("own_column", "it returns OFFSET, SEQUENCE_NUMBER, which evsup writes itself"),
        ("number_as_a_column", "a column whose name is a value of type int"),
        ("name_of_no_text", r"the column N\ud800 has a value that is no JSON: UnicodeEncodeError"),
        ("value_of_no_json", "the column PROPERTIES has a value that is no JSON: TypeError"),
        ("value_that_raises", "the column PAYLOAD has a value that is no JSON: LookupError"),
        ("mapping_that_raises", f"what it returns raises LookupError at {mappers.__file__}:"),
        ("mapping_that_leaves", f"what it returns raises SystemExit at {mappers.__file__}:"),
        ("not_a_number", "the column PAYLOAD has a number that JSON has not: NaN or infinity"),
        ("infinity", "the column PROPERTIES has a number that JSON has not: NaN or infinity"),
        ("endless_value", "the column PAYLOAD has a value that is no JSON: RecursionError"),
        ("long_integer", "an integer has more than 38 digits"),
        ("nul", "the character NUL"),
    ],
)
def test_a_result_that_is_no_row_is_a_data_error_that_names_it(name: str, why: str) -> None:
    assert why in refusal(name)
    line = inspect.getsourcelines(getattr(mappers, name))[1]
    assert refusal(name).endswith(f" (the mapper is {name} at {mappers.__file__}:{line})")


TEXTS = ("PARTITION_KEY", "CONTENT_TYPE", "MESSAGE_ID", "CORRELATION_ID", "DECODE_ERROR")


@pytest.mark.parametrize(
    ("columns", "value", "json"),
    [
        (("PAYLOAD", "PROPERTIES", "SYSTEM_PROPERTIES"), {"a": [1, None]}, {"a": [1, None]}),
        (("PAYLOAD", "PROPERTIES", "SYSTEM_PROPERTIES"), b"\xff", "/w=="),
        (TEXTS, "text", "text"),
        (TEXTS, UUID(int=7), str(UUID(int=7))),
        (("RAW_BODY",), b"\xff", "/w=="),
        (("RAW_BODY",), bytearray(b"\xff"), "/w=="),
        (("RAW_BODY",), memoryview(b"\xff"), "/w=="),
        (("RAW_BODY",), b"", ""),
    ],
)
def test_each_column_takes_values_of_its_type(columns: Sequence[str], value: Any, json: Any) -> None:
    for column in columns:
        mappers.given = {column: value}
        assert line_of(mapped("as_given"))[column] == json


@pytest.mark.parametrize(
    ("columns", "value", "why"),
    [
        (TEXTS, 1, "a value of type int, and takes text alone"),
        (TEXTS, True, "a value of type bool, and takes text alone"),
        (TEXTS, {"a": 1}, "a value of type dict, and takes text alone"),
        (TEXTS, b"text", "a value of type bytes, and takes text alone"),
        (("RAW_BODY",), "not base64", "a value of type str, and takes bytes alone"),
        (("RAW_BODY",), "/w==", "a value of type str, and takes bytes alone"),
        (("RAW_BODY",), "", "a value of type str, and takes bytes alone"),
        (("RAW_BODY",), 1, "a value of type int, and takes bytes alone"),
        (("RAW_BODY",), [1], "a value of type list, and takes bytes alone"),
    ],
)
def test_a_value_of_another_type_than_its_column_takes_is_refused(columns: Sequence[str], value: Any, why: str) -> None:
    for column in columns:
        mappers.given = {column: value}
        assert refusal("as_given").startswith(f"the column {column} has {why}")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("raises", "KeyError"),
        ("raises_within", "ZeroDivisionError"),
        ("raises_in_a_library", "JSONDecodeError"),
        ("leaves", "SystemExit"),
        ("is_cancelled", "CancelledError"),
    ],
)
def test_an_exception_names_its_line_in_the_user_s_code_and_nothing_of_the_body(name: str, kind: str) -> None:
    why = refusal(name, event(b'{"secret": 1}'))
    assert why.startswith(f"it raises {kind} at {mappers.__file__}:")
    line = int(why.split(":")[1].split(" ")[0])
    assert f"# {name}" in linecache.getline(mappers.__file__, line)
    assert "secret" not in why


def test_a_process_without_memory_says_nothing_of_the_mapper() -> None:
    with pytest.raises(MemoryError):
        mapped("no_memory")


# --- the examples of the page -----------------------------------------------------------------------------------------

PAGE = Path(__file__).parents[4] / "docs" / "mapper.md"
EXAMPLES = [text.partition("```")[0] for text in PAGE.read_text().split("```python\n")[1:]]


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, bytes], dict[str, Any]]:
    """The row of an event by an example of the page."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "airports.json").write_text('{"JFK": {"city": "New York"}}')

    def row(name: str, encoded: bytes) -> dict[str, Any]:
        (source,) = (text for text in EXAMPLES if f"def {name}(" in text)
        scope: dict[str, Any] = {}
        exec(compile(source, str(PAGE), "exec"), scope)  # noqa: S102 (what the page says is what is tested)
        monkeypatch.setattr(mappers, "of_the_page", scope[name], raising=False)
        return line_of(mapped("of_the_page", encoded))

    return row


def test_the_example_renames(example: Callable[[str, bytes], dict[str, Any]]) -> None:
    found = example("rename", event(b'{"flt": 7, "n": 1}', application_properties={b"p": b"v"}))
    assert found == {"PAYLOAD": {"flight": 7, "n": 1}, "PROPERTIES": {"p": "v"}} | PLACE


@pytest.mark.parametrize("body", [b'{"passenger": "Ada"}', b'"Ada"', b"Ada", b""])
def test_the_example_masks(example: Callable[[str, bytes], dict[str, Any]], body: bytes) -> None:
    found = example("mask", event(body))
    assert "Ada" not in str(found)
    assert found.keys() >= PLACE.keys() | {"PAYLOAD"}


def test_the_example_enriches(example: Callable[[str, bytes], dict[str, Any]]) -> None:
    found = example("enrich", event(b'{"origin": "JFK"}', properties=properties(content_type=b"application/json")))
    assert found == {"PAYLOAD": {"origin": "JFK", "city": "New York"}, "CONTENT_TYPE": "application/json"} | PLACE

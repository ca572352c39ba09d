"""A body is in PAYLOAD as it came, or in RAW_BODY with the reason."""

import base64
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.unit.worker.rows.events import event, event_of, line_of, message, properties, row_of
from worker.bodies.avro_schemas import AvroSchemas
from worker.bodies.body_reader import BodyReader
from worker.rows.envelope import Envelope
from worker.rows.event import refused

SCHEMA = b"a" * 32
KAFKA = b"avro/binary+" + SCHEMA
AFTER_PAYLOAD = b',"PARTITION_ID":"3","SEQUENCE_NUMBER":5,"OFFSET":"123","ENQUEUED_TIME":"2023-11-14T22:13:20.123000Z"}'


class OneSchema:
    """A schema registry that knows one."""

    def definition(self, schema_id: str) -> str | None:
        return '"long"' if schema_id == SCHEMA.decode() else None


def raw_body(encoded: bytes) -> bytes:
    """What is in RAW_BODY of a message's row."""
    return base64.b64decode(row_of(encoded)["RAW_BODY"], validate=True)


def payload(body: bytes) -> bytes:
    """The text of PAYLOAD."""
    line = bytes(event_of(event(body)).row)
    return line.removeprefix(b'{"PAYLOAD":').removesuffix(AFTER_PAYLOAD)


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": 1, "b": [true, null, "x"]}',
        b"[]",
        b"{}",
        b"true",
        b'""',
        b"12345678901234567890123456789012345678",
        b"0.1000000000000000055511151231257827021181583404541015625",
        b"1e300",
        b"-0",
        '{"schlüssel": "héllo 😀"}'.encode(),
        rb'{"pair": "\ud83d\ude00", "line": "a\nb\r\u2028"}',
        b'{"big": "' + b"x" * 1_000_000 + b'"}',
        b"[" * 300 + b"]" * 300,
    ],
)
def test_json_passes_as_it_came(body: bytes) -> None:
    assert payload(body) == body
    row_of(event(body))


@pytest.mark.parametrize("header", [KAFKA, KAFKA.decode(), b"Avro/Binary+" + SCHEMA])
def test_avro_of_a_kafka_producer_is_told_by_its_header_also_where_its_bytes_happen_to_be_json(
    header: bytes | str,
) -> None:
    rows = Envelope("3", "keep", BodyReader("auto", AvroSchemas(OneSchema())))
    row = line_of(rows.event_of(event(b"0", application_properties={b"content-type": header})))
    assert row["PAYLOAD"] == 24, "as Avro has it"
    assert row["PROPERTIES"].keys() == {"content-type"}


@pytest.mark.parametrize("header", [b"text/plain", b"avro/binary", b"", 7])
def test_any_other_header_of_that_name_decides_nothing(header: bytes | int) -> None:
    assert row_of(event(b"0", application_properties={b"content-type": header}))["PAYLOAD"] == 0


def test_the_content_type_of_the_message_itself_counts_before_that_of_a_header() -> None:
    said = properties(content_type=b"application/json")
    assert row_of(event(b"0", application_properties={b"content-type": KAFKA}, properties=said))["PAYLOAD"] == 0


@pytest.mark.parametrize("body", [b"null", b" null\r\n", b"\xef\xbb\xbfnull"])
def test_a_json_null_is_a_payload_as_any_other_json(body: bytes) -> None:
    assert payload(body) == b"null"


@pytest.mark.parametrize("around", [(b"", b"\n"), (b"\r\n", b"\r\n"), (b" \t", b" "), (b"\xef\xbb\xbf", b"\n")])
def test_what_stands_around_the_json_is_left_out(around: tuple[bytes, bytes]) -> None:
    before, after = around
    assert payload(before + b'{"a": 1}' + after) == b'{"a": 1}'


@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
def test_newlines_between_tokens_are_minified_and_nothing_else_changes(newline: bytes) -> None:
    body = b'{"n": 12345678901234567890.1230,' + newline + rb'"m": 1e300, "s": "\u0041\n b", "e": [ ]}'
    assert payload(body) == rb'{"n":12345678901234567890.1230,"m":1e300,"s":"\u0041\n b","e":[]}'


def test_sections_of_data_are_one_body() -> None:
    assert row_of(message(data=[b'{"a"', b": ", b"1}"]))["PAYLOAD"] == {"a": 1}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b" \n ", "too early"),
        (b"\xef\xbb\xbf", "too early"),
        (b"hello", "malformed"),
        (b"{'a': 1}", "malformed"),
        (b'{"a": NaN}', "malformed"),
        (b"Infinity", "malformed"),
        (b'{"a": 1} {"a": 2}', "trailing"),
        (b'{"a": 1}\n{"a": 2', "as JSON lines, line 2"),
        (b'"raw\nnewline"', "a line break"),
        (b'{"a": "\xff\xfe"}', "UTF-8"),
        (b'"\xed\xa0\x80"', "UTF-8"),
        (rb'{"a": "\ud800 alone"}', "surrogate"),
        (rb'{"a": "\udc00 alone"}', "surrogate"),
        (b"\x00\x01\xff", "malformed"),
        (b"[" * 100_000 + b"]" * 100_000, "levels deep"),
        ("12".encode("utf-16"), "UTF-16"),
        (b'{"a": 1, "a": 2}', "a key twice"),
        (b'{"a": "\\u0000"}', "NUL"),
        (b"1e999", "DOUBLE"),
        (b"1" * 39, "38 digits"),
    ],
)
def test_what_is_not_json_is_kept_byte_by_byte_with_the_reason(body: bytes, reason: str) -> None:
    row = row_of(event(body))
    assert "PAYLOAD" not in row
    assert raw_body(event(body)) == body
    assert reason in row["DECODE_ERROR"]


@pytest.mark.parametrize("body", [b" ", b"hello", b"\xff"])
def test_what_is_not_json_is_refused_with_its_address(body: bytes) -> None:
    found = Envelope("3", "fail").event_of(event(body, 77))
    assert found.refusal
    error = refused("3", found, found.refusal)
    assert error.what.startswith("Partition 3, event 77, offset 123:")
    assert error.why == line_of(found)["DECODE_ERROR"]


def test_json_is_not_refused() -> None:
    found = Envelope("3", "fail").event_of(event(b"1"))
    assert (line_of(found)["PAYLOAD"], found.refusal) == (1, None)


def test_an_event_without_a_body_has_the_payload_null_so_that_a_row_without_one_has_lost_it() -> None:
    row = row_of(message())
    assert (row["PAYLOAD"], "RAW_BODY" in row) == (None, False)


def is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


@given(st.binary(max_size=200))
@example(b"null")
def test_any_bytes_are_one_line_and_come_back(body: bytes) -> None:
    line = row_of(event(body))
    if "PAYLOAD" in line:
        text = body.removeprefix(b"\xef\xbb\xbf")
        lines = b"[" + b",".join(each for each in text.split(b"\n") if each.strip()) + b"]"
        assert json.dumps(line["PAYLOAD"]) in {json.dumps(json.loads(each)) for each in (text, lines) if is_json(each)}
    else:
        assert raw_body(event(body)) == body
        assert ("DECODE_ERROR" in line) == bool(body)


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"))

NUMBERS = st.integers(1 - 10**38, 10**38 - 1) | st.floats(allow_nan=False, allow_infinity=False)

JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=12,
)


@given(JSON, st.sampled_from([None, 0, 2, "\t"]), st.booleans())
def test_any_json_is_one_line_and_the_same_value(value: object, indent: int | str | None, ascii_only: bool) -> None:
    body = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode()
    row = row_of(event(body))
    assert "DECODE_ERROR" not in row
    assert row["PAYLOAD"] == value

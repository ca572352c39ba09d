"""Any event becomes one row, and any row one line."""

import base64
import json
import math
import struct
import uuid
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.eventhubs.amqp_types import install_decoders
from tests.unit.worker.source import wire
from tests.unit.worker.source.events import (
    ENQUEUED_MS,
    IN_A_MAP,
    event,
    event_of,
    line_of,
    message,
    nested_event,
    properties,
)
from tests.unit.worker.source.wire import held, mapping, sized
from worker.source.envelope import Envelope, undecodable
from worker.source.variant import DEEPEST, encode, variant

COLUMNS = [
    "PAYLOAD",
    "PARTITION_ID",
    "SEQUENCE_NUMBER",
    "OFFSET",
    "ENQUEUED_TIME",
    "PARTITION_KEY",
    "PROPERTIES",
    "SYSTEM_PROPERTIES",
    "CONTENT_TYPE",
    "MESSAGE_ID",
    "CORRELATION_ID",
    "RAW_BODY",
    "DECODE_ERROR",
]


BEHIND_PAYLOAD = (
    b',"PARTITION_ID":"3","SEQUENCE_NUMBER":5,"OFFSET":"123","ENQUEUED_TIME":"2023-11-14T22:13:20.123000Z"}'
)


def row_of(encoded: bytes) -> dict[str, Any]:
    """The columns of a message's row."""
    return line_of(event_of(encoded))


def raw_body(encoded: bytes) -> bytes:
    """What is in RAW_BODY of a message's row."""
    return base64.b64decode(row_of(encoded)["RAW_BODY"], validate=True)


def payload(body: bytes) -> bytes:
    """The text of PAYLOAD."""
    line = bytes(event_of(event(body)).row)
    return line.removeprefix(b'{"PAYLOAD":').removesuffix(BEHIND_PAYLOAD)


def test_the_columns_are_those_of_the_contract() -> None:
    full = event(
        b"{}",
        annotations={b"x-opt-partition-key": b"k", b"other": 1},
        application_properties={b"p": 1},
        properties=properties(content_type=b"c", message_id=b"m", correlation_id=b"r"),
    )
    assert row_of(full).keys() | row_of(event(b"not json")).keys() == set(COLUMNS)


@pytest.mark.parametrize("encoded", [event(b"{}"), event(b"not json"), message(None), event(b"{}", None)])
def test_what_has_no_value_has_no_key_since_a_null_would_be_a_value_of_a_variant(encoded: bytes) -> None:
    row = row_of(encoded)
    assert row.pop("PAYLOAD", None) in (None, {})
    assert None not in row.values()
    assert "PROPERTIES" not in row


def test_metadata_of_the_service_has_columns_of_its_own() -> None:
    line = row_of(event(b"{}", annotations={b"x-opt-partition-key": b"k"}))
    assert line["PARTITION_ID"] == "3"
    assert line["SEQUENCE_NUMBER"] == 5
    assert line["OFFSET"] == "123"
    assert line["PARTITION_KEY"] == "k"
    assert line["ENQUEUED_TIME"] == "2023-11-14T22:13:20.123000Z"
    known = event_of(event(b"{}"))
    assert known.enqueued is not None
    assert (known.sequence_number, known.offset, known.enqueued.timestamp() * 1000) == (5, "123", ENQUEUED_MS)
    assert not {"SYSTEM_PROPERTIES", "PROPERTIES"} & line.keys()


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
        (b"", "the body is empty"),
        (b" \n ", "too early"),
        (b"\xef\xbb\xbf", "too early"),
        (b"hello", "malformed"),
        (b"{'a': 1}", "malformed"),
        (b'{"a": NaN}', "malformed"),
        (b"Infinity", "malformed"),
        (b'{"a": 1} {"a": 2}', "trailing"),
        (b'{"a": 1}\n{"a": 2}\n', "trailing"),
        (b'"raw\nnewline"', "invalid character"),
        (b'{"a": "\xff\xfe"}', "UTF-8"),
        (b'"\xed\xa0\x80"', "UTF-8"),
        (rb'{"a": "\ud800 alone"}', "surrogate"),
        (rb'{"a": "\udc00 alone"}', "surrogate"),
        (b"\x00\x01\xff", "malformed"),
        (b"[" * 100_000 + b"]" * 100_000, "levels deep"),
        ('{"a": 1}'.encode("utf-16"), "UTF-16"),
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


@pytest.mark.parametrize("body", [b"", b"hello", b"\xff"])
def test_what_is_not_json_is_refused_with_its_address(body: bytes) -> None:
    found = Envelope("3", "fail").event_of(event(body, 77))
    assert found.refusal
    error = undecodable("3", found, found.refusal)
    assert error.what.startswith("Partition 3, event 77, offset 123:")
    assert error.why == line_of(found)["DECODE_ERROR"]


def test_json_is_not_refused() -> None:
    found = Envelope("3", "fail").event_of(event(b"1"))
    assert (line_of(found)["PAYLOAD"], found.refusal) == (1, None)


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        ({"value": b"text"}, "text"),
        ({"value": "text"}, "text"),
        ({"value": 2**31 - 1}, 2**31 - 1),
        ({"value": {b"k": [1, b"two", None, True]}}, {"k": [1, "two", None, True]}),
        ({"value": uuid.UUID(int=7)}, str(uuid.UUID(int=7))),
        ({"value": math.inf}, "inf"),
        ({"value": b"\xff"}, "base64:/w=="),
        ({"sequence": [[1, b"a"], [2.5]]}, [[1, "a"], [2.5]]),
    ],
)
def test_typed_bodies_become_json(sections: dict[str, Any], expected: object) -> None:
    row = row_of(message(**sections))
    assert "RAW_BODY" not in row
    assert row["PAYLOAD"] == expected


def test_an_event_without_a_body_has_the_payload_null_so_that_a_row_without_one_has_lost_it() -> None:
    row = row_of(message())
    assert (row["PAYLOAD"], "RAW_BODY" in row) == (None, False)


@pytest.mark.parametrize("depth", [DEEPEST, DEEPEST + 1, 800])
def test_deep_values_crash_neither_the_worker_nor_the_encoder(depth: int) -> None:
    line = row_of(nested_event(depth))
    below = depth - DEEPEST
    expected: object = 1 if below <= 0 else "[" * below + "1" + "]" * below
    for _ in range(min(depth, DEEPEST)):
        expected = [expected]
    assert line["PAYLOAD"] == line["SYSTEM_PROPERTIES"]["deep"] == expected


def test_the_deepest_maps_that_the_sdk_can_decode_end_as_text() -> None:
    with ThreadPoolExecutor(1) as of_an_empty_stack:
        row = of_an_empty_stack.submit(lambda: row_of(nested_event(950, IN_A_MAP))).result()
    value = row["PAYLOAD"]
    for _ in range(DEEPEST):
        value = value["k"]
    below = 950 - DEEPEST
    assert value == '{"k":' * below + "1" + "}" * below


def test_the_text_of_what_is_too_deep_is_json_of_all_that_is_in_it() -> None:
    inner = [1, [b"\xff", {b"k": None, "t": ("a", 2.5)}], [], {}, math.inf]
    value: object = inner
    for _ in range(DEEPEST):
        value = [value]
    found = variant(value)
    for _ in range(DEEPEST):
        [found] = found
    assert json.loads(found) == [1, ["base64:/w==", {"k": None, "t": ["a", 2.5]}], [], {}, "inf"]


def test_properties_are_text_under_text() -> None:
    given_ = {
        b"text": "é",
        b"binary": b"\xff\x00",
        b"int": 1,
        b"yes": True,
        b"float": 1.5,
        b"nan": math.nan,
        b"uuid": uuid.UUID(int=1),
        b"nothing": None,
        b"bad\xff": b"v",
    }
    line = row_of(event(b"{}", application_properties=given_))
    assert line["PROPERTIES"] == {
        "text": "é",
        "binary": "base64:/wA=",
        "int": 1,
        "yes": True,
        "float": 1.5,
        "nan": "nan",
        "uuid": str(uuid.UUID(int=1)),
        "nothing": None,
        "base64:YmFk/w==": "v",
    }


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        (b"m-1", "m-1"),
        ("m-1", "m-1"),
        (7, "7"),
        (0, "0"),
        (uuid.UUID(int=9), str(uuid.UUID(int=9))),
        (b"\xff", "base64:/w=="),
    ],
)
def test_ids_of_any_amqp_type_are_text(given_: object, expected: str) -> None:
    row = row_of(event(b"{}", properties=properties(message_id=given_, correlation_id=given_)))
    assert row["MESSAGE_ID"] == row["CORRELATION_ID"] == expected


def test_the_content_type_has_a_column() -> None:
    row = row_of(event(b"{}", properties=properties(content_type=b"application/json")))
    assert row["CONTENT_TYPE"] == "application/json"
    assert "SYSTEM_PROPERTIES" not in row


def test_other_annotations_and_properties_are_system_properties() -> None:
    source = event(
        b"{}",
        annotations={b"iothub-connection-device-id": b"dev-1", b"iothub-enqueuedtime": 17},
        properties=properties(user_id=b"u", subject=b"s", group_sequence=0),
    )
    assert row_of(source)["SYSTEM_PROPERTIES"] == {
        "iothub-connection-device-id": "dev-1",
        "iothub-enqueuedtime": 17,
        "user_id": "u",
        "subject": "s",
        "group_sequence": 0,
    }


def test_an_annotation_with_the_name_of_a_field_is_kept_beside_it() -> None:
    annotations = {b"subject": "of the annotation", b"reply_to": "of the annotation"}
    source = event(b"{}", annotations=annotations, properties=properties(subject=b"of the message"))
    assert row_of(source)["SYSTEM_PROPERTIES"] == {
        "subject": "of the message",
        "annotation:subject": "of the annotation",
        "reply_to": "of the annotation",
    }


def test_keys_that_are_one_text_are_all_kept_and_say_their_type() -> None:
    keys: dict[Any, int] = {b"1": 1, "1": 2, 1: 3, b"": 4, None: 5, b"other": 6}
    expected = {"1": 1, "1 (str)": 2, "1 (int)": 3, "": 4, " (NoneType)": 5, "other": 6}
    assert variant(keys) == variant([keys])[0] == expected
    assert json.loads(variant(keys, 0)) == expected


def test_keys_that_are_one_text_on_every_level_cost_no_more_than_others() -> None:
    value: object = 1
    for _ in range(2 * DEEPEST):
        value = {1: 0, b"1": value}
    assert encode(variant(value))


def test_text_with_a_nul_is_base64_as_bytes_that_are_no_text() -> None:
    source = event(b"{}", application_properties={b"k\0": "v\0"}, properties=properties(message_id="m\0"))
    row = row_of(source)
    assert (row["PROPERTIES"], row["MESSAGE_ID"]) == ({"base64:awA=": "base64:dgA="}, "base64:bQA=")


def test_an_event_without_annotations_has_a_row_and_no_number() -> None:
    bare = b"\x00\x53\x75\xa0\x02{}"
    assert [event_of(bare).sequence_number, event_of(event(b"{}", 9)).sequence_number] == [None, 9]
    assert not {"SEQUENCE_NUMBER", "OFFSET", "ENQUEUED_TIME"} & row_of(bare).keys()


def test_the_size_of_an_event_is_the_length_of_its_row_with_all_that_is_in_it() -> None:
    weighty = event(b"{}", application_properties={b"p": b"x" * 5000})
    assert event_of(weighty).size_bytes == len(bytes(event_of(weighty).row)) > 5000


@given(st.binary(max_size=200))
@example(b"null")
def test_any_bytes_are_one_line_and_come_back(body: bytes) -> None:
    line = row_of(event(body))
    if "PAYLOAD" in line:
        assert line["PAYLOAD"] == json.loads(body.removeprefix(b"\xef\xbb\xbf"))
    else:
        assert raw_body(event(body)) == body
        assert line["DECODE_ERROR"]


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


@given(wire.VALUES, wire.VALUES, wire.VALUES)
@example(b"\x81\x7f" + b"\xff" * 7, held(0xC0, 1, b"\x54\x01"), mapping([(sized(0xA1, b"k"), b"\x54\x01")]))
@example(b"\x81\x80" + bytes(7), sized(0xA0, b"5"), b"\x82" + struct.pack(">d", 5.0))
@example(mapping([(sized(0xA1, b"k"), b"\x54\x01")]), b"\x41", b"\x82" + struct.pack(">d", math.nan))
def test_annotations_of_the_service_of_any_type_lose_no_event(time: bytes, number: bytes, text: bytes) -> None:
    pairs = [(wire.TIME_KEY, time), (wire.SEQUENCE_KEY, number), (wire.OFFSET_KEY, text), (wire.PARTITION_KEY, text)]
    encoded = wire.section(0x72, mapping(pairs)) + wire.section(0x75, sized(0xA0, b"{}"))
    found, line = event_of(encoded), row_of(encoded)
    number_in_row = line.get("SEQUENCE_NUMBER")
    assert (found.sequence_number is not None) == (type(number_in_row) is int), "true is no number"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"\x73\x00\x01\xf6\x00", "😀"),
        (b"\x73\x00\x00\xd8\x00", "0x0000d800"),
        (b"\x73\xff\xff\xff\xff", "0xffffffff"),
        (b"\x74" + (101 << 23 | 5).to_bytes(4, "big"), "5"),
        (b"\x84" + (1 << 63 | 396 << 53 | 1234).to_bytes(8, "big"), "-12.34"),
        (b"\x94" + (6176 << 113 | 2**40).to_bytes(16, "big"), str(2**40)),
        (b"\x94\x0c\x3c\x00\x00" + (12_345_678_901_234).to_bytes(12, "big"), "123456789012.34"),
        (b"\x94\x8c\x40\x00\x00" + (7).to_bytes(12, "big"), "-7"),
        (b"\x94\x7c" + bytes(15), "0x7c" + "00" * 15),
        (b"\x00\xa3\x03foo\xa1\x01x", "x"),
        (b"\x98" + b"\x01" * 16, str(uuid.UUID(bytes=b"\x01" * 16))),
        (b"\x83" + b"\x7f" + b"\xff" * 7, 2**63 - 1),
        (b"\x80" + b"\xff" * 8, 2**64 - 1),
        (b"\xe0\x04\x02\x54\x05\x06", [5, 6]),
        (b"\xc1\x07\x02\xa0\x01\xff\xa1\x01v", {"base64:/w==": "v"}),
    ],
)
def test_any_amqp_type_on_the_wire_has_a_place(value: bytes, expected: object) -> None:
    """Written by hand: the SDK's encoder knows fewer types than its decoder, and that one fewer than AMQP."""
    install_decoders()
    encoded = b"\x00\x53\x74\xc1" + bytes([len(value) + 4]) + b"\x02\xa1\x01p" + value + b"\x00\x53\x77" + value
    line = row_of(encoded)
    assert line["PROPERTIES"] == {"p": expected}
    assert line["PAYLOAD"] == expected


@given(st.decimals(allow_nan=False, allow_infinity=False, places=9, min_value=-(10**20), max_value=10**20))
def test_decimals_of_the_sdk_s_own_encoder_come_back(value: Decimal) -> None:
    install_decoders()
    line = row_of(event(b"{}", application_properties={b"p": value}))
    assert Decimal(line["PROPERTIES"]["p"]) == value


@given(wire.VALUES, st.lists(st.tuples(wire.SCALARS, wire.VALUES), max_size=3))
def test_any_property_is_one_line(value: bytes, given_: list[tuple[bytes, bytes]]) -> None:
    annotations = mapping([(wire.SEQUENCE_KEY, b"\x55\x01"), (sized(0xA3, b"x-other"), value)])
    row = row_of(wire.section(0x72, annotations) + wire.section(0x74, mapping(given_)))
    if "DECODE_ERROR" not in row:
        assert set(row["SYSTEM_PROPERTIES"]) == {"x-other"}
        assert len(row.get("PROPERTIES", {})) <= len(given_)

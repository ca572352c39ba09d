"""Any event becomes one row: what is known of it is in the columns of the contract."""

import math
import struct
import uuid

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.unit.worker.rows import wire
from tests.unit.worker.rows.events import ENQUEUED_MS, event, event_of, message, properties, row_of
from tests.unit.worker.rows.wire import held, mapping, sized

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


def test_an_event_without_annotations_has_a_row_and_no_number() -> None:
    bare = b"\x00\x53\x75\xa0\x02{}"
    assert [event_of(bare).sequence_number, event_of(event(b"{}", 9)).sequence_number] == [None, 9]
    assert not {"SEQUENCE_NUMBER", "OFFSET", "ENQUEUED_TIME"} & row_of(bare).keys()


def test_the_size_of_an_event_is_the_length_of_its_row_with_all_that_is_in_it() -> None:
    weighty = event(b"{}", application_properties={b"p": b"x" * 5000})
    assert event_of(weighty).size_bytes == len(bytes(event_of(weighty).row)) > 5000


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


@given(wire.VALUES, st.lists(st.tuples(wire.SCALARS, wire.VALUES), max_size=3))
def test_any_property_is_one_line(value: bytes, given_: list[tuple[bytes, bytes]]) -> None:
    annotations = mapping([(wire.SEQUENCE_KEY, b"\x55\x01"), (sized(0xA3, b"x-other"), value)])
    row = row_of(wire.section(0x72, annotations) + wire.section(0x74, mapping(given_)))
    if "DECODE_ERROR" not in row:
        assert set(row["SYSTEM_PROPERTIES"]) == {"x-other"}
        assert len(row.get("PROPERTIES", {})) <= len(given_)

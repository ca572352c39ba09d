"""Any message of AMQP: the same row as by the SDK's own decoder, and where that gives up, all of it in RAW_BODY."""

import base64
import struct
import tracemalloc
from typing import Literal

import pytest
from azure.eventhub._pyamqp.message import Properties
from hypothesis import given
from hypothesis import strategies as st

from shared.ipc.messages import Counters, TableColumns
from shared.model import LastEnqueued
from tests.unit.plain_settings import snowflake
from tests.unit.worker.rows import wire
from tests.unit.worker.rows.by_the_sdk import line_by_the_sdk
from tests.unit.worker.rows.events import event, event_of, line_of, nested, row_of
from tests.unit.worker.rows.wire import held, mapping, section, sized
from worker.bodies.body_reader import BodyReader
from worker.rows import amqp, message
from worker.rows import properties as properties_module
from worker.rows.columns import Columns
from worker.rows.envelope import Envelope
from worker.rows.message import body_of, last_enqueued
from worker.rows.row_format import RowFormat

NUMBER = (wire.SEQUENCE_KEY, b"\x55\x07")
KNOWN = section(0x72, mapping([NUMBER, (wire.OFFSET_KEY, sized(0xA1, b"123"))]))
BODY = section(0x75, sized(0xA0, b"{}"))


@given(wire.MESSAGES)
def test_any_message_has_the_row_that_the_sdk_makes_of_it(encoded: bytes) -> None:
    found = event_of(encoded)
    try:
        expected = line_by_the_sdk("3", encoded)
    except Exception:  # noqa: BLE001 (what it cannot decode is told apart below)
        line_of(found)
        return
    line = bytes(found.row)
    if line != expected:
        assert "AMQP message cannot be decoded" in line_of(found)["DECODE_ERROR"], (line, expected)


SHORT_TEXT = st.text(max_size=12).map(lambda text: sized(0xA1, text.encode()))


@given(
    st.none() | SHORT_TEXT | wire.VALUES,
    st.lists(st.tuples(wire.NAMES, SHORT_TEXT | wire.SCALARS), max_size=4),
    st.booleans(),
    st.sampled_from((b'{"a": 1}', b"[]", b"no json", b"")),
)
def test_a_message_with_a_partition_key_and_properties_has_the_row_that_the_sdk_makes_of_it(
    key: bytes | None, properties: list[tuple[bytes, bytes]], large: bool, body: bytes
) -> None:
    annotations = [NUMBER, (wire.OFFSET_KEY, sized(0xA1, b"123")), (wire.TIME_KEY, b"\x83" + bytes(8))]
    annotations += [(wire.PARTITION_KEY, key)] if key else []
    parts = [section(0x72, mapping(annotations))]
    parts += [section(0x74, mapping(properties, large=large))] if properties else []
    encoded = b"".join([*parts, section(0x75, sized(0xA0, body))])
    try:
        expected = line_by_the_sdk("3", encoded)
    except Exception:  # noqa: BLE001 (what it cannot decode is told apart below)
        return
    found = event_of(encoded)
    assert bytes(found.row) == expected or "a map has a key twice" in line_of(found)["DECODE_ERROR"]


TYPES = st.sampled_from((b"application/json", b"text/plain", b"application/x-ndjson; charset=utf-8", b"avro/binary"))
FIELDS = st.lists(st.just(b"\x40") | SHORT_TEXT | TYPES.map(lambda name: sized(0xA3, name)) | wire.SCALARS, max_size=14)
UNDECODED = b"the AMQP message cannot be decoded"


def formats(on_decode_error: Literal["keep", "fail"]) -> tuple[RowFormat, RowFormat]:
    """Either format, the one for a table with one column."""
    target = snowflake(row_format="columns", on_decode_error=on_decode_error)
    return Envelope("3", on_decode_error), Columns("3", target, TableColumns(names=("A", "_EVSUP")), BodyReader())


@given(
    st.none() | SHORT_TEXT,
    st.none() | FIELDS,
    st.none() | st.lists(st.tuples(wire.NAMES, SHORT_TEXT | wire.VALUES), max_size=4),
    st.booleans(),
    st.sampled_from((b'{"a": 1}', b'{"b": "x"}', b"[]", b"null\n1", b"no json", b"\xff", b"")),
)
def test_a_message_has_one_row_whether_its_annotations_are_as_event_hubs_writes_them_or_not(
    key: bytes | None,
    fields: list[bytes] | None,
    properties: list[tuple[bytes, bytes]] | None,
    large: bool,
    body: bytes,
) -> None:
    annotations = [NUMBER, (wire.OFFSET_KEY, sized(0xA1, b"123")), (wire.TIME_KEY, b"\x83" + bytes(8))]
    annotations += [(wire.PARTITION_KEY, key)] if key else []
    parts = [section(0x73, held(0xC0, len(fields), b"".join(fields)))] if fields is not None else []
    parts += [section(0x74, mapping(properties, large=large))] if properties is not None else []
    rest = b"".join([*parts, section(0x75, sized(0xA0, body))])
    for rows in (*formats("keep"), *formats("fail")):
        quick, slow = (rows.event_of(section(0x72, mapping(annotations, large=odd)) + rest) for odd in (False, True))
        if UNDECODED in bytes(slow.row):  # then the rows have the two messages as they came
            assert UNDECODED in bytes(quick.row)
        else:
            assert quick == slow


@pytest.mark.parametrize(
    ("offset", "is_quick"), [("123", 1), ("3:1:4056-a", 1), ('a"b', 0), ("a\\b", 0), ("ü", 0), ("", 0)]
)
def test_an_offset_of_any_form_is_in_the_row_and_one_that_json_need_not_escape_is_read_in_the_quick_pass(
    offset: str, is_quick: int
) -> None:
    counting = Envelope("3", "keep")
    known = [NUMBER, (wire.OFFSET_KEY, sized(0xA1, offset.encode())), (wire.TIME_KEY, b"\x83" + bytes(8))]
    found = counting.event_of(section(0x72, mapping(known)) + BODY)
    assert (found.offset, line_of(found)["OFFSET"], counting.unusual) == (offset, offset, 1 - is_quick)


@pytest.mark.parametrize("size", [0, 1, 250, 300])
def test_text_of_any_size_before_the_body_is_read_in_the_quick_pass(size: int) -> None:
    counting = Envelope("3", "keep")
    key = min(size, 80)  # with it the annotations fit a map with a size of one byte, as the hub sends them
    annotations = [NUMBER, (wire.OFFSET_KEY, sized(0xA1, b"123")), (wire.TIME_KEY, b"\x83" + bytes(8))]
    known = section(0x72, mapping([*annotations, (wire.PARTITION_KEY, sized(0xA1, b"k" * key))]))
    pairs = [(sized(0xA1, b"p"), sized(0xA1, b"v" * size)), (sized(0xA1, b"n"), b"\x54\x05")]
    row = line_of(counting.event_of(known + section(0x74, mapping(pairs)) + BODY))
    assert (row["PARTITION_KEY"], row["PROPERTIES"]) == ("k" * key, {"p": "v" * size, "n": 5})
    assert counting.unusual == 0


@given(wire.VALUES)
def test_a_value_of_any_type_has_a_place_everywhere(value: bytes) -> None:
    pair = (sized(0xA1, b"p"), value)
    encoded = KNOWN + section(0x74, mapping([pair])) + section(0x77, value)
    row = row_of(encoded)
    assert "PAYLOAD" in row or "RAW_BODY" in row
    assert row["SEQUENCE_NUMBER"] == 7


@pytest.mark.parametrize("code", [code for codes in wire.OF_WIDTH.values() for code in codes])
def test_each_type_of_a_fixed_width_is_as_by_the_sdk(code: int) -> None:
    width = next(width for width, codes in wire.OF_WIDTH.items() if code in codes)
    for filling in (b"\x00", b"\x01", b"\x41", b"\x7f", b"\x80", b"\xff"):
        encoded = KNOWN + section(0x77, bytes([code]) + filling * width)
        assert bytes(event_of(encoded).row) == line_by_the_sdk("3", encoded)


# --- what the SDK cannot decode ---------------------------------------------------------------------------------------

LIST_AS_KEY = mapping([(held(0xC0, 1, b"\x41"), sized(0xA1, b"x"))])
UNDECODABLE = {
    "an array that is described by a list": section(0x77, b"\xe0\x05\x01\x00\x45\x54\x05"),
    "an array that is described twice": section(0x77, b"\xe0\x08\x01\x00\x53\x01\x00\x53\x02\x41"),
    "an array that ends before its constructor": section(0x77, b"\xe0\x01\x01\x54"),
    "an empty array that ends before its count": section(0x77, b"\xe0\x00\x00"),
    "1,500 lists in each other": section(0x77, nested(1500)),
    "a list as a key": section(0x77, LIST_AS_KEY),
    "a map as a key": section(0x77, mapping([(mapping([]), sized(0xA1, b"x"))])),
    "a type that AMQP does not have": section(0x77, b"\x5f\x00"),
    "a property that cannot be decoded": section(0x74, mapping([(sized(0xA1, b"p"), LIST_AS_KEY)])) + BODY,
    "a section that is none": section(0x6F, b"\x40"),
    "a body that is longer than the message": section(0x75, b"\xa0\x09{}"),
    "a list of fewer items than it says": section(0x77, b"\xc0\x03\x02\x41"),
    "a list of more bytes than its items": section(0x77, b"\xc0\x04\x01\x41\x41\x41"),
    "something after the message": BODY + b"\x01",
    "text in place of bytes": section(0x75, b"\x54\x05"),
}


@pytest.mark.parametrize("name", UNDECODABLE)
def test_a_message_that_cannot_be_decoded_is_kept_as_it_came_under_its_number(name: str) -> None:
    encoded = KNOWN + UNDECODABLE[name]
    found, row = event_of(encoded), row_of(encoded)
    assert (found.sequence_number, row["SEQUENCE_NUMBER"], row["OFFSET"]) == (7, 7, "123")
    assert base64.b64decode(row["RAW_BODY"]) == encoded
    assert "the AMQP message cannot be decoded: " in row["DECODE_ERROR"]
    assert "PAYLOAD" not in row


@pytest.mark.parametrize("code", [code for width in (1, 2, 4, 8, 16) for code in wire.OF_WIDTH[width]])
def test_a_value_that_ends_with_the_message_is_said_to_be_cut_short(code: int) -> None:
    cut = b"\xc1\x05\x02" + sized(0xA1, b"p") + bytes([code])
    assert "a value is longer than its container" in row_of(KNOWN + section(0x74, cut))["DECODE_ERROR"]


@pytest.mark.parametrize("name", UNDECODABLE)
def test_where_bodies_may_not_be_kept_it_is_refused_under_its_number(name: str) -> None:
    found = Envelope("3", "fail").event_of(KNOWN + UNDECODABLE[name])
    assert (found.sequence_number, found.offset) == (7, "123")
    assert found.refusal
    assert event_of(KNOWN + UNDECODABLE[name]).refusal is None


@pytest.mark.parametrize("size", [0x70, 0xFFFFFF00])
@pytest.mark.parametrize("item", [b"\xa0", b"\xb0", b"\xc0", b"\xe0", b"\x54"])
def test_an_array_that_ends_past_the_message_takes_no_time(size: int, item: bytes) -> None:
    array = b"\xf0" + struct.pack(">II", size, 0xFFFFFFFF) + item + bytes(4)
    found = event_of(KNOWN + section(0x74, mapping([(sized(0xA1, b"k"), array)])) + BODY)
    assert "RAW_BODY" in line_of(found)


def no_memory(*_: object) -> None:
    raise MemoryError


def test_a_process_without_memory_says_nothing_of_the_message(monkeypatch: pytest.MonkeyPatch) -> None:
    encoded = event(b"{}", application_properties={b"p": 1})
    for module in (message, properties_module):
        monkeypatch.setattr(module, "variant", no_memory)
    monkeypatch.setattr(amqp, "value", no_memory)
    for read in (event_of, body_of, last_enqueued):
        with pytest.raises(MemoryError):
            read(section(0x71, mapping([])) + encoded)


def test_its_number_is_found_beside_an_annotation_that_cannot_be_decoded() -> None:
    annotations = mapping([(sized(0xA3, b"odd"), LIST_AS_KEY), NUMBER])
    assert event_of(section(0x72, annotations) + BODY).sequence_number == 7


@pytest.mark.parametrize("annotations", [b"\x40", b"\x45", sized(0xA1, b"text"), mapping([(wire.OFFSET_KEY, b"\x40")])])
def test_a_message_without_a_number_has_a_row_and_no_number(annotations: bytes) -> None:
    assert event_of(section(0x72, annotations) + BODY).sequence_number is None


# --- what the SDK cannot decode, and AMQP allows ----------------------------------------------------------------------


def descriptors(code: int, name: bytes) -> tuple[bytes, ...]:
    number, symbol32 = bytes([code]), b"\xb3" + len(name).to_bytes(4, "big") + name
    return (b"\x53" + number, b"\x80" + bytes(7) + number, sized(0xA3, name), symbol32)


@pytest.mark.parametrize("number", descriptors(0x72, b"amqp:message-annotations:map"))
@pytest.mark.parametrize("body", descriptors(0x75, b"amqp:data:binary"))
def test_a_section_may_be_named_in_any_way(number: bytes, body: bytes) -> None:
    encoded = b"\x00" + number + mapping([NUMBER]) + b"\x00" + body + sized(0xA0, b"{}")
    assert row_of(encoded) == {"PAYLOAD": {}, "PARTITION_ID": "3", "SEQUENCE_NUMBER": 7}


def test_sections_that_are_null_are_as_none() -> None:
    encoded = section(0x70, b"\x40") + KNOWN + section(0x73, b"\x40") + section(0x74, b"\x40") + BODY
    assert row_of(encoded) == row_of(KNOWN + BODY)


def test_what_no_row_is_made_of_may_be_anything() -> None:
    odd = section(0x70, LIST_AS_KEY) + section(0x71, LIST_AS_KEY) + KNOWN + BODY + section(0x78, LIST_AS_KEY)
    assert row_of(odd) == row_of(KNOWN + BODY)


# --- counted, and asked of a message beside its row -------------------------------------------------------------------


def test_what_only_the_sdk_can_decode_is_counted() -> None:
    envelope = Envelope("3", "keep")
    counted = []
    for encoded in (
        event(b"{}"),
        event(b"{}", application_properties={b"p": 1}),
        event(b"{}", properties=Properties(message_id=b"m")),
        event(b"no json", properties=Properties(message_id=b"m")),
        KNOWN + section(0x77, b"\x98" + bytes(16)),
    ):
        envelope.event_of(encoded)
        counters = envelope.counted(Counters(rows_total=9))
        counted.append((counters.unusual_total, counters.decoded_by_sdk_total, counters.rows_total))
    assert counted == [(0, 0, 9), (0, 0, 9), (0, 0, 9), (1, 0, 9), (2, 1, 9)]


def test_the_last_number_of_the_partition_is_among_the_delivery_annotations() -> None:
    delivery = section(0x71, mapping([(sized(0xA3, b"last_enqueued_sequence_number"), b"\x55\x09")]))
    assert last_enqueued(section(0x70, b"\x45") + delivery + KNOWN + BODY) == LastEnqueued(9, None)
    assert last_enqueued(KNOWN + BODY) is None
    assert last_enqueued(section(0x71, LIST_AS_KEY) + KNOWN) is None
    assert last_enqueued(b"\x01") is None


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (BODY + BODY, b"{}{}"),
        (section(0x77, b"\x41"), None),
        (b"\x01", None),
        (section(0x75, b"\x40"), None),
        (section(0x75, b"\x54\x05") + BODY, None),
    ],
)
def test_a_body_is_what_came_in_sections_of_data(body: bytes, expected: bytes | None) -> None:
    assert body_of(KNOWN + body) == expected


@given(wire.MESSAGES, st.data())
def test_a_damaged_message_gives_a_row_or_is_refused_and_never_hangs(encoded: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(encoded) - 1))
    damaged = encoded[:at] + bytes([data.draw(st.integers(0, 255))]) + encoded[at + 1 :]
    for one in (damaged, encoded[:at], encoded[at:]):
        found = event_of(one)
        row = line_of(found)
        assert ("PAYLOAD" in row) != ("RAW_BODY" in row)


NULLS = held(0xE0, 10_000, b"\x40", large=True)  # nulls of an array take no byte


@pytest.mark.parametrize(
    "parts",
    [
        section(0x77, held(0xC0, 1000, 1000 * NULLS)),
        1000 * section(0x76, held(0xC0, 1, NULLS)),
        section(0x74, mapping([(sized(0xA1, b"%d" % number), NULLS) for number in range(1000)])) + BODY,
    ],
    ids=["value", "sequences", "properties"],
)
def test_few_bytes_of_arrays_are_not_millions_of_values(parts: bytes) -> None:
    tracemalloc.start()
    row = row_of(KNOWN + parts)
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()
    assert "arrays have more values without bytes than there are bytes" in row["DECODE_ERROR"]
    assert base64.b64decode(row["RAW_BODY"]) == KNOWN + parts


EMPTY_ARRAYS = (held(0xE0, 0, b"\xa1"), held(0xE0, 0, b"\xb3", large=True), held(0xE0, 0, b""))
TIMESPAN = b"\x00" + sized(0xA3, b"com.microsoft:timespan")


@pytest.mark.parametrize("array", EMPTY_ARRAYS)
def test_an_empty_array_may_have_a_constructor_as_proton_j_writes_it(array: bytes) -> None:
    row = row_of(KNOWN + section(0x74, mapping([(sized(0xA1, b"p"), array)])) + BODY)
    assert (row["PAYLOAD"], row["PROPERTIES"]) == ({}, {"p": []})
    assert row_of(KNOWN + section(0x77, held(0xC0, 2, array + sized(0xA1, b"x"))))["PAYLOAD"] == [[], "x"]


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize(
    ("items", "values"),
    [
        (TIMESPAN + b"\x81" + (36 * 10**9).to_bytes(8, "big") * 2, ["PT1H", "PT1H"]),
        (b"\x00\x53\x07\x54\x05\x06", [5, 6]),
        (b"\x00" + sized(0xA3, b"my:name") + b"\xa1\x01a\x00", ["a", ""]),
    ],
)
def test_one_descriptor_describes_all_values_of_an_array(items: bytes, values: list[object], *, large: bool) -> None:
    assert row_of(KNOWN + section(0x77, held(0xE0, 2, items, large=large)))["PAYLOAD"] == values


def test_an_array_may_be_of_values_without_bytes() -> None:
    array = held(0xE0, 3, b"\x41")
    assert row_of(KNOWN + section(0x77, held(0xC0, 2, array + sized(0xA1, b"x"))))["PAYLOAD"] == [[True] * 3, "x"]


TEXT, SYMBOL = sized(0xA1, b"k"), sized(0xA3, b"k")


@pytest.mark.parametrize(
    "pairs",
    [
        [(TEXT, b"\x54\x01"), (TEXT, b"\x54\x02")],
        [(TEXT, b"\x54\x01"), (SYMBOL, b"\x54\x02")],
        [(b"\x54\x01", b"\x54\x01"), (b"\x53\x01", b"\x54\x02")],
        [(b"\x41", b"\x54\x01"), (b"\x54\x01", b"\x54\x02")],
    ],
    ids=["text", "text and symbol", "int and ulong", "true and 1"],
)
@pytest.mark.parametrize("rare", [[], [(sized(0xA1, b"rare"), held(0xE0, 1, b"\x54\x07"))]], ids=["", "by the SDK"])
def test_a_key_twice_in_a_map_of_amqp_loses_no_value(
    pairs: list[tuple[bytes, bytes]], rare: list[tuple[bytes, bytes]]
) -> None:
    for parts in (section(0x74, mapping(pairs + rare)) + BODY, section(0x77, held(0xC0, 1, mapping(pairs + rare)))):
        row = row_of(KNOWN + parts)
        assert "a map has a key twice" in row["DECODE_ERROR"]
        assert base64.b64decode(row["RAW_BODY"]) == KNOWN + parts
        assert row["SEQUENCE_NUMBER"] == 7


VALUE = section(0x77, sized(0xA1, b"value"))
SEQUENCE = section(0x76, held(0xC0, 1, b"\x54\x01"))
TO = section(0x73, held(0xC0, 3, b"\x40\x40" + sized(0xA1, b"someone")))


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        (
            section(0x74, mapping([(TEXT, b"\x54\x01")])) + section(0x74, mapping([(SYMBOL, b"\x54\x02")])) + BODY,
            "a section twice",
        ),
        (TO + section(0x73, held(0xC0, 1, sized(0xA1, b"id"))) + BODY, "a section twice"),
        (KNOWN + BODY, "a section twice"),
        (VALUE + VALUE, "a section twice"),
        (BODY + VALUE, "bodies of two kinds"),
        (VALUE + BODY, "bodies of two kinds"),
        (BODY + SEQUENCE, "bodies of two kinds"),
        (SEQUENCE + VALUE, "bodies of two kinds"),
        (section(0x73, held(0xC0, 14, b"\x40" * 13 + b"\x54\x01")) + BODY, "more fields"),
    ],
)
@pytest.mark.parametrize("is_rare", [False, True], ids=["", "by the SDK"])
def test_a_section_that_would_hide_another_loses_no_value(parts: bytes, reason: str, is_rare: bool) -> None:
    rare = section(0x78, mapping([(TEXT, held(0xE0, 1, b"\x54\x07"))])) if is_rare else b""
    row = row_of(KNOWN + parts + rare)
    assert reason in row["DECODE_ERROR"]
    assert base64.b64decode(row["RAW_BODY"]) == KNOWN + parts + rare


def test_an_annotation_that_is_named_as_a_field_hides_no_other_annotation() -> None:
    names = [(sized(0xA3, name), sized(0xA1, name)) for name in (b"to", b"annotation:to")]
    for others in (names, names[::-1]):
        known = section(0x72, mapping([NUMBER, (wire.OFFSET_KEY, sized(0xA1, b"123")), *others]))
        kept = row_of(known + TO + BODY)["SYSTEM_PROPERTIES"]
        assert kept["to"] == "someone"
        assert sorted(kept.values()) == ["annotation:to", "someone", "to"]

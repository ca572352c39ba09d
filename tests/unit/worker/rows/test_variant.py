"""An AMQP value of any type and depth has its JSON."""

import json
import math
import uuid
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.eventhubs.amqp_types import install_decoders
from tests.unit.worker.rows.events import IN_A_MAP, event, message, nested_event, properties, row_of
from tests.unit.worker.rows.wire import held, sized
from worker.rows.variant import DEEPEST, encode, variant

DOTNET_TIME = b"\x00" + sized(0xA3, b"com.microsoft:datetime-offset") + b"\x81"  # behind it, a long


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
        (b"\x83" + (1_714_644_000_120).to_bytes(8, "big"), "2024-05-02T10:00:00.120000Z"),
        (DOTNET_TIME + (638_502_408_000_000_000).to_bytes(8, "big"), "2024-05-02T10:00:00Z"),
        (DOTNET_TIME + (638_502_408_000_000_001).to_bytes(8, "big"), "2024-05-02T10:00:00.0000001Z"),
        (DOTNET_TIME + b"\x7f" + b"\xff" * 7, 2**63 - 1),
        (DOTNET_TIME[:-1] + b"\xa1\x01x", "x"),
        (b"\x00" + sized(0xA3, b"com.microsoft:timespan") + b"\x81" + (36 * 10**9).to_bytes(8, "big"), "PT1H"),
        (b"\x00" + sized(0xA3, b"com.microsoft:uri") + sized(0xA1, b"https://a.example/"), "https://a.example/"),
        (held(0xC0, 1, DOTNET_TIME + bytes(8)), ["0001-01-01T00:00:00Z"]),
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

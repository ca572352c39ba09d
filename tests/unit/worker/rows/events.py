"""Events as the hub sends them: encoded by the SDK's own encoder, or by hand where that lacks a type."""

import json
import struct
from typing import Any

import msgspec
from azure.eventhub._pyamqp._encode import encode_payload
from azure.eventhub._pyamqp.message import Message, Properties
from azure.eventhub._pyamqp.types import TYPE, VALUE, AMQPTypes

from tests.unit.worker.rows import wire
from worker.rows.envelope import Envelope
from worker.rows.event import Event

ENQUEUED_MS = 1_700_000_000_123


def message(sequence_number: int | None = 5, **sections: Any) -> bytes:
    """An encoded message with these AMQP sections (`data`, `value`, `sequence`, `properties`, …)."""
    number = {} if sequence_number is None else {b"x-opt-sequence-number": long(sequence_number)}
    known = number | {b"x-opt-offset": b"123", b"x-opt-enqueued-time": long(ENQUEUED_MS)}
    odd = sections.pop("annotations", {})
    if odd or sequence_number is None:
        return bytes(encode_payload(bytearray(), Message(message_annotations=known | odd, **sections)))
    return usual_annotations(sequence_number) + bytes(encode_payload(bytearray(), Message(**sections)))


def usual_annotations(sequence_number: int) -> bytes:
    """The section of annotations as Event Hubs encodes it."""
    pairs = [
        (wire.SEQUENCE_KEY, b"\x81" + struct.pack(">q", sequence_number)),
        (wire.OFFSET_KEY, wire.sized(0xA1, b"123")),
        (wire.TIME_KEY, b"\x83" + struct.pack(">q", ENQUEUED_MS)),
    ]
    return wire.section(0x72, wire.mapping(pairs))


def event(body: bytes, sequence_number: int | None = 5, **sections: Any) -> bytes:
    """An encoded message with one data section."""
    return message(sequence_number, data=[body], **sections)


IN_A_LIST, IN_A_MAP = (0xD0, b""), (0xD1, b"\xa3\x01k")  # list32, map32 under one key


def nested(depth: int, container: tuple[int, bytes] = IN_A_LIST) -> bytes:
    """Containers in containers around the number 1.

    Written by hand: the SDK's encoder uses more of Python's stack for a level than its decoder.
    """
    code, key = container
    value = b"\x54\x01"
    for _ in range(depth):
        items = key + value
        value = struct.pack(">BII", code, len(items) + 4, 2 if key else 1) + items
    return value


def nested_event(depth: int, container: tuple[int, bytes] = IN_A_LIST) -> bytes:
    """A message whose body and whose annotation `deep` are `nested`."""
    value = nested(depth, container)
    pairs = b"\xa3\x04deep" + value
    return b"\x00\x53\x72" + struct.pack(">BII", 0xD1, len(pairs) + 4, 2) + pairs + b"\x00\x53\x77" + value


def events(*numbers: int) -> list[bytes]:
    """Messages with these sequence numbers."""
    return [event(b'{"n": %d}' % number, number) for number in numbers]


def long(value: int) -> dict[str, Any]:
    """A long of AMQP: the SDK's encoder makes an int of what has no type."""
    return {TYPE: AMQPTypes.long, VALUE: value}


def properties(**fields: Any) -> Properties:
    """The AMQP properties section."""
    return Properties(**fields)


def event_of(encoded: bytes) -> Event:
    """The event of a message of partition 3."""
    return Envelope("3", "keep").event_of(encoded)


def line_of(event: Event) -> dict[str, Any]:
    """The row as the SDK sends it (its encoder, its framing), proved to be one line, and read again."""
    line = msgspec.json.Encoder().encode_lines([event.row])
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert b"\r" not in line
    decoded: dict[str, Any] = json.loads(line)
    return decoded


def row_of(encoded: bytes) -> dict[str, Any]:
    """The columns of a message's row."""
    return line_of(event_of(encoded))

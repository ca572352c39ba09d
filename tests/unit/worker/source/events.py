"""Events as the SDK hands them over: decoded from AMQP bytes, not made by hand."""

import json
from typing import Any

import msgspec
from azure.eventhub import EventData
from azure.eventhub._pyamqp._encode import encode_payload
from azure.eventhub._pyamqp.message import Message, Properties
from azure.eventhub._pyamqp.types import TYPE, VALUE, AMQPTypes

from worker.source.envelope import Row

ENQUEUED_MS = 1_700_000_000_123


def message(sequence_number: int | None = 5, **sections: Any) -> EventData:
    """An event with the given AMQP sections (`data`, `value`, `sequence`, `properties`, `application_properties`)."""
    known = {b"x-opt-offset": b"123", b"x-opt-enqueued-time": long(ENQUEUED_MS)}
    if sequence_number is not None:
        known[b"x-opt-sequence-number"] = long(sequence_number)
    annotations = known | sections.pop("annotations", {})
    return EventData.from_bytes(
        bytes(encode_payload(bytearray(), Message(message_annotations=annotations, **sections)))
    )


def event(body: bytes, sequence_number: int | None = 5, **sections: Any) -> EventData:
    """An event with one data section."""
    return message(sequence_number, data=[body], **sections)


IN_A_LIST, IN_A_MAP = b"\xc0\xff\x01", b"\xc1\xff\x02\xa3\x01k"


def nested_event(depth: int, container: bytes = IN_A_LIST) -> EventData:
    """An event whose body and whose annotation `deep` are containers in containers around the number 1.

    Written by hand: the SDK's encoder uses more of Python's stack for a level than its decoder, which reads no sizes.
    """
    value = container * depth + b"\x54\x01"
    return EventData.from_bytes(b"\x00\x53\x72\xc1\xff\x02\xa3\x04deep" + value + b"\x00\x53\x77" + value)


def events(*numbers: int) -> list[EventData]:
    """Events with these sequence numbers."""
    return [event(b'{"n": %d}' % number, number) for number in numbers]


def long(value: int) -> dict[str, Any]:
    """A long of AMQP: the SDK's encoder makes an int of what has no type."""
    return {TYPE: AMQPTypes.long, VALUE: value}


def properties(**fields: Any) -> Properties:
    """The AMQP properties section."""
    return Properties(**fields)


def line_of(row: Row) -> dict[str, Any]:
    """The row as the SDK sends it (its encoder, its framing), proved to be one line, and read again."""
    line = msgspec.json.Encoder().encode_lines([row])
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert b"\r" not in line
    decoded: dict[str, Any] = json.loads(line)
    return decoded

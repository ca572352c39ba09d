"""AMQP frames: what the server sends, always at full width, and what it reads.

The SDK's client indexes the fields of a performative by position without looking at their count, so a field that may
be left out at the end of a list must still be sent as null. Source for the fields:
https://docs.oasis-open.org/amqp/core/v1.0/os/amqp-core-transport-v1.0-os.html
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from scripts.localcloud.hub.wire import values

SASL_HEADER = b"AMQP\x03\x01\x00\x00"
AMQP_HEADER = b"AMQP\x00\x01\x00\x00"
EMPTY_FRAME = b"\x00\x00\x00\x08\x02\x00\x00\x00"
HEADER_BYTES = 8
AMQP_TYPE = 0
SASL_TYPE = 1


class Code(IntEnum):
    """Descriptor codes of the performatives."""

    OPEN = 0x10
    BEGIN = 0x11
    ATTACH = 0x12
    FLOW = 0x13
    TRANSFER = 0x14
    DISPOSITION = 0x15
    DETACH = 0x16
    END = 0x17
    CLOSE = 0x18
    SASL_MECHANISMS = 0x40
    SASL_INIT = 0x41
    SASL_OUTCOME = 0x44


WIDTHS = {
    Code.OPEN: 10,
    Code.BEGIN: 8,
    Code.ATTACH: 14,
    Code.FLOW: 11,
    Code.TRANSFER: 11,
    Code.DISPOSITION: 6,
    Code.DETACH: 3,
    Code.END: 1,
    Code.CLOSE: 1,
    Code.SASL_MECHANISMS: 1,
    Code.SASL_OUTCOME: 2,
}
"""Number of fields of each performative that the server sends."""

_ERROR = 0x1D
_ACCEPTED = 0x24
_REJECTED = 0x25
_SOURCE = 0x28
_TARGET = 0x29
_SOURCE_WIDTH = 11
_TARGET_WIDTH = 7


@dataclass(frozen=True, slots=True)
class Fault:
    """An AMQP error: the condition decides what the SDK does, the description is what its user reads."""

    condition: str
    description: str


class Fields:
    """The fields of a received performative, decoded when asked for; a field left out reads as null."""

    __slots__ = ("items",)

    def __init__(self, items: list[bytes]) -> None:
        self.items = items

    def raw(self, index: int) -> bytes:
        """Return the encoded field."""
        return self.items[index] if index < len(self.items) else values.NULL

    def value(self, index: int) -> object:
        """Return the decoded field."""
        return values.decode(self.raw(index))[0]

    def number(self, index: int, default: int = 0) -> int:
        """Return an integer field, or `default` where it is null."""
        value = self.value(index)
        return value if isinstance(value, int) else default

    def text(self, index: int) -> str:
        """Return a string or symbol field, empty where it is null."""
        value = self.value(index)
        return value if isinstance(value, str) else ""

    def flag(self, index: int) -> bool:
        """Return a boolean field, false where it is null."""
        return self.value(index) is True

    def entries(self, index: int) -> dict[object, object]:
        """Return a map field, empty where it is null."""
        value = self.value(index)
        return value if isinstance(value, dict) else {}

    def nested(self, index: int) -> "Fields":
        """Return the fields of a described list, such as a source or a target."""
        raw = self.raw(index)
        if raw[:1] != b"\x00":
            return Fields([])
        return Fields(values.raw_items(raw, values.skip(raw, 1))[0])


@dataclass(frozen=True, slots=True)
class Frame:
    """A received frame: the performative's code, its fields, and the payload of a transfer."""

    channel: int
    code: int
    fields: Fields
    payload: bytes


def parse(channel: int, body: bytes) -> Frame:
    """Read a frame body that is not empty."""
    if body[:1] != b"\x00":
        raise values.MalformedValueError("A frame body must start with a described list.")
    descriptor, at = values.decode(body, 1)
    if not isinstance(descriptor, int):
        raise values.MalformedValueError(f"Performative {descriptor!r} is not known by a number.")
    items, end = values.raw_items(body, at)
    return Frame(channel, descriptor, Fields(items), body[end:])


def frame(channel: int, body: bytes, kind: int = AMQP_TYPE) -> bytes:
    """Put the frame header in front of a performative."""
    return struct.pack(">IBBH", HEADER_BYTES + len(body), 2, kind, channel) + body


def performative(code: Code, fields: Sequence[bytes]) -> bytes:
    """Encode a performative, filled up with nulls to its full width."""
    missing = WIDTHS[code] - len(fields)
    return values.described(code, values.listing([*fields, *([values.NULL] * missing)]))


def opening(container: str, max_frame_bytes: int, channel_max: int, idle_ms: int) -> bytes:
    """Encode an open."""
    fields = [values.string(container), values.NULL, values.uint(max_frame_bytes), values.ushort(channel_max)]
    return performative(Code.OPEN, [*fields, values.uint(idle_ms)])


def begin(remote_channel: int, incoming_window: int, outgoing_window: int, handle_max: int) -> bytes:
    """Encode the answer to a begin."""
    counts = [values.uint(count) for count in (0, incoming_window, outgoing_window, handle_max)]
    return performative(Code.BEGIN, [values.ushort(remote_channel), *counts])


def terminus(source: Fields | None, target: Fields | None) -> tuple[bytes, bytes]:
    """Encode a source and a target as the client named them, or null where there is none."""
    return _terminus(_SOURCE, _SOURCE_WIDTH, source), _terminus(_TARGET, _TARGET_WIDTH, target)


def _terminus(code: int, width: int, fields: Fields | None) -> bytes:
    if fields is None or not fields.items:
        return values.NULL
    return values.described(code, values.listing([fields.raw(index) for index in range(width)]))


def disposition(first: int, last: int) -> bytes:
    """Encode that deliveries `first` to `last`, received by the server, are accepted and settled."""
    accepted = values.described(_ACCEPTED, b"\x45")
    return performative(Code.DISPOSITION, [values.TRUE, values.uint(first), values.uint(last), values.TRUE, accepted])


def rejection(delivery: int, fault: Fault) -> bytes:
    """Encode that a delivery, received by the server, is rejected and settled."""
    rejected = values.described(_REJECTED, values.listing([error(fault)]))
    number = values.uint(delivery)
    return performative(Code.DISPOSITION, [values.TRUE, number, number, values.TRUE, rejected])


def detach(handle: int, fault: Fault | None) -> bytes:
    """Encode a closing detach."""
    return performative(Code.DETACH, [values.uint(handle), values.TRUE, error(fault)])


def end(fault: Fault | None = None) -> bytes:
    """Encode an end."""
    return performative(Code.END, [error(fault)])


def close(fault: Fault | None = None) -> bytes:
    """Encode a close."""
    return performative(Code.CLOSE, [error(fault)])


def error(fault: Fault | None) -> bytes:
    """Encode an error with its three fields, or null."""
    if fault is None:
        return values.NULL
    text = [values.symbol(fault.condition), values.string(fault.description), values.NULL]
    return values.described(_ERROR, values.listing(text))


def sasl_mechanisms(names: list[str]) -> bytes:
    """Encode the mechanisms on offer."""
    return performative(Code.SASL_MECHANISMS, [values.symbol_array(names)])


def sasl_outcome(code: int) -> bytes:
    """Encode the end of the SASL exchange; 0 is success."""
    return performative(Code.SASL_OUTCOME, [values.ubyte(code)])

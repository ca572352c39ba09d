"""AMQP 1.0 values to bytes and back.

Encoders return bytes and are composed by the caller, so a type is always chosen on purpose; decoding returns plain
Python values. Source: https://docs.oasis-open.org/amqp/core/v1.0/os/amqp-core-types-v1.0-os.html
"""

import struct
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass

NULL = b"\x40"
TRUE = b"\x41"
FALSE = b"\x42"

_MAX_SMALL = 255
# Payload width of the fixed types, by the high four bits of the constructor.
_FIXED_WIDTHS = {0x4: 0, 0x5: 1, 0x6: 2, 0x7: 4, 0x8: 8, 0x9: 16}
# Width of the size field of variable, compound and array types, likewise.
_SIZE_WIDTHS = {0xA: 1, 0xB: 4, 0xC: 1, 0xD: 4, 0xE: 1, 0xF: 4}


class MalformedValueError(ValueError):
    """Bytes that are no AMQP value; the peer gets `amqp:decode-error`."""


class Symbol(str):
    """A symbol, kept apart from a string because the two are different types on the wire."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Described:
    """A value with its descriptor, such as a filter or a delivery state."""

    descriptor: object
    value: object


def boolean(value: bool) -> bytes:
    """Encode a boolean in its one-byte form."""
    return TRUE if value else FALSE


def ubyte(value: int) -> bytes:
    """Encode an unsigned 8-bit integer."""
    return struct.pack(">BB", 0x50, value)


def ushort(value: int) -> bytes:
    """Encode an unsigned 16-bit integer."""
    return struct.pack(">BH", 0x60, value)


def uint(value: int) -> bytes:
    """Encode an unsigned 32-bit integer; serial numbers wrap, as RFC 1982 wants."""
    return struct.pack(">BI", 0x70, value & 0xFFFFFFFF)


def integer(value: int) -> bytes:
    """Encode a signed 32-bit integer."""
    return struct.pack(">Bi", 0x71, value)


def ulong(value: int) -> bytes:
    """Encode an unsigned 64-bit integer."""
    return struct.pack(">BQ", 0x80, value)


def long(value: int) -> bytes:
    """Encode a signed 64-bit integer."""
    return struct.pack(">Bq", 0x81, value)


def timestamp(milliseconds: int) -> bytes:
    """Encode a point in time, in milliseconds since 1970 (UTC)."""
    return struct.pack(">Bq", 0x83, milliseconds)


def string(value: str) -> bytes:
    """Encode text as UTF-8."""
    return _variable(0xA1, value.encode())


def symbol(value: str) -> bytes:
    """Encode an ASCII symbol."""
    return _variable(0xA3, value.encode("ascii"))


def binary(value: bytes) -> bytes:
    """Encode opaque bytes."""
    return _variable(0xA0, value)


def listing(items: Iterable[bytes]) -> bytes:
    """Encode a list of encoded values, never in the empty form that the SDK's frame reader cannot take."""
    encoded = list(items)
    return _compound(0xC0, b"".join(encoded), len(encoded))


def mapping(pairs: bytes, count: int) -> bytes:
    """Encode a map from `count` key-value pairs that are encoded already and joined."""
    return _compound(0xC1, pairs, 2 * count)


def fields(entries: dict[str, bytes]) -> bytes:
    """Encode a map with symbols as keys."""
    return mapping(b"".join(symbol(key) + value for key, value in entries.items()), len(entries))


def texts(entries: dict[str, bytes]) -> bytes:
    """Encode a map with strings as keys."""
    return mapping(b"".join(string(key) + value for key, value in entries.items()), len(entries))


def string_array(values: list[str]) -> bytes:
    """Encode an array of strings."""
    return _array(0xB1, [value.encode() for value in values])


def symbol_array(values: list[str]) -> bytes:
    """Encode an array of symbols."""
    return _array(0xB3, [value.encode("ascii") for value in values])


def described(code: int, value: bytes) -> bytes:
    """Put a numeric descriptor in front; it is a small ulong because the SDK looks for it at a fixed place."""
    return b"\x00\x53" + bytes((code,)) + value


def decode(data: bytes, at: int = 0) -> tuple[object, int]:
    """Return the value that starts at `at`, and where the next one starts."""
    try:
        return _decode(data, at)
    except (IndexError, KeyError, struct.error, UnicodeDecodeError, RecursionError) as error:
        raise MalformedValueError(f"No AMQP value at byte {at} of {len(data)}: {error!r}") from error


def skip(data: bytes, at: int) -> int:
    """Return where the value that starts at `at` ends, without decoding it."""
    try:
        code = data[at]
        if code == 0:
            return skip(data, skip(data, at + 1))
        width = _FIXED_WIDTHS.get(code >> 4)
        if width is not None:
            return at + 1 + width
        size_width = _SIZE_WIDTHS[code >> 4]
        start = at + 1 + size_width
        return start + int.from_bytes(data[at + 1 : start], "big")
    except (IndexError, KeyError) as error:
        raise MalformedValueError(f"No AMQP value at byte {at} of {len(data)}: {error!r}") from error


def raw_items(data: bytes, at: int) -> tuple[list[bytes], int]:
    """Cut a list or a map into its encoded items; return them and where the compound ends."""
    code = data[at] if at < len(data) else 0
    if code == 0x45:  # the empty list
        return [], at + 1
    if code not in {0xC0, 0xC1, 0xD0, 0xD1}:
        raise MalformedValueError(f"Constructor 0x{code:02x} at byte {at} is neither a list nor a map.")
    width = _SIZE_WIDTHS[code >> 4]
    end = skip(data, at)
    count = int.from_bytes(data[at + 1 + width : at + 1 + 2 * width], "big")
    items, place = [], at + 1 + 2 * width
    for _ in range(count):
        following = skip(data, place)
        items.append(data[place:following])
        place = following
    if place > end or end > len(data):
        raise MalformedValueError(f"The compound at byte {at} is longer than its size says.")
    return items, end


def _variable(code: int, value: bytes) -> bytes:
    if len(value) <= _MAX_SMALL:
        return bytes((code, len(value))) + value
    return struct.pack(">BI", code + 0x10, len(value)) + value


def _compound(code: int, body: bytes, count: int) -> bytes:
    if len(body) < _MAX_SMALL and count <= _MAX_SMALL:
        return bytes((code, len(body) + 1, count)) + body
    return struct.pack(">BII", code + 0x10, len(body) + 4, count) + body


def _array(element: int, values: list[bytes]) -> bytes:
    body = b"".join(struct.pack(">I", len(value)) + value for value in values)
    return struct.pack(">BIIB", 0xF0, len(body) + 5, len(values), element) + body


def _decode(data: bytes, at: int) -> tuple[object, int]:
    code = data[at]
    if code:
        return _decode_body(code, data, at + 1)
    descriptor, at = _decode(data, at + 1)
    value, at = _decode(data, at)
    return Described(descriptor, value), at


def _decode_body(code: int, data: bytes, at: int) -> tuple[object, int]:
    kind = code >> 4
    width = _FIXED_WIDTHS.get(kind)
    if width is not None:
        return _SCALARS[code](_take(data, at, width)), at + width
    size_width = _SIZE_WIDTHS[kind]
    start = at + size_width
    size = int.from_bytes(_take(data, at, size_width), "big")
    if kind <= 0xB:
        return _SCALARS[code & 0xEF](_take(data, start, size)), start + size
    count = int.from_bytes(_take(data, start, size_width), "big")
    if kind <= 0xD:
        return _decode_compound(code, data, start + size_width, count), start + size
    return _decode_array(data, start + size_width, count), start + size


def _decode_compound(code: int, data: bytes, at: int, count: int) -> object:
    values = []
    for _ in range(count):
        value, at = _decode(data, at)
        values.append(value)
    if code & 0xF:
        return dict(zip(values[::2], values[1::2], strict=True))
    return values


def _decode_array(data: bytes, at: int, count: int) -> list[object]:
    code, at = data[at], at + 1
    values = []
    for _ in range(count):
        value, at = _decode_body(code, data, at)
        values.append(value)
    return values


def _take(data: bytes, at: int, width: int) -> bytes:
    piece = data[at : at + width]
    if len(piece) != width:
        raise IndexError(f"{width} bytes wanted, {len(piece)} left")
    return piece


def _unsigned(piece: bytes) -> int:
    return int.from_bytes(piece, "big")


def _signed(piece: bytes) -> int:
    return int.from_bytes(piece, "big", signed=True)


_SCALARS: dict[int, Callable[[bytes], object]] = {
    0x40: lambda _: None,
    0x41: lambda _: True,
    0x42: lambda _: False,
    0x43: lambda _: 0,
    0x44: lambda _: 0,
    0x45: lambda _: [],
    0x56: lambda piece: piece == b"\x01",
    0x72: lambda piece: struct.unpack(">f", piece)[0],
    0x73: lambda piece: piece.decode("utf-32-be"),
    0x82: lambda piece: struct.unpack(">d", piece)[0],
    0x98: lambda piece: uuid.UUID(bytes=piece),
    0xA0: bytes,
    0xA1: lambda piece: piece.decode(),
    0xA3: lambda piece: Symbol(piece.decode("ascii")),
    # Decimals are passed through by this server, never computed with.
    0x74: bytes,
    0x84: bytes,
    0x94: bytes,
    **dict.fromkeys((0x50, 0x52, 0x53, 0x60, 0x70, 0x80), _unsigned),
    **dict.fromkeys((0x51, 0x54, 0x55, 0x61, 0x71, 0x81, 0x83), _signed),
}

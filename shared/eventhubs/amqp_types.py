"""Decoders of AMQP types that senders in other languages use, and that the SDK lacks or decodes wrongly.

A `char` property of .NET, a decimal of Java: one such event would end every receiver of its partition for good, because
the SDK has no decoder for it. Of a `decimal` of .NET beyond 32 bits the SDK gives another number. Of times it gives
bare numbers: of AMQP's own in milliseconds, of .NET's in units of 100 ns. Here they are text of ISO 8601.
https://github.com/Azure/azure-sdk-for-python/blob/main/sdk/eventhub/azure-eventhub/azure/eventhub/_pyamqp/_decode.py
"""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from struct import Struct
from typing import Any, TypeAlias

from azure.eventhub._pyamqp import _decode

from shared import iso8601

Decoder: TypeAlias = Callable[[memoryview], tuple[memoryview, object]]

NO_NUMBER = 0b11  # the two bits after the sign: infinity, not a number, and digits beyond the type's own
# Microsoft.Azure.Amqp writes the exponent's upper half, which is 48 for every decimal of .NET, shifted by two bits.
DOTNET_HALF, HALF = 12, 48
TIMESTAMP, DESCRIBED = 0x83, 0x00
SYMBOLS = (0xA3, 0xB3)
YEAR_1 = datetime(1, 1, 1)  # noqa: DTZ001 (.NET counts from there, in UTC)
TICKS = 10_000_000  # in a second

_long = Struct(">q").unpack_from


class Timestamp(int):
    """A time of AMQP: milliseconds since 1970, in UTC. Told from other numbers, so that a row can have it as text."""

    @property
    def shown(self) -> str | int:
        """ISO 8601, as the enqueued time of a row; the number where the calendar has no such year."""
        text = iso8601.date_time(self, 1000)
        return f"{text}Z" if text else int(self)

    def __str__(self) -> str:
        return str(self.shown)


def install_decoders() -> None:
    """Put these into the SDK's table of decoders."""
    for constructor, decode in _DECODERS.items():
        _decode._DECODE_BY_CONSTRUCTOR[constructor] = decode


def timestamp(data: bytes, at: int) -> tuple[Timestamp, int]:
    """The time that is there, and where it ends."""
    return Timestamp(_long(data, at)[0]), at + 8


def _timestamp(buffer: memoryview) -> tuple[memoryview, object]:
    return buffer[8:], Timestamp(_long(buffer)[0])


def _described(buffer: memoryview) -> tuple[memoryview, object]:
    """A value behind a symbol that says what it is; by the SDK, which gives the value alone, unless we know it."""
    if buffer[0] in SYMBOLS:
        behind, name = _value(buffer)
        if name in _DOTNET:
            behind, value = _value(behind)
            return behind, _meant(name, value)
    return _decode_described(buffer)


def _array(width: int, decode: Decoder) -> Decoder:
    """An array whose size and count have so many bytes. `decode` is the SDK's: it does not know that an empty one may
    have a constructor, as proton-j writes it, and that one constructor may describe all values.
    """

    def decode_array(buffer: memoryview) -> tuple[memoryview, object]:
        count, first = int.from_bytes(buffer[width : 2 * width], "big"), buffer[2 * width :]
        if not count:
            return buffer[width + int.from_bytes(buffer[:width], "big") :], []
        if first[0] != DESCRIBED:
            return decode(buffer)
        behind, name = _value(first[1:])
        decode_item, rest, items = _decode._DECODE_BY_CONSTRUCTOR[behind[0]], behind[1:], list[object]()
        for _ in range(count):
            rest, value = decode_item(rest)
            items.append(_meant(name, value))
        return rest, items

    return decode_array


def _value(buffer: memoryview) -> tuple[memoryview, Any]:
    """The value whose constructor comes first, and what is behind it."""
    found: tuple[memoryview, Any] = _decode._DECODE_BY_CONSTRUCTOR[buffer[0]](buffer[1:])
    return found


def _meant(name: object, value: object) -> object:
    """What a described value is: the value alone where its name says nothing to us."""
    make = _DOTNET.get(name)
    return make(value) if make and type(value) is int else value


def _dotnet_time(ticks: int) -> object:
    """A DateTimeOffset, whose zone is not sent; the number where it is none."""
    text = iso8601.date_time(ticks, TICKS, YEAR_1)
    return f"{text}Z" if text else ticks


def _dotnet_duration(ticks: int) -> object:
    return iso8601.duration(ticks, TICKS)


# Those of .NET and of Java: https://github.com/Azure/azure-sdk-for-net/blob/main/sdk/core/Azure.Core.Amqp/src
_DOTNET: dict[object, Callable[[int], object]] = {
    b"com.microsoft:datetime-offset": _dotnet_time,
    b"com.microsoft:timespan": _dotnet_duration,
}


def _char(buffer: memoryview) -> tuple[memoryview, object]:
    """A character in UTF-32; its bytes in digits when it is none."""
    try:
        return buffer[4:], str(buffer[:4], "utf-32-be")
    except UnicodeDecodeError:
        return buffer[4:], "0x" + buffer[:4].hex()


def _decimal(width: int, exponent_bits: int, bias: int) -> Decoder:
    """IEEE 754 decimals, binary integers times a power of ten; the bytes, in digits, of what is no number.

    https://docs.oasis-open.org/amqp/core/v1.0/os/amqp-core-types-v1.0-os.html#type-decimal128
    """
    digits_bits = 8 * width - 1 - exponent_bits

    def decode(buffer: memoryview) -> tuple[memoryview, object]:
        word = int.from_bytes(buffer[:width], "big")
        if word >> (8 * width - 3) & NO_NUMBER == NO_NUMBER:
            return buffer[width:], "0x" + buffer[:width].hex()
        exponent = word >> digits_bits & (1 << exponent_bits) - 1
        if width == 16 and exponent >> 7 == DOTNET_HALF:
            exponent += (HALF - DOTNET_HALF) << 7
        digits = tuple(map(int, str(word & (1 << digits_bits) - 1)))
        return buffer[width:], Decimal((word >> (8 * width - 1), digits, exponent - bias))

    return decode


_decode_described = _decode._decode_described
_DECODERS: dict[int, Decoder] = {
    DESCRIBED: _described,
    TIMESTAMP: _timestamp,
    0x73: _char,
    0x74: _decimal(4, 8, 101),
    0x84: _decimal(8, 10, 398),
    0x94: _decimal(16, 14, 6176),
    0xE0: _array(1, _decode._decode_array_small),
    0xF0: _array(4, _decode._decode_array_large),
}

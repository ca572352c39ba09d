"""Decoders of AMQP types that senders in other languages use, and that the SDK lacks or decodes wrongly.

A `char` property of .NET, a decimal of Java: one such event would end every receiver of its partition for good, because
the SDK has no decoder for it. Of a `decimal` of .NET beyond 32 bits the SDK gives another number.
https://github.com/Azure/azure-sdk-for-python/blob/main/sdk/eventhub/azure-eventhub/azure/eventhub/_pyamqp/_decode.py
"""

from collections.abc import Callable
from decimal import Decimal
from typing import TypeAlias

from azure.eventhub._pyamqp import _decode

Decoder: TypeAlias = Callable[[memoryview], tuple[memoryview, object]]

NO_NUMBER = 0b11  # the two bits after the sign: infinity, not a number, and digits beyond the type's own
# Microsoft.Azure.Amqp writes the exponent's upper half, which is 48 for every decimal of .NET, shifted by two bits.
DOTNET_HALF, HALF = 12, 48


def install_decoders() -> None:
    """Put these into the SDK's table of decoders."""
    for constructor, decode in _DECODERS.items():
        _decode._DECODE_BY_CONSTRUCTOR[constructor] = decode


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


_DECODERS: dict[int, Decoder] = {
    0x73: _char,
    0x74: _decimal(4, 8, 101),
    0x84: _decimal(8, 10, 398),
    0x94: _decimal(16, 14, 6176),
}

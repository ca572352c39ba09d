"""AMQP values in an encoded message: where each of them ends, and the common ones decoded.

The SDK's decoder copies a view of the rest of the message for every value, and trusts no size. Here a value is read in
place, and a section ends where its size says. Types that are rare in events are left to the SDK's own functions.
https://docs.oasis-open.org/amqp/core/v1.0/os/amqp-core-types-v1.0-os.html
"""

from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import suppress
from struct import Struct
from struct import error as struct_error
from typing import Any, TypeAlias

from shared.eventhubs.amqp_types import TIMESTAMP, timestamp
from shared.eventhubs.sdk_internals import decode_value

Decoder: TypeAlias = Callable[[bytes, int], tuple[Any, int]]
Unfinished: TypeAlias = tuple[int, int, int | None]
"""A container: where it ends, how many values are still to come, and their constructor when they share one."""

DESCRIBED = 0x00
DESCRIPTORS = b"\x53\x80\xa3\xb3"  # smallulong, ulong, sym8, sym32
MAP8, MAP32 = 0xC1, 0xD1
MAP_HEADS = {MAP8: 3, MAP32: 9}  # bytes of a map in front of its first key
HEADER, DELIVERY_ANNOTATIONS, ANNOTATIONS, PROPERTIES, APPLICATION_PROPERTIES, DATA, SEQUENCE, VALUE, FOOTER = range(
    0x70, 0x79
)
SECTIONS = {
    HEADER: b"amqp:header:list",
    DELIVERY_ANNOTATIONS: b"amqp:delivery-annotations:map",
    ANNOTATIONS: b"amqp:message-annotations:map",
    PROPERTIES: b"amqp:properties:list",
    APPLICATION_PROPERTIES: b"amqp:application-properties:map",
    DATA: b"amqp:data:binary",
    SEQUENCE: b"amqp:amqp-sequence:list",
    VALUE: b"amqp:amqp-value:*",
    FOOTER: b"amqp:footer:map",
}
NULL, TEXT8 = 0x40, b"\xa1\xa3"  # null; str8, sym8
_BY_NAME = {name: code for code, name in SECTIONS.items()}
# Bytes of a value by the upper half of its constructor; from 0xA on that many hold its size.
LISTS, ARRAYS = 0xC, 0xE
_FIXED = {0x4: 0, 0x5: 1, 0x6: 2, 0x7: 4, 0x8: 8, 0x9: 16}
_SIZED = {0xA: 1, 0xB: 4, 0xC: 1, 0xD: 4, 0xE: 1, 0xF: 4}


class Malformed(Exception):
    """An encoded message does not hold what its own sizes say; the text says where, and nothing of what is in it."""


def end_of(data: bytes, at: int) -> int:
    """Where the value ends whose constructor is at `at`. Raises `Malformed` when that is past the data."""
    end = at
    values = 1  # a described value is two: the descriptor, and what it describes
    while values:
        if end >= len(data):
            raise Malformed(f"the message ends in the middle of a value (byte {at})")
        code, end, values = data[end], end + 1, values - 1
        if code == DESCRIBED:
            values += 2
        elif (width := _FIXED.get(code >> 4)) is not None:
            end += width
        elif width := _SIZED.get(code >> 4):
            end += width + int.from_bytes(data[end : end + width], "big")
        else:
            raise Malformed(f"no AMQP type has the code 0x{code:02x} (byte {end - 1})")
    if end > len(data):
        raise Malformed(f"a value is longer than the message (byte {at})")
    return end


def sections(message: bytes) -> Iterator[tuple[int, int, int]]:
    """Each section of a message: its code, and where its value begins and ends. Raises `Malformed`."""
    at = 0
    while at < len(message):
        inner = end_of(message, at + 1)
        end = end_of(message, inner)
        if (code := descriptor(message, at, _BY_NAME)) not in SECTIONS:
            raise Malformed(f"there is no section of a message (byte {at})")
        yield code, inner, end
        at = end


def descriptor(data: bytes, at: int, names: Mapping[bytes, int]) -> int:
    """The code of the described value at `at`, which its descriptor gives as a number or as one of `names`; 0: neither.

    https://docs.oasis-open.org/amqp/core/v1.0/os/amqp-core-types-v1.0-os.html#section-descriptor-values
    """
    if data[at] != DESCRIBED or data[at + 1] not in DESCRIPTORS:
        return 0
    code = DECODERS[data[at + 1]](data, at + 2)[0]
    return names.get(code, 0) if type(code) is bytes else code


class Rare(Exception):
    """A value holds a type that is rare in events: it is left to the SDK."""


MISREAD = LookupError, TypeError, ValueError, RecursionError, Malformed, Rare, struct_error
"""What a pass raises that believes counts and knows the common types alone."""


def value(message: bytes, at: int, end: int) -> Any:
    """The value that fills these bytes. Raises `Rare` for a type that it does not know, and `Malformed`."""
    try:
        found, stop = DECODERS[message[at]](message, at + 1)
    # Also where its bytes end too early: the SDK's way looks at each size first, and says where.
    except (LookupError, TypeError, RecursionError, struct_error) as error:
        raise Rare from error
    return _filling(found, stop, end)


def value_by_sdk(message: bytes, at: int, end: int) -> Any:
    """The same by the SDK's functions; raises whatever they raise for what they cannot decode.

    They look at no size: what is longer than its container would be cut short, or read on in the next value.
    """
    pairs = require_whole(message, at, end)
    found, stop = decode_value(message, at, end)
    if pairs and _pairs_in(found) < pairs:
        raise Malformed(f"a map has a key twice (byte {at})")
    return _filling(found, stop, end)


def _pairs_in(found: Any) -> int:
    """How many keys the maps in a value have."""
    containers, pairs = [found], 0
    for each in containers:  # grows on the way
        if isinstance(each, dict):
            pairs += len(each)
            containers += each.keys()
            containers += each.values()
        elif isinstance(each, list | tuple):
            containers += each
    return pairs


def require_whole(data: bytes, at: int, end: int) -> int:
    """Raise `Malformed` unless each container in a value holds just the values that it says; how many keys its maps
    have. Calls itself nowhere: a value may be deeper than Python's stack.
    """
    # Of all arrays together: a dozen bytes can be a million nulls, and a message has room for thousands of such arrays.
    bare_left, pairs = end - at, 0
    unfinished: list[Unfinished] = [(end, 1, None)]
    while unfinished:
        stop, left, code = unfinished.pop()
        if not left:
            _require_end(at, stop)
            continue
        if at >= stop:
            raise Malformed(f"a container holds fewer values than it says (byte {at})")
        if code is None:
            code, at = data[at], at + 1
            if code == DESCRIBED:  # in its place come two: the descriptor, and what it describes
                unfinished.append((stop, left + 1, None))
                continue
            unfinished.append((stop, left - 1, None))
        else:
            unfinished.append((stop, left - 1, code))
        at, inside, bare = _inside(data, at, code)
        bare_left -= bare
        if bare_left < 0:
            raise Malformed(f"arrays have more values without bytes than there are bytes (byte {at - 1})")
        if at > stop or (inside and inside[0] > stop):  # past the message each value is empty, and takes no end
            raise Malformed(f"a value is longer than its container (byte {at})")
        if inside:
            unfinished.append(inside)
            pairs += inside[1] // 2 if code in MAP_HEADS else 0
    return pairs


def _inside(data: bytes, at: int, code: int) -> tuple[int, Unfinished | None, int]:
    """Where a value goes on, after its constructor `code`: at its end, or where the first value in it begins. And how
    many values of an array take no byte.
    """
    kind = code >> 4
    if (width := _FIXED.get(kind)) is not None:
        return at + width, None, 0
    if (width := _SIZED.get(kind)) is None:
        raise Malformed(f"no AMQP type has the code 0x{code:02x} (byte {at - 1})")
    head = at + width
    stop = head + int.from_bytes(data[at:head], "big")
    if kind < LISTS:
        return stop, None, 0
    count, first = int.from_bytes(data[head : head + width], "big"), head + width
    if kind < ARRAYS:
        return first, (stop, count, None), 0
    if stop < first + bool(count):
        raise Malformed(f"an array has no constructor (byte {at - 1})")
    if not count:
        return stop, None, 0  # with a constructor or without
    if data[first] == DESCRIBED:  # once for all values
        first = _behind_descriptor(data, first)
    each = data[first]
    if (width := _FIXED.get(each >> 4)) is not None:
        return first + 1 + count * width, (stop, 0, None), 0 if width else count
    return first + 1, (stop, count, each), 0


def _behind_descriptor(data: bytes, at: int) -> int:
    """Where the constructor is that the one at `at` describes. Raises `Malformed`."""
    end = end_of(data, at + 1)
    if data[at + 1] not in DESCRIPTORS or end >= len(data) or data[end] == DESCRIBED:
        raise Malformed(f"the values of an array are described in a way that nobody uses (byte {at})")
    return end


def _filling(found: Any, stop: int, end: int) -> Any:
    if stop != end:
        raise Malformed(f"a value does not fill its section, which ends with byte {end - 1}")
    return found


def map_size(data: bytes, at: int) -> tuple[int, int]:
    """How many keys and values the map at `at` says that it has, and where it says that it ends."""
    if data[at] == MAP8:
        return data[at + 2], at + 2 + data[at + 1]
    size, count = _SIZE_AND_COUNT(data, at + 1)
    return count, at + 5 + size


def shown(message: bytes, names: Container[bytes]) -> dict[bytes, Any]:
    """Those message annotations of these names that can be read, whatever else cannot."""
    found: dict[bytes, Any] = {}
    with suppress(Malformed):
        for code, at, end in sections(message):
            if code == ANNOTATIONS and message[at] in MAP_HEADS:
                found |= _readable(message, at + MAP_HEADS[message[at]], end, names)
    return found


def _readable(message: bytes, at: int, end: int, names: Container[bytes]) -> dict[bytes, Any]:
    found: dict[bytes, Any] = {}
    while at < end:
        inner = end_of(message, at)
        stop = end_of(message, inner)
        with suppress(Rare, Malformed):
            name = value(message, at, inner)
            if name.__class__ is bytes and name in names:
                found[name] = value(message, inner, stop)
        at = stop
    return found


# --- values that are common in events ---------------------------------------------------------------------------------


def _constant(found: object) -> Decoder:
    return lambda _, at: (found, at)


def _number(layout: str) -> Decoder:
    struct = Struct(f">{layout}")
    unpack, width = struct.unpack_from, struct.size

    def read(data: bytes, at: int) -> tuple[Any, int]:
        return unpack(data, at)[0], at + width

    return read


def _bytes8(data: bytes, at: int) -> tuple[Any, int]:
    end = at + 1 + data[at]
    return data[at + 1 : end], end


def _bytes32(data: bytes, at: int) -> tuple[Any, int]:
    end = at + 4 + int.from_bytes(data[at : at + 4], "big")
    return data[at + 4 : end], end


def _boolean(data: bytes, at: int) -> tuple[Any, int]:
    return data[at] == 1, at + 1


def _list8(data: bytes, at: int) -> tuple[Any, int]:
    return _items(data, at + 2, data[at + 1], at + 1 + data[at])


def _list32(data: bytes, at: int) -> tuple[Any, int]:
    size, count = _SIZE_AND_COUNT(data, at)
    return _items(data, at + 8, count, at + 4 + size)


def _map8(data: bytes, at: int) -> tuple[Any, int]:
    return _pairs(data, at + 2, data[at + 1], at + 1 + data[at])


def _map32(data: bytes, at: int) -> tuple[Any, int]:
    size, count = _SIZE_AND_COUNT(data, at)
    return _pairs(data, at + 8, count, at + 4 + size)


def _items(data: bytes, at: int, count: int, end: int) -> tuple[Any, int]:
    items: list[Any] = []
    for _ in range(count):
        if data[at] == NULL:  # as most fields of the properties are: without a call
            item, at = None, at + 1
        else:
            item, at = DECODERS[data[at]](data, at + 1)
        items.append(item)
    _require_end(at, end)
    return items, end


def _pairs(data: bytes, at: int, count: int, end: int) -> tuple[Any, int]:
    pairs: dict[Any, Any] = {}
    for _ in range(count // 2):
        if data[at] in TEXT8:  # as nearly every key is, and most values are: without a call
            stop = at + 2 + data[at + 1]
            key, at = data[at + 2 : stop], stop
        else:
            key, at = DECODERS[data[at]](data, at + 1)
        if data[at] in TEXT8:
            stop = at + 2 + data[at + 1]
            pairs[key], at = data[at + 2 : stop], stop
        else:
            pairs[key], at = DECODERS[data[at]](data, at + 1)
    _require_end(at, end)
    if len(pairs) < count // 2:  # of AMQP's types or of one: Python has one key for the text a and the symbol a
        raise Malformed(f"a map has a key twice (byte {end})")
    return pairs, end


def _require_end(at: int, end: int) -> None:
    if at != end:
        raise Malformed(f"a container does not hold as many values as it says (byte {end})")


_SIZE_AND_COUNT = Struct(">II").unpack_from
DECODERS: dict[int, Decoder] = {
    NULL: _constant(None),
    0x41: _constant(True),
    0x42: _constant(False),
    0x43: _constant(0),
    0x44: _constant(0),
    0x50: _number("B"),
    0x51: _number("b"),
    0x52: _number("B"),
    0x53: _number("B"),
    0x54: _number("b"),
    0x55: _number("b"),
    0x56: _boolean,
    0x60: _number("H"),
    0x61: _number("h"),
    0x70: _number("I"),
    0x71: _number("i"),
    0x72: _number("f"),
    0x80: _number("Q"),
    0x81: _number("q"),
    0x82: _number("d"),
    TIMESTAMP: timestamp,
    0xA0: _bytes8,
    0xA1: _bytes8,
    0xA3: _bytes8,
    0xB0: _bytes32,
    0xB1: _bytes32,
    0xB3: _bytes32,
    0xC0: _list8,
    0xC1: _map8,
    0xD0: _list32,
    0xD1: _map32,
}

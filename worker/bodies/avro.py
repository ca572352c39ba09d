"""Avro bodies as JSON: a schema becomes a function that reads one value of it.

fastavro reads schemas: names, namespaces, what is valid. It does not read bodies here, because it trusts them: a body
of 5 KB ends the process when its schema contains itself, ten bytes say that an array has a billion values, and a
damaged index counts from the end. So a value is read in place, as one of AMQP is, and whatever is not as it has to be
is refused with its place.
https://avro.apache.org/docs/1.12.0/specification/#binary-encoding

Bytes are base64, because a text that is sometimes base64 could not be read back. A union is the value that it holds.
What the logical types become is in `worker/bodies/avro_logical.py`.
"""

from collections.abc import Callable, Sequence
from math import isfinite
from struct import Struct
from typing import Any, TypeAlias

import msgspec

from worker.bodies.avro_logical import LOGICAL_TYPES, Convert
from worker.bodies.payload import NotPayload

Read: TypeAlias = Callable[[bytes, int], tuple[Any, int]]
"""Reads the value at a place; gives it, fit for JSON, and where it ends."""
Schema: TypeAlias = Any

LONGEST_NUMBER, LONGEST_VARINT = 64, 10  # bits, and the bytes that they take
# Of one body. Each takes up to 100 bytes and 2 µs, and may be of one byte, or of none: a field of null.
MOST_VALUES = 2_000_000
CONTINUED = 0x80  # the bit of a byte that another one follows
_encode = msgspec.json.Encoder().encode


class Malformed(Exception):
    """A body is not what its schema says; the text says why and where, and nothing of what is in it."""


class _Room:
    """How many values a body may still have."""

    left = MOST_VALUES

    def take(self, count: int, at: int) -> None:
        """Count so many values more. Raises `Malformed` when they are too many."""
        self.left -= count
        if self.left < 0:
            raise Malformed(f"it has more than {MOST_VALUES} values (byte {at})")


class AvroSchema:
    """A schema, ready to read bodies."""

    def __init__(self, definition: str) -> None:
        """Raises `ValueError` when the definition is no valid schema; the text says why."""
        self._room = _Room()
        self._read = _read_of(definition, self._room)

    def json(self, body: bytes) -> bytes:
        """The value that is the whole body, as JSON. Raises `NotPayload`."""
        self._room.left = MOST_VALUES
        try:
            value, end = self._read(body, 0)
            json = _encode(value)
        except Malformed as error:
            raise NotPayload(f"the body is not Avro of its schema: {error}") from None
        except IndexError:
            raise NotPayload("the body is not Avro of its schema: it ends too early") from None
        except RecursionError:
            raise NotPayload("the Avro value is nested too deep to be read") from None
        if end != len(body):
            raise NotPayload(f"the body is not Avro of its schema: bytes are behind its end (byte {end})")
        return json


def _read_of(definition: str, room: _Room) -> Read:
    import fastavro

    try:
        return _Types(room).reader(fastavro.parse_schema(msgspec.json.decode(definition)))
    except msgspec.DecodeError:
        raise ValueError("it is no JSON") from None
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    except Exception as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error


# --- a schema becomes a function --------------------------------------------------------------------------------------


class _Types:
    """The readers of the types of one schema. A type that has a name may be used within itself, and anywhere behind."""

    def __init__(self, room: _Room) -> None:
        self._named: dict[str, Read] = {}
        self._room = room

    def reader(self, schema: Schema) -> Read:
        """The reader of a type."""
        if isinstance(schema, list):
            return _union([self.reader(each) for each in schema])
        if isinstance(schema, str):
            return _PRIMITIVES.get(schema) or self._named[schema]
        if not isinstance(schema["type"], str):
            return self.reader(schema["type"])
        if schema["type"] in ("record", "error"):
            return self._record(schema)
        read = self._plain(schema)
        if make := LOGICAL_TYPES.get((schema["type"], schema.get("logicalType", ""))):
            read = _converted(read, make(schema))
        if name := schema.get("name"):
            self._named[name] = read
        return read

    def _plain(self, schema: dict[str, Any]) -> Read:
        """The reader of what is no record, without regard to its logical type."""
        match schema["type"]:
            case "enum":
                return _enum(schema["symbols"])
            case "fixed":
                return _fixed(schema["size"])
            case "array":
                return _array(self.reader(schema["items"]), self._room)
            case "map":
                return _map(self.reader(schema["values"]), self._room)
            case primitive_or_name:
                return self.reader(primitive_or_name)

    def _record(self, schema: dict[str, Any]) -> Read:
        fields: list[tuple[str, Read]] = []
        self._named[schema["name"]] = read = _record(fields, self._room)  # before its fields: it may be in one of them
        fields += [(field["name"], self.reader(field["type"])) for field in schema["fields"]]
        if len(dict(fields)) < len(fields):  # fastavro allows it, and one value would take the place of another
            raise ValueError(f"the record {schema['name']} has a field twice")
        return read


def _record(fields: Sequence[tuple[str, Read]], room: _Room) -> Read:
    def read(data: bytes, at: int) -> tuple[Any, int]:
        room.take(len(fields), at)
        record = {}
        for name, read_field in fields:
            record[name], at = read_field(data, at)
        return record, at

    return read


def _union(branches: Sequence[Read]) -> Read:
    def read(data: bytes, at: int) -> tuple[Any, int]:
        index, end = _long(data, at)
        if not 0 <= index < len(branches):
            raise Malformed(f"a union has no such branch (byte {at})")
        return branches[index](data, end)

    return read


def _enum(symbols: Sequence[str]) -> Read:
    def read(data: bytes, at: int) -> tuple[Any, int]:
        index, end = _long(data, at)
        if not 0 <= index < len(symbols):
            raise Malformed(f"an enum has no such symbol (byte {at})")
        return symbols[index], end

    return read


def _fixed(size: int) -> Read:
    return lambda data, at: _slice(data, at, size)


def _array(read_item: Read, room: _Room) -> Read:
    def read(data: bytes, at: int) -> tuple[Any, int]:
        items: list[Any] = []
        count, at = _count(data, at)
        while count:
            room.take(min(count, len(data)), at)
            for _ in range(count):
                item, end = read_item(data, at)
                if end == at:  # a few bytes could say that there are any number of them
                    raise Malformed(f"an array is of values without bytes (byte {at})")
                items.append(item)
                at = end
            count, at = _count(data, at)
        return items, at

    return read


def _map(read_value: Read, room: _Room) -> Read:
    def read(data: bytes, at: int) -> tuple[Any, int]:
        pairs: dict[Any, Any] = {}
        count, at = _count(data, at)
        while count:
            room.take(min(count, len(data)), at)
            for _ in range(count):
                key, end = _string(data, at)
                if key in pairs:
                    raise Malformed(f"a map has a key twice (byte {at})")
                pairs[key], at = read_value(data, end)
            count, at = _count(data, at)
        return pairs, at

    return read


def _count(data: bytes, at: int) -> tuple[int, int]:
    """How many items are in the next block of an array or a map; none is behind the last one."""
    count, at = _long(data, at)
    if count < 0:  # then the size of the block in bytes comes first
        return -count, _long(data, at)[1]
    return count, at


def _converted(read: Read, convert: Convert) -> Read:
    def read_and_convert(data: bytes, at: int) -> tuple[Any, int]:
        value, end = read(data, at)
        try:
            return convert(value), end
        except ValueError as error:
            raise Malformed(f"{error} (byte {at})") from None

    return read_and_convert


# --- primitive types --------------------------------------------------------------------------------------------------


def _null(_: bytes, at: int) -> tuple[Any, int]:
    return None, at


def _boolean(data: bytes, at: int) -> tuple[Any, int]:
    if data[at] > 1:
        raise Malformed(f"a boolean is neither true nor false (byte {at})")
    return data[at] == 1, at + 1


def _long(data: bytes, at: int) -> tuple[int, int]:
    """A number of at most 64 bits, in zigzag coding and seven bits a byte."""
    number, shift, end = 0, 0, at
    while True:
        byte = data[end]
        end += 1
        number |= (byte & 0x7F) << shift
        if byte < CONTINUED:
            if number >> LONGEST_NUMBER:
                raise Malformed(f"a number has more than {LONGEST_NUMBER} bits (byte {at})")
            return (number >> 1) ^ -(number & 1), end
        shift += 7
        if shift >= 7 * LONGEST_VARINT:
            raise Malformed(f"a number has more than {LONGEST_VARINT} bytes (byte {at})")


def _floating(layout: str) -> Read:
    struct = Struct(layout)

    def read(data: bytes, at: int) -> tuple[Any, int]:
        piece, end = _slice(data, at, struct.size)
        [number] = struct.unpack(piece)
        return number if isfinite(number) else str(number), end  # JSON has no such number

    return read


def _bytes(data: bytes, at: int) -> tuple[bytes, int]:
    size, start = _long(data, at)
    return _slice(data, start, size)


def _string(data: bytes, at: int) -> tuple[str, int]:
    piece, end = _bytes(data, at)
    try:
        return piece.decode(), end
    except UnicodeDecodeError:
        raise Malformed(f"a string is not UTF-8 (byte {at})") from None


def _slice(data: bytes, at: int, size: int) -> tuple[bytes, int]:
    end = at + size
    if not at <= end <= len(data):
        raise Malformed(f"a value is longer than the body (byte {at})")
    return data[at:end], end


_PRIMITIVES: dict[str, Read] = {
    "null": _null,
    "boolean": _boolean,
    "int": _long,
    "long": _long,
    "float": _floating("<f"),
    "double": _floating("<d"),
    "bytes": _bytes,
    "string": _string,
}

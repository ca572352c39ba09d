"""Avro bodies as JSON: a schema becomes a function that reads one value of it.

Avro's libraries trust a body: 5 KB end the process when a schema contains itself, ten bytes say that an array has a
billion values, and a damaged index counts from the end. So a value is read in place, as one of AMQP is, and whatever is
not as it has to be is refused with its place.
https://avro.apache.org/docs/1.12.0/specification/#binary-encoding

A few bytes can be much JSON: a record of a hundred nulls has none, a symbol has one, and names are in the schema. So
what comes out is counted before it is made.

Bytes are base64, because a text that is sometimes base64 could not be read back. A union is the value that it holds.
What the logical types become is in `worker/bodies/avro_logical.py`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite
from struct import Struct
from typing import Any, TypeAlias

import msgspec

from shared.config.formats import avro_schema as avro
from worker.bodies.avro_logical import LOGICAL_TYPES, Convert
from worker.bodies.decoded_size import LARGEST
from worker.bodies.payload import NotPayload

Read: TypeAlias = Callable[[bytes, int], tuple[Any, int]]
"""Reads the value at a place; gives it, fit for JSON, and where it ends."""

LONGEST_NUMBER, LONGEST_VARINT = 64, 10  # bits, and the bytes that they take
# Of one body. Each takes up to 100 bytes and 2 µs, and may be of one byte, or of none: a field of null.
MOST_VALUES = 2_000_000
CONTINUED = 0x80  # the bit of a byte that another one follows
_encode = msgspec.json.Encoder().encode


class Malformed(Exception):
    """A body is not what its schema says; the text says why and where, and nothing of what is in it."""


class _Bounds:
    """How many values, and how many bytes of JSON, one body may still become."""

    def __init__(self) -> None:
        self._values, self._json_bytes, self._most_bytes = MOST_VALUES, LARGEST, LARGEST

    def reset(self, most_bytes: int) -> None:
        """Begin with another body."""
        self._values, self._json_bytes, self._most_bytes = MOST_VALUES, most_bytes, most_bytes

    def take(self, values: int, json_bytes: int, at: int) -> None:
        """Count so many more, before they are read. Raises `Malformed` when they are too many."""
        self._values -= values
        self._json_bytes -= json_bytes
        if self._values < 0:
            raise Malformed(f"it has more than {MOST_VALUES} values (byte {at})")
        if self._json_bytes < 0:
            raise Malformed(f"more than {self._most_bytes} bytes of JSON come out of it (byte {at})")


class AvroSchema:
    """A schema, ready to read bodies."""

    def __init__(self, schema: avro.Type) -> None:
        self._bounds = _Bounds()
        self._read = _Types(self._bounds).reader(schema)

    def json(self, body: bytes, most_bytes: int = LARGEST) -> bytes:
        """The value that is the whole body, as JSON of at most so many bytes. Raises `NotPayload`."""
        try:
            return self._json(body, most_bytes)
        except Malformed as error:
            raise NotPayload(f"the body is not Avro of its schema: {error}") from None
        except IndexError:
            raise NotPayload("the body is not Avro of its schema: it ends too early") from None
        except RecursionError:
            raise NotPayload("the Avro value is nested too deep to be read") from None

    def _json(self, body: bytes, most_bytes: int) -> bytes:
        self._bounds.reset(most_bytes)
        value, end = self._read(body, 0)
        if end != len(body):
            raise Malformed(f"bytes are behind its end (byte {end})")
        json = _encode(value)
        # Once more: escapes, base64 and times are not counted before, because each has some bytes of the body.
        if len(json) > most_bytes:
            raise Malformed(f"more than {most_bytes} bytes of JSON come out of it")
        return json


# --- a schema becomes a function --------------------------------------------------------------------------------------


class _Types:
    """The readers of the types of one schema. A type that has a name may be used within itself, and anywhere behind."""

    def __init__(self, bounds: _Bounds) -> None:
        self._named: dict[str, Read] = {}
        self._bounds = bounds

    def reader(self, schema: avro.Type) -> Read:
        """The reader of a type."""
        match schema:
            case avro.Reference(name):
                return self._named[name]
            case avro.Record():
                return self._record(schema)
            case avro.Union(branches):
                return _union([self.reader(each) for each in branches])
            case avro.Array(items):
                return _array(self.reader(items), self._bounds)
            case avro.Map(values):
                return _map(self.reader(values), self._bounds)
            case avro.Primitive(name, logical):
                return _of_logical(name, logical, _PRIMITIVES[name])
            case avro.Enum(name, symbols):
                return self._named.setdefault(name, _enum(symbols, self._bounds))
            case avro.Fixed(name, size, logical):
                return self._named.setdefault(name, _of_logical("fixed", logical, _fixed(size), size))

    def _record(self, schema: avro.Record) -> Read:
        fields = _Fields()
        self._named[schema.name] = read = _record(fields, self._bounds)  # before its fields: it may be in one of them
        fields.readers = [(name, self.reader(each)) for name, each in schema.fields]
        fields.json_bytes = 2 + sum(len(_encode(name)) + 2 + _least_json(read) for name, read in fields.readers)
        return read


@dataclass(slots=True)
class _Fields:
    """The fields of a record."""

    readers: Sequence[tuple[str, Read]] = ()
    json_bytes: int = 0
    """How long the JSON of the record is at least."""


def _least_json(read: Read) -> int:
    """How long the JSON of a value is at least that takes no byte of the body."""
    return len("null") if read is _null else 0


def _record(fields: _Fields, bounds: _Bounds) -> Read:
    def read(data: bytes, at: int) -> tuple[Any, int]:
        bounds.take(len(fields.readers), fields.json_bytes, at)
        record = {}
        for name, read_field in fields.readers:
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


def _enum(symbols: Sequence[str], bounds: _Bounds) -> Read:
    sizes = [len(_encode(symbol)) for symbol in symbols]

    def read(data: bytes, at: int) -> tuple[Any, int]:
        index, end = _long(data, at)
        if not 0 <= index < len(symbols):
            raise Malformed(f"an enum has no such symbol (byte {at})")
        bounds.take(0, sizes[index], at)
        return symbols[index], end

    return read


def _fixed(size: int) -> Read:
    return lambda data, at: _slice(data, at, size)


def _array(read_item: Read, bounds: _Bounds) -> Read:
    least_json = 1 + _least_json(read_item)  # a comma is in front of it, or a bracket

    def read(data: bytes, at: int) -> tuple[Any, int]:
        items: list[Any] = []
        count, at = _count(data, at)
        while count:
            # Before any is read: a count of ten bytes can be of a billion items, and these may have none.
            bounds.take(count, count * least_json, at)
            for _ in range(count):
                item, at = read_item(data, at)
                items.append(item)
            count, at = _count(data, at)
        return items, at

    return read


def _map(read_value: Read, bounds: _Bounds) -> Read:
    def read(data: bytes, at: int) -> tuple[Any, int]:
        pairs: dict[Any, Any] = {}
        count, at = _count(data, at)
        while count:
            bounds.take(count, count, at)
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


def _of_logical(kind: str, logical: avro.Logical | None, read: Read, size: int = 0) -> Read:
    """The reader of a plain type that may have a logical one."""
    make = LOGICAL_TYPES.get((kind, logical.name)) if logical else None
    convert = make(logical, size) if make and logical else None
    return _converted(read, convert) if convert else read


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

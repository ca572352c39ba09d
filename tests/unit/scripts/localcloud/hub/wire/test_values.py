"""AMQP values, read as they were written."""

import uuid

import pytest

from scripts.localcloud.hub.wire import values


@pytest.mark.parametrize(
    ("encoded", "value"),
    [
        (values.string("x" * 300), "x" * 300),
        (values.long(-5), -5),
        (values.ulong(1 << 63), 1 << 63),
        (values.timestamp(-1), -1),
        (values.string_array(["0", "1"]), ["0", "1"]),
        (values.fields({"a": values.uint(7), "b": values.NULL}), {"a": 7, "b": None}),
        (values.listing([values.TRUE] * 200), [True] * 200),
        (b"\x98" + uuid.UUID(int=9).bytes, uuid.UUID(int=9)),
        (b"\x00" + values.symbol("kind") + values.string("x"), values.Described("kind", "x")),
    ],
)
def test_values_are_read_as_they_were_written(encoded: bytes, value: object) -> None:
    assert values.decode(encoded) == (value, len(encoded))
    assert values.skip(encoded, 0) == len(encoded)


@pytest.mark.parametrize("broken", [b"", b"\xa1\x05ab", b"\xc0\x09\x02\x43", b"\x13", b"\xa1\x02\xff\xfe", b"\x00\x53"])
def test_broken_bytes_are_told_as_such(broken: bytes) -> None:
    with pytest.raises(values.MalformedValueError):
        values.decode(broken)

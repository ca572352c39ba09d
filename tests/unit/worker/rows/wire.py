"""AMQP as it may come: every type and section, encoded by hand, for the SDK's encoder knows fewer types than AMQP."""

import struct
from collections.abc import Sequence

from hypothesis import strategies as st

SECTIONS = range(0x70, 0x79)
OF_WIDTH = {
    0: (0x40, 0x41, 0x42, 0x43, 0x44, 0x45),
    1: (0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56),
    2: (0x60, 0x61),
    4: (0x70, 0x71, 0x72, 0x73, 0x74),
    8: (0x80, 0x81, 0x82, 0x83, 0x84),
    16: (0x94, 0x98),
}


def section(code: int, value: bytes) -> bytes:
    """One section of a message."""
    return b"\x00\x53" + bytes([code]) + value


def sized(code: int, content: bytes) -> bytes:
    """A value of a variable size: its form of one byte, or of four where it needs it."""
    if len(content) < 256 and code < 0xB0:
        return bytes([code, len(content)]) + content
    return bytes([code | 0x10]) + struct.pack(">I", len(content)) + content


def held(code: int, count: int, items: bytes, *, large: bool = False) -> bytes:
    """A list (0xC0), a map (0xC1) or an array (0xE0) with so many items."""
    if large or len(items) > 200:
        return bytes([code | 0x10]) + struct.pack(">II", len(items) + 4, count) + items
    return bytes([code, len(items) + 1, count]) + items


def mapping(pairs: Sequence[tuple[bytes, bytes]], *, large: bool = False) -> bytes:
    """A map of encoded keys and values."""
    return held(0xC1, 2 * len(pairs), b"".join(key + value for key, value in pairs), large=large)


def _fixed(width: int, codes: Sequence[int]) -> st.SearchStrategy[bytes]:
    return st.builds(
        lambda code, data: bytes([code]) + data, st.sampled_from(codes), st.binary(min_size=width, max_size=width)
    )


FIXED = st.one_of(*(_fixed(width, codes) for width, codes in OF_WIDTH.items()))
SIZED = st.builds(
    sized, st.sampled_from((0xA0, 0xA1, 0xA3)), st.binary(max_size=300) | st.text(max_size=60).map(str.encode)
)
NAMES = st.builds(sized, st.sampled_from((0xA1, 0xA3)), st.text(max_size=20).map(str.encode))
SCALARS = FIXED | SIZED
ARRAYS = st.builds(
    lambda code, items: held(0xE0, len(items), bytes([code]) + b"".join(items)),
    st.sampled_from((0x71, 0x54)),
    st.lists(st.binary(min_size=4, max_size=4), min_size=1, max_size=4),
).filter(lambda array: array[3] == 0x71) | st.builds(
    lambda items: held(0xE0, len(items), b"\x54" + bytes(items)), st.lists(st.integers(0, 255), min_size=1, max_size=9)
)


def _containers(inner: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    lists = st.builds(
        lambda items, large: held(0xC0, len(items), b"".join(items), large=large),
        st.lists(inner, max_size=4),
        st.booleans(),
    )
    maps = st.builds(
        lambda pairs, large: mapping(pairs, large=large), st.lists(st.tuples(SCALARS, inner), max_size=4), st.booleans()
    )
    described = st.builds(lambda name, value: b"\x00" + name + value, NAMES, inner)
    return lists | maps | described


VALUES = st.recursive(SCALARS | ARRAYS, _containers, max_leaves=12)
"""Any value."""
MAPS = st.builds(
    lambda pairs, large: mapping(pairs, large=large), st.lists(st.tuples(NAMES, VALUES), max_size=4), st.booleans()
)
PROPERTIES = st.lists(VALUES, max_size=13).map(lambda fields: held(0xC0, len(fields), b"".join(fields)))

SEQUENCE_KEY, OFFSET_KEY = sized(0xA3, b"x-opt-sequence-number"), sized(0xA3, b"x-opt-offset")
TIME_KEY, PARTITION_KEY = sized(0xA3, b"x-opt-enqueued-time"), sized(0xA3, b"x-opt-partition-key")
NUMBERS = st.integers(0, 2**63 - 1).map(lambda number: b"\x81" + struct.pack(">q", number)) | st.integers(0, 127).map(
    lambda number: bytes([0x55, number])
)
OFFSETS = (st.integers(0, 2**62).map(str) | st.text(max_size=20)).map(lambda text: sized(0xA1, text.encode()))
TIMES = st.integers(0, 2**42).map(lambda milliseconds: b"\x83" + struct.pack(">q", milliseconds))
USUAL = st.tuples(NUMBERS, OFFSETS, TIMES).map(
    lambda known: list(zip((SEQUENCE_KEY, OFFSET_KEY, TIME_KEY), known, strict=True))
)
"""The annotations of the service, as it gives them."""
ODD = st.tuples(VALUES, VALUES, VALUES, VALUES).map(
    lambda known: list(zip((SEQUENCE_KEY, OFFSET_KEY, TIME_KEY, PARTITION_KEY), known, strict=True))
)
OTHERS = st.lists(st.tuples(NAMES | st.just(PARTITION_KEY), VALUES), max_size=3)
ANNOTATIONS = st.builds(
    lambda known, others, large, order: mapping(
        order.sample(known + others, len(known + others)) if order else known + others, large=large
    ),
    USUAL | USUAL | ODD,
    OTHERS | st.just([]),
    st.booleans(),
    st.none() | st.randoms(use_true_random=False),
)

JSON_BODIES = st.sampled_from((b'{"a": 1}', b"null", b"[]", b'{"a":1,"a":2}', b"no json", b"", b'{"t":"\\u0000"}'))
BODIES = (
    st.lists(
        st.builds(lambda body: section(0x75, sized(0xA0, body)), JSON_BODIES | st.binary(max_size=300)),
        min_size=1,
        max_size=2,
    ).map(b"".join)
    | VALUES.map(lambda value: section(0x77, value))
    | st.lists(
        st.lists(VALUES, max_size=3).map(lambda items: section(0x76, held(0xC0, len(items), b"".join(items)))),
        min_size=1,
        max_size=2,
    ).map(b"".join)
    | st.just(b"")
)


def _maybe(code: int, values: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    return st.just(b"") | values.map(lambda value: section(code, value))


MESSAGES = st.tuples(
    _maybe(0x70, st.lists(SCALARS, max_size=5).map(lambda fields: held(0xC0, len(fields), b"".join(fields)))),
    _maybe(0x71, MAPS),
    ANNOTATIONS.map(lambda annotations: section(0x72, annotations)),
    _maybe(0x73, PROPERTIES),
    _maybe(0x74, MAPS),
    BODIES,
    _maybe(0x78, MAPS),
).map(b"".join)
"""Any legal message with the annotations of the service."""

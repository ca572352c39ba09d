"""Transfer frames, the hot path: the payload is encoded once, when an event is stored, and only its address changes.

The eleven fields have a fixed layout here, so that one `struct` call per event is all the work there is.
"""

import struct
from collections.abc import Iterable

from scripts.localcloud.hub.wire import values
from scripts.localcloud.hub.wire.performatives import Code, frame, performative

TAG_BYTES = 8
# doff, frame type, channel, descriptor, list8 with its size and its 11 fields, constructor and value of the handle,
# constructor of the delivery-id.
_PREFIX = struct.Struct(">BBH4sBBBIB")
# Frame size, prefix, delivery-id, delivery-tag (vbin8), then message-format 0, settled, more and five fields at rest.
_HEAD = struct.Struct(f">I{_PREFIX.size}sI2sQ8s")
_LIST_BYTES = 29
OVERHEAD_BYTES = _HEAD.size
"""Bytes of a frame in front of its payload, when the event fits into one frame."""
_SPLIT_OVERHEAD_BYTES = 64  # no less than the frame header and the performative of a split delivery


class Addressing:
    """How the deliveries of one link are addressed; everything but the delivery's number is fixed at attach."""

    __slots__ = ("_channel", "_flags", "_handle", "_prefix", "_settled")

    def __init__(self, channel: int, handle: int, *, settled: bool) -> None:
        descriptor = b"\x00\x53" + bytes((Code.TRANSFER, 0xC0))
        self._prefix = _PREFIX.pack(2, 0, channel, descriptor, _LIST_BYTES, 11, 0x70, handle, 0x70)
        self._flags = b"\x43" + values.boolean(settled) + b"\x42\x40\x40\x42\x42\x42"
        self._channel, self._handle, self._settled = channel, handle, settled

    def whole(self, payloads: Iterable[bytes], first: int, section: bytes) -> bytes:
        """Return one write with a frame per payload.

        Deliveries are numbered from `first`; `section` goes in front of every payload. Each must fit into one frame.
        """
        prefix, flags, pack = self._prefix, self._flags, _HEAD.pack
        extra = OVERHEAD_BYTES + len(section)
        parts: list[bytes] = []
        for number, payload in enumerate(payloads, first):
            head = pack(extra + len(payload), prefix, number & 0xFFFFFFFF, b"\xa0\x08", number, flags)
            parts += (head, section, payload)
        return b"".join(parts)

    def split(self, payload: bytes, number: int, max_frame_bytes: int) -> list[bytes]:
        """Return the frames of one delivery that may not fit into a single one."""
        pieces = _pieces(payload, max_frame_bytes - _SPLIT_OVERHEAD_BYTES)
        return [self._frame(number, index, piece, more=index + 1 < len(pieces)) for index, piece in enumerate(pieces)]

    def aborted(self, payload: bytes, number: int, max_frame_bytes: int) -> list[bytes]:
        """Return the frames of a delivery that is aborted when half of it has been sent.

        AMQP 1.0, 2.6.14 (a sender may abort what it has begun) and 2.7.5 (`aborted`: it is discarded, and settled).
        https://docs.oasis-open.org/amqp/core/v1.0/os/amqp-core-transport-v1.0-os.html#type-transfer
        """
        pieces = _pieces(payload[: len(payload) // 2], max_frame_bytes - _SPLIT_OVERHEAD_BYTES)
        frames = [self._frame(number, index, piece, more=True) for index, piece in enumerate(pieces)]
        return [*frames, self._frame(number, len(pieces), b"", more=False, aborted=True)]

    def _frame(self, number: int, index: int, piece: bytes, *, more: bool, aborted: bool = False) -> bytes:
        """Return one frame of a delivery; the first one says which delivery it is."""
        first = [values.uint(number), values.binary(number.to_bytes(TAG_BYTES, "big")), values.uint(0)]
        address = first if index == 0 else [values.NULL] * 3
        fields = [values.uint(self._handle), *address, values.boolean(self._settled), values.boolean(more)]
        tail = [values.NULL, values.NULL, values.FALSE, values.boolean(aborted), values.FALSE]
        return frame(self._channel, performative(Code.TRANSFER, [*fields, *tail]) + piece)


def _pieces(payload: bytes, room: int) -> list[bytes]:
    return [payload[start : start + room] for start in range(0, len(payload), room)] or [b""]

"""Frames of msgpack with their length first, over a stream that may give half a frame, nothing, or garbage.

A frame is four bytes of length, big-endian, then one message. `multiprocessing`'s own framing blocks in the middle of a
frame (`poll()` is true on the first byte of it) and on a full pipe, and so a frozen peer would freeze this process;
these two halves never block.
"""

import struct
from collections.abc import Iterator
from typing import Generic, TypeVar

import msgspec

from shared.errors import ProtocolError

HEADER = struct.Struct(">I")
# The columns of a table of thousands with long names fit, and so do the statuses of all channels of a pipe. More means
# that the stream is not ours.
MAX_FRAME_BYTES = 16 * 1024 * 1024

T = TypeVar("T")


def encode(message: msgspec.Struct) -> bytes:
    """One message as a frame."""
    payload = msgspec.msgpack.encode(message)
    if len(payload) > MAX_FRAME_BYTES:
        raise ProtocolError(
            f"A {type(message).__name__} of {len(payload)} bytes does not fit a frame of {MAX_FRAME_BYTES}"
        )
    return HEADER.pack(len(payload)) + payload


class FrameDecoder(Generic[T]):
    """Puts frames together from the pieces that a pipe gives, and decodes them as one tagged union."""

    def __init__(self, union: object) -> None:
        self._decoder: msgspec.msgpack.Decoder[T] = msgspec.msgpack.Decoder(union)
        self._pending = bytearray()

    def feed(self, piece: bytes) -> Iterator[T]:
        """Yield every message that `piece` completes; raises `ProtocolError` on an oversize or garbage frame."""
        self._pending += piece
        while (size := self._next_size()) is not None and len(self._pending) >= HEADER.size + size:
            payload = bytes(self._pending[HEADER.size : HEADER.size + size])
            del self._pending[: HEADER.size + size]
            yield self._decode(payload)

    def _next_size(self) -> int | None:
        if len(self._pending) < HEADER.size:
            return None
        (size,) = HEADER.unpack_from(self._pending)
        if size > MAX_FRAME_BYTES:
            raise ProtocolError(
                "A frame on the pipe is too large", f"it says {size} bytes, the limit is {MAX_FRAME_BYTES}"
            )
        return int(size)

    def _decode(self, payload: bytes) -> T:
        try:
            return self._decoder.decode(payload)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise ProtocolError("A frame on the pipe is no known message", str(error)) from error

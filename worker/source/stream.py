"""The bytes that a connection receives, cut into frames: deliveries of one link become events, all else is handed on.

A read may end anywhere: in the header of a frame, in a performative, in a body. So what is not a whole frame yet is
kept for the next one. A delivery may come in several transfers, between them heartbeats and frames of other links, and
its sender may abort it.
https://docs.oasis-open.org/amqp/core/v1.0/os/amqp-core-transport-v1.0-os.html#section-framing
https://docs.oasis-open.org/amqp/core/v1.0/os/amqp-core-transport-v1.0-os.html#type-transfer
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from struct import Struct
from typing import Any

from worker.rows.event import Event
from worker.source import performative

HEADER_BYTES, AMQP_FRAME = 8, 0
# Of an event, encoded: 20 MB in the Dedicated tier, and as much again for whatever the hub adds.
# https://learn.microsoft.com/azure/event-hubs/event-hubs-quotas
LARGEST_DELIVERY_BYTES = 40 * 1024 * 1024
LONGEST_TAG, USUAL_TAGS = 32, (4, 8, 16)  # bytes of a delivery-tag
HANDLE, DELIVERY_ID, MORE, ABORTED = 0, 1, 5, 9  # places of fields in a transfer

_size_at = Struct(">I").unpack_from
_header_at = Struct(">IBBH").unpack_from


class BrokenStream(Exception):
    """What came is no AMQP, so nothing after it can be read either; the text says what is wrong."""


@dataclass(slots=True)
class Received:
    """What came on the link since it was counted last, for the books of the link and its session."""

    transfers: int = 0
    deliveries: int = 0
    size_bytes: int = 0
    """Encoded length of the deliveries, or of their rows where these are longer: a body may have been compressed."""


class Stream:
    """Cuts what is fed to it. `channel` and `handle` are the ones of the hub's end of the link.

    `event_of` makes an event of an encoded message. `on_frame` takes every other frame as the SDK decodes it: a channel
    with a performative and its fields.
    """

    def __init__(
        self,
        channel: int,
        handle: int,
        largest_frame: int,
        event_of: Callable[[bytes], Event],
        on_frame: Callable[[int, tuple[int, Any]], None],
    ) -> None:
        self._channel, self._handle, self._largest_frame = channel, handle, largest_frame
        self._event_of, self._on_frame = event_of, on_frame
        self._whole = _whole_delivery(channel, handle)
        self._rest = b""
        self._begun = bytearray()
        """What came of a delivery that is not whole yet."""
        self._delivery_id: int | None = None
        """Which one that is; None: no delivery has begun."""
        self.events: list[Event] = []
        """Those that nobody has taken yet, in order."""
        self.received = Received()
        self.last_message = b""
        """The newest message, encoded: it may say where the partition ends."""

    def feed(self, data: bytes) -> None:
        """Take what was read next. Raises `BrokenStream`, and what `event_of` and `on_frame` raise."""
        if self._rest:
            data = self._rest + data
        # Long, because each event comes through here: what is split off costs a measurable part of a worker's time.
        whole, event_of, add = self._whole, self._event_of, self.events.append
        at = transfers = size_bytes = rows_bytes = 0
        length, message = len(data), self.last_message
        try:
            while length - at >= HEADER_BYTES:
                end = at + _size_at(data, at)[0]
                if end > length:
                    break
                found = whole(data, at)
                # The list of fields ends where its size says; 13 bytes are the header, the descriptor and that size.
                if (
                    found
                    and self._delivery_id is None
                    and (start := found.end()) == at + 13 + data[at + 12]
                    and start <= end
                ):
                    message = data[start:end]
                    event = event_of(message)
                    add(event)
                    transfers += 1
                    size_bytes += end - start
                    rows_bytes += event.size_bytes
                    at = end
                    continue
                # Before the frame is handed on: whoever takes it may read the books, or answer with them.
                self._count(transfers, transfers, max(size_bytes, rows_bytes))
                transfers = size_bytes = rows_bytes = 0
                self.last_message = message
                self._take(data, at, end)
                message = self.last_message
                at = end
        finally:
            # Also of an event that cannot be made: those before it came, and their credit is used up.
            self._count(transfers, transfers, max(size_bytes, rows_bytes))
            self.last_message = message
        self._rest = data[at:]
        # At once: the rest of a frame that no peer may send would be waited for without end.
        if len(self._rest) >= HEADER_BYTES:
            self._require_possible(_size_at(self._rest, 0)[0])

    @property
    def is_within_frame(self) -> bool:
        """Whether the last read ended within a frame."""
        return bool(self._rest)

    def _count(self, transfers: int, deliveries: int, size_bytes: int) -> None:
        self.received.transfers += transfers
        self.received.deliveries += deliveries
        self.received.size_bytes += size_bytes

    def _require_possible(self, size: int) -> None:
        if not HEADER_BYTES <= size <= self._largest_frame:
            raise BrokenStream(f"a frame of {size} bytes, {self._largest_frame} is the bound")

    # --- any frame ----------------------------------------------------------------------------------------------------

    def _take(self, data: bytes, at: int, end: int) -> None:
        """One frame, whatever it is."""
        size, offset, kind, channel = _header_at(data, at)
        self._require_possible(size)
        start = at + 4 * offset
        if kind != AMQP_FRAME or not at + HEADER_BYTES <= start <= end:
            raise BrokenStream(f"a frame of type {kind} whose body begins with byte {4 * offset} of {size}")
        if start == end:  # it says that the connection lives
            self._on_frame(channel, (1, b"EMPTY"))
            return
        body = data[start:end]
        try:
            code, fields = performative.decode(body)
        except Exception as error:
            raise BrokenStream(f"a frame that cannot be decoded ({type(error).__name__})") from error
        if code == performative.TRANSFER and channel == self._channel and fields[HANDLE] == self._handle:
            self._transfer(fields)
        else:
            self._on_frame(channel, (code, fields))

    def _transfer(self, fields: list[Any]) -> None:
        """One transfer of the link, of any form."""
        *known, payload = fields
        if self._delivery_id is None:  # the first one alone has to say it
            self._delivery_id = known[DELIVERY_ID]
        if self._delivery_id is None:
            raise BrokenStream("a delivery begins without its delivery-id")
        if known[DELIVERY_ID] not in (None, self._delivery_id):
            raise BrokenStream("a delivery begins in the middle of another")
        self._begun += payload
        size_bytes = len(self._begun)
        if size_bytes > LARGEST_DELIVERY_BYTES:
            raise BrokenStream(f"a delivery of more than {LARGEST_DELIVERY_BYTES} bytes")
        if known[MORE] and not known[ABORTED]:
            self._count(1, 0, 0)
            return
        message, self._begun, self._delivery_id = bytes(self._begun), bytearray(), None
        if known[ABORTED]:  # what came of it says nothing; the whole of it comes again
            self._count(1, 1, size_bytes)
            return
        event = self._event_of(message)
        self._count(1, 1, max(size_bytes, event.size_bytes))
        self.last_message = message
        self.events.append(event)


def _whole_delivery(channel: int, handle: int) -> Callable[[bytes, int], "re.Match[bytes] | None"]:
    """Finds the frame of a whole delivery on this link, up to its message: the form in which nearly all come.

    Its fields: handle, delivery-id, delivery-tag, message-format, settled, more, rcv-settle-mode, state, resume,
    aborted, batchable. The last ones may be left out, as none that is left out or null is true.
    """
    number = rb"(?:\x43|\x52.|\x70.{4})"
    handles = [rb"\x52" + re.escape(bytes([handle]))] if handle < 256 else []
    handles += [rb"\x43"] if handle == 0 else []
    handles.append(rb"\x70" + re.escape(handle.to_bytes(4, "big")))
    lengths = sorted(range(LONGEST_TAG + 1), key=lambda length: (length not in USUAL_TAGS, length))
    tags = (rb"%b.{%d}" % (re.escape(bytes([length])), length) for length in lengths)
    tag = rb"(?:\xa0(?:" + rb"|".join(tags) + rb")|\x40)"
    either, no = rb"(?:\x40|\x41|\x42|\x56[\x00\x01])", rb"(?:\x40|\x42|\x56\x00)"
    return re.compile(
        rb".{4}\x02\x00"
        + re.escape(channel.to_bytes(2, "big"))
        + rb"\x00\x53\x14\xc0.[\x01-\x0b]"
        + rb"(?:"
        + rb"|".join(handles)
        + rb")"
        + number
        + tag
        + rb"(?:"
        + number
        + rb"|\x40)"
        + either
        + rb"(?:"
        + no
        + rb"(?:(?:\x40|\x50.)(?:\x40(?:"
        + no
        + rb"(?:"
        + no
        + either
        + rb"?)?)?)?)?)?",
        re.DOTALL,
    ).match

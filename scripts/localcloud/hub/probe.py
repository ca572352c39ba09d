"""A minimal AMQP client, for what the SDK cannot show: frames as they are on the wire, and the server's own speed."""

import base64
import hashlib
import hmac
import socket
import struct
import time
from types import TracebackType
from typing import Self
from urllib.parse import quote_plus, urlencode

from scripts.localcloud.hub.entity import event
from scripts.localcloud.hub.wire import performatives, values
from scripts.localcloud.hub.wire.performatives import HEADER_BYTES, Code, Frame
from scripts.localcloud.place import LOOPBACK

_CHANNEL = 1
_WINDOW = 1 << 30
_READ_BYTES = 1 << 20
_TOKEN_VALID_S = 3600


class Probe:
    """A blocking client with one session, that leaves heartbeats to its user.

    `seen` keeps every frame body received by `receive`, so that a test can look at its width.
    """

    def __init__(self, port: int, timeout_s: float = 10.0) -> None:
        self._socket = socket.create_connection((LOOPBACK, port), timeout_s)
        self._port = port
        self._buffer = b""
        self.seen: list[bytes] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def open(self, *, idle_ms: int | None = None, max_frame_bytes: int = 1 << 20, window: int = _WINDOW) -> None:
        """Shake hands, open the connection and begin the session; `window` is how many transfers it takes."""
        self._exchange_header(performatives.SASL_HEADER)
        self.receive()
        self._send_frame(0x41, [values.symbol("ANONYMOUS")], channel=0, kind=performatives.SASL_TYPE)
        self.receive()
        self._exchange_header(performatives.AMQP_HEADER)
        idle = values.NULL if idle_ms is None else values.uint(idle_ms)
        limits = [values.uint(max_frame_bytes), values.ushort(100), idle]
        self._send_frame(Code.OPEN, [values.string("probe"), values.string(LOOPBACK), *limits], channel=0)
        self.expect(Code.OPEN)
        windows = [values.uint(0), values.uint(window), values.uint(_WINDOW), values.uint(255)]
        self._send_frame(Code.BEGIN, [values.NULL, *windows])
        self.expect(Code.BEGIN)

    def authorize(self, hub: str, key_name: str, key: str) -> int:
        """Put a token for the hub and return the status code of the answer."""
        audience = f"sb://{LOOPBACK}:{self._port}/{hub}"
        self.attach(10, "$cbs", receive=True)
        self.attach(11, "$cbs", receive=False)
        self.flow(10, 10)
        request = {"operation": "put-token", "type": "servicebus.windows.net:sastoken", "name": audience}
        encoded = values.texts({name: values.string(text) for name, text in request.items()})
        properties = values.described(0x73, values.listing([values.string("1")]))
        body = values.described(0x77, values.string(_token(audience, key_name, key)))
        self.transfer(11, properties + values.described(0x74, encoded) + body)
        answer = self.expect(Code.TRANSFER)
        status = event.application_properties(answer.payload)["status-code"]
        assert isinstance(status, int)
        return status

    def attach(
        self, handle: int, address: str, *, receive: bool, selector: str | None = None, epoch: int | None = None
    ) -> Frame:
        """Ask for a link and return the server's attach."""
        chosen = values.NULL
        if selector is not None:
            name = "apache.org:selector-filter:string"
            described = b"\x00" + values.symbol(name) + values.string(selector)
            chosen = values.fields({name: described})
        source = values.described(0x28, values.listing([values.string(address), *[values.NULL] * 6, chosen]))
        target = values.described(0x29, values.listing([values.string(address)]))
        head = [values.string(f"probe-{handle}"), values.uint(handle), values.boolean(receive)]
        tail = [values.NULL, values.NULL, values.uint(0), *[values.NULL] * 3]
        properties = values.NULL if epoch is None else values.fields({"com.microsoft:epoch": values.long(epoch)})
        modes = [values.ubyte(0), values.ubyte(0)]
        self._send_frame(Code.ATTACH, [*head, *modes, source, target, *tail, properties])
        return self.expect(Code.ATTACH)

    def flow(
        self,
        handle: int,
        credit: int,
        delivery_count: int = 0,
        *,
        drain: bool = False,
        window: tuple[int, int] = (0, _WINDOW),
    ) -> None:
        """Grant credit; `window` says how many transfers have come in the session, and how many more it takes."""
        counts = [*window, 0, _WINDOW, handle, delivery_count, credit]
        fields = [values.uint(count) for count in counts]
        self._send_frame(Code.FLOW, [*fields, values.NULL, values.boolean(drain)])

    def transfer(self, handle: int, payload: bytes, *, more: bool = False, aborted: bool = False) -> None:
        """Send a message, or a piece of one; the last piece may abort it."""
        fields = [values.uint(handle), values.uint(0), values.binary(b"0"), values.uint(0), values.FALSE]
        tail = [values.NULL, values.NULL, values.FALSE, values.boolean(aborted)]
        self._send_frame(Code.TRANSFER, [*fields, values.boolean(more), *tail], payload)

    def detach(self, handle: int) -> None:
        """Close a link."""
        self._send_frame(Code.DETACH, [values.uint(handle), values.TRUE])

    def end(self) -> None:
        """End the session."""
        self._send_frame(Code.END, [])

    def close(self) -> None:
        """Close the connection."""
        self._send_frame(Code.CLOSE, [], channel=0)

    def expect(self, code: Code) -> Frame:
        """Return the next frame of a kind; others are passed over."""
        while True:
            frame = self.receive()
            if frame is not None and frame.code == code:
                return frame

    def receive(self) -> Frame | None:
        """Return the next frame, None for an empty one. Raises ConnectionError at the end of the stream."""
        size = int.from_bytes(self._peek(HEADER_BYTES)[:4], "big")
        raw = self._peek(size)[:size]
        self._buffer = self._buffer[size:]
        body = raw[HEADER_BYTES:]
        if not body:
            return None
        self.seen.append(body)
        return performatives.parse(int.from_bytes(raw[6:8], "big"), body)

    def drain_events(self, handle: int, count: int, credit: int) -> float:
        """Take `count` events without looking into them, `credit` at a time; return the seconds it took."""
        started, taken = time.monotonic(), 0
        while taken < count:
            self.flow(handle, credit, taken)
            target = min(taken + credit, count)
            while taken < target:
                taken += self._count_frames()
        return time.monotonic() - started

    def _count_frames(self) -> int:
        """Read what is there and count the whole frames in it."""
        data, at, frames = self._buffer + self._read(), 0, 0
        while len(data) - at >= HEADER_BYTES:
            end = at + int(struct.unpack_from(">I", data, at)[0])
            if end > len(data):
                break
            frames += 1
            at = end
        self._buffer = data[at:]
        return frames

    def _exchange_header(self, header: bytes) -> None:
        self._socket.sendall(header)
        answer = self._peek(HEADER_BYTES)[:HEADER_BYTES]
        self._buffer = self._buffer[HEADER_BYTES:]
        if answer != header:
            raise ConnectionError(f"The server answered {answer!r} to {header!r}.")

    def _peek(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._buffer += self._read()
        return self._buffer

    def _read(self) -> bytes:
        data = self._socket.recv(_READ_BYTES)
        if not data:
            raise ConnectionError("The server closed the connection.")
        return data

    def _send_frame(
        self, code: int, fields: list[bytes], payload: bytes = b"", *, channel: int = _CHANNEL, kind: int = 0
    ) -> None:
        body = values.described(code, values.listing(fields)) + payload
        self._socket.sendall(performatives.frame(channel, body, kind))


def _token(audience: str, key_name: str, key: str) -> str:
    expires = int(time.time()) + _TOKEN_VALID_S
    signature = hmac.new(key.encode(), f"{quote_plus(audience)}\n{expires}".encode(), hashlib.sha256).digest()
    parts = {"sr": audience, "sig": base64.b64encode(signature).decode(), "se": str(expires), "skn": key_name}
    return "SharedAccessSignature " + urlencode(parts)

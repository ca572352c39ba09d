"""A websocket in front of the local hub, on a line with latency: AMQP over websockets as the service offers it.

https://www.rfc-editor.org/rfc/rfc6455; the subprotocol: https://learn.microsoft.com/azure/event-hubs/event-hubs-faq
"""

import base64
import hashlib
import queue
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from tests.harness.services.listener import HOST, Listener

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
BINARY, CLOSE = 0x82, 8
PIECE_BYTES = 30_000


class WebsocketFront(Listener):
    """A context manager: it listens inside the block, and every byte takes `delay_s` in each direction."""

    def __init__(self, hub_port: int, delay_s: float = 0.0) -> None:
        super().__init__()
        self._hub_port, self._delay_s = hub_port, delay_s
        self.upgrades = 0

    def serve(self, client: socket.socket) -> None:
        """As `Listener`."""
        hub = socket.create_connection((HOST, self._hub_port))
        self.sockets.append(hub)
        with suppress(OSError):
            self._upgrade(client)
            up, down = self._line(hub.sendall), self._line(client.sendall)
            threading.Thread(target=_down, args=(hub, down), daemon=True).start()
            _up(client, up)
        hub.close()
        client.close()

    def _upgrade(self, client: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(4096)
        keys = [line.split(b": ")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key")]
        accepted = base64.b64encode(hashlib.sha1(keys[0] + GUID, usedforsecurity=False).digest())
        time.sleep(2 * self._delay_s)
        client.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accepted + b"\r\nSec-WebSocket-Protocol: AMQPWSB10\r\n\r\n"
        )
        self.upgrades += 1

    def _line(self, send: Callable[[bytes], None]) -> Callable[[bytes], None]:
        """What is put into it is sent in order, so much later."""
        waiting: queue.Queue[tuple[float, bytes]] = queue.Queue()

        def run() -> None:
            with suppress(OSError):
                while True:
                    at_s, data = waiting.get()
                    time.sleep(max(0.0, at_s - time.monotonic()))
                    send(data)

        threading.Thread(target=run, daemon=True).start()
        return lambda data: waiting.put((time.monotonic() + self._delay_s, data))


def _down(hub: socket.socket, send: Callable[[bytes], None]) -> None:
    with suppress(OSError):  # a hub that drops a connection resets it
        while data := hub.recv(PIECE_BYTES):
            size = bytes([len(data)]) if len(data) < 126 else b"\x7e" + struct.pack(">H", len(data))
            send(bytes([BINARY]) + size + data)
    send(bytes([0x80 | CLOSE, 0]))


def _up(client: socket.socket, send: Callable[[bytes], None]) -> None:
    while True:
        first, second = _exactly(client, 2)
        size = second & 0x7F
        if size == 126:
            size = int.from_bytes(_exactly(client, 2), "big")
        elif size == 127:
            size = int.from_bytes(_exactly(client, 8), "big")
        mask = _exactly(client, 4)
        data = bytes(byte ^ mask[at % 4] for at, byte in enumerate(_exactly(client, size)))
        if first & 0xF == CLOSE:
            return
        send(data)


def _exactly(client: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        if not (piece := client.recv(size - len(data))):
            raise OSError("closed")
        data += piece
    return data

"""An HTTP proxy that tunnels, as those of companies do, and that may ask for a name and a password.

https://www.rfc-editor.org/rfc/rfc9110#name-connect
"""

import base64
import socket
import threading
from contextlib import suppress

from tests.harness.services.listener import HOST, Listener

PIECE_BYTES = 64 * 1024
OPEN, ASK = b"HTTP/1.1 200 Connection established\r\n\r\n", b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"


class ConnectProxy(Listener):
    """A context manager: it listens inside the block. `tunnels` are the addresses that it was asked for."""

    def __init__(self, user: str, password: str) -> None:
        super().__init__()
        self._expected = b"Basic " + base64.b64encode(f"{user}:{password}".encode())
        self.address = f"{HOST}:{self.port}"
        self.tunnels: list[str] = []

    def serve(self, client: socket.socket) -> None:
        """As `Listener`."""
        with suppress(OSError), client:
            head = b""
            while b"\r\n\r\n" not in head and (piece := client.recv(PIECE_BYTES)):
                head += piece
            if self._expected not in head:
                client.sendall(ASK)
                return
            target = head.split(b" ")[1].decode()
            self.tunnels.append(target)
            host, _, port = target.rpartition(":")
            with socket.create_connection((host, int(port))) as server:
                self.sockets.append(server)
                client.sendall(OPEN)
                threading.Thread(target=_pump, args=(server, client), daemon=True).start()
                _pump(client, server)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(PIECE_BYTES):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)

"""The hub's listening socket, which an outage closes without giving the port away."""

import asyncio
from typing import TYPE_CHECKING

from scripts.localcloud.hub.connections.connection import Connection
from scripts.localcloud.hub.entity.hub import Hub
from scripts.localcloud.hub.nodes.feed import EventFeed
from scripts.localcloud.hub.nodes.opening import Opener
from scripts.localcloud.place import bound

if TYPE_CHECKING:
    import socket

_BACKLOG = 512


class Listener:
    """Accepts connections while open; while shut, clients are refused by the kernel.

    A second socket that is bound but never listens keeps the port ours meanwhile.
    """

    def __init__(self, hub: Hub, port: int, address: str) -> None:
        self._hub = hub
        self._address = address
        self._opener = Opener(hub)
        self.connections: set[Connection] = set()
        # Connections being accepted; asyncio keeps only weak references to its tasks.
        self._accepting: set[asyncio.Task[object]] = set()
        self._keeper = bound(address, port)
        self.port: int = self._keeper.getsockname()[1]
        self._socket: socket.socket | None = None

    @property
    def is_open(self) -> bool:
        """Whether clients are let in."""
        return self._socket is not None

    @property
    def receivers(self) -> tuple[EventFeed, ...]:
        """The receivers that are attached, the oldest first."""
        return tuple(self._opener.receivers)

    def open(self) -> None:
        """Let clients in."""
        self._socket = bound(self._address, self.port)
        self._socket.setblocking(False)
        self._socket.listen(_BACKLOG)
        asyncio.get_running_loop().add_reader(self._socket, self._accept)

    def shut(self) -> None:
        """Refuse clients."""
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None

    def close(self) -> None:
        """Give the port back."""
        self.shut()
        self._keeper.close()

    def _accept(self) -> None:
        if self._socket is None:
            return
        try:
            client, _ = self._socket.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        client.setblocking(False)
        loop = asyncio.get_running_loop()
        task = loop.create_task(loop.connect_accepted_socket(self._connection, client))
        self._accepting.add(task)
        task.add_done_callback(self._accepting.discard)

    def _connection(self) -> Connection:
        return Connection(self._hub, self._opener.open_link, self.connections)

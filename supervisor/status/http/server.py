"""The HTTP server of a supervisor, on its status socket and on `EVSUP_HTTP_ADDRESS`, served beside the loop.

It is one thread with an event loop, and each client has one deadline. So clients that send nothing, or do not read,
take a socket each and delay nobody. The servers of the standard library do not give that: http.server and wsgiref, and
that of prometheus-client on top of them, hold a thread for each client without a limit, and repeat a bad request in
their response.
"""

import asyncio
import socket
import threading
from asyncio import AbstractEventLoop, StreamReader, StreamWriter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import Any

from shared.clock import Clock, monotonic
from shared.config.formats.endpoint import parse_listening
from shared.errors import ConfigurationError
from shared.log.logger import get_logger
from shared.log.recent import RecentLines
from supervisor.status.http.history import EVERY_S, History
from supervisor.status.http.hosts import Hosts, hosts_of
from supervisor.status.http.overview import Past
from supervisor.status.http.responses import refusal, respond
from supervisor.status.model import TreeStatus

CLIENT_S = 5.0  # for a client to send its request and to read the response
MOST_CLIENTS = 32  # each takes a descriptor, which the workers need as well
BACKLOG = 128  # clients that wait in the kernel to be accepted; one more tries again after a second
MOST_HEAD_BYTES = 8 * 1024
log = get_logger()


class HttpServer:
    """Answers on listening sockets from the newest status. It closes them at its end."""

    def __init__(
        self,
        sockets: Sequence[socket.socket],
        read: Callable[[], TreeStatus],
        recent: RecentLines | None = None,
        clock: Clock = monotonic,
        sample_every_s: float = EVERY_S,
        names: Iterable[str] = (),
        renewed: Callable[[], socket.socket | None] = lambda: None,
    ) -> None:
        """`names` are further ones by which clients may reach the addresses (`hosts.py`). `renewed` is asked again and
        again for a socket in place of the first one.
        """
        self._names, self._renewed = tuple(names), renewed
        self._sockets, self._read, self._clock, self._sample_every_s = sockets, read, clock, sample_every_s
        self._recent, self._history = recent or RecentLines(), History()
        self._clients: dict[StreamWriter, None] = {}  # the oldest first
        self._closing = asyncio.Event()
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self._loop = self._runner.get_loop()
        self._loop.set_exception_handler(_report)
        self._thread = threading.Thread(target=self._run, name="http", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening and close all connections."""
        self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join()

    def _run(self) -> None:
        with self._runner:
            self._runner.run(self._serve())

    async def _serve(self) -> None:
        servers = [await self._listen_on(each) for each in self._sockets]
        while not self._closing.is_set():
            self._history.add(self._read())
            if renewed := self._renewed():
                servers[0].close()
                servers[0] = await self._listen_on(renewed)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), self._sample_every_s)
        for server in servers:
            server.close()  # it does not wait for clients: the runner cancels their tasks

    async def _listen_on(self, listener: socket.socket) -> asyncio.Server:
        return await asyncio.start_server(
            partial(self._serve_client, hosts_of(listener, self._names)),
            sock=listener,
            limit=MOST_HEAD_BYTES,
            backlog=BACKLOG,
        )

    async def _serve_client(self, hosts: Hosts | None, reader: StreamReader, writer: StreamWriter) -> None:
        """One client, from its first byte to its last."""
        # Here, before a descriptor more is in use than the workers can spare.
        self._make_room()
        self._clients[writer] = None
        try:
            async with asyncio.timeout(CLIENT_S):
                writer.write(await self._respond(hosts, reader))
                await _close(reader, writer)
        except (OSError, asyncio.IncompleteReadError) as error:
            log.debug("http_client_left", reason=str(error))
        finally:
            self._clients.pop(writer, None)
            _cut(writer)

    def _make_room(self) -> None:
        """Close the oldest connection. A request is answered at once, so the oldest client has sent none, or does not
        end.
        """
        while len(self._clients) >= MOST_CLIENTS:
            oldest = next(iter(self._clients))
            del self._clients[oldest]
            _cut(oldest)

    async def _respond(self, hosts: Hosts | None, reader: StreamReader) -> bytes:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            return refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE).encode()
        except asyncio.IncompleteReadError as half:
            head = half.partial
            if not head:
                raise
        past = Past(self._history.samples(), self._recent.lines())
        return respond(head, self._read(), self._clock(), past, hosts)


async def _close(reader: StreamReader, writer: StreamWriter) -> None:
    """Send the response, and close when the client has. Closing while bytes of it are unread, as those of a body, would
    reset the connection and cost the client the response (https://www.rfc-editor.org/rfc/rfc9112#section-9.6).
    """
    writer.write_eof()
    while await reader.read(MOST_HEAD_BYTES):
        pass
    writer.close()
    await writer.wait_closed()


def _cut(client: StreamWriter) -> None:
    """End a connection at once, unless it has ended."""
    with suppress(AttributeError):  # asyncio's own, where the last byte went later than `close` was called
        client.transport.abort()


def listen(address: str) -> socket.socket:
    """A socket that listens on `address` (IP:PORT). Raises ConfigurationError when it cannot be bound.

    On exactly this address: `::` does not include the IPv4 addresses.
    """
    where = parse_listening(address)
    family = socket.AF_INET6 if where.ip.version == 6 else socket.AF_INET
    try:
        return socket.create_server((str(where.ip), where.port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise ConfigurationError(
            f"EVSUP_HTTP_ADDRESS={address} cannot be listened on",
            error.strerror or str(error),
            "Set a free port on an address of this host, or leave it unset.",
        ) from error


def _report(_: AbstractEventLoop, context: Mapping[str, Any]) -> None:
    """What the event loop cannot raise to anybody: no descriptor is left for a client, for example."""
    if isinstance(context.get("exception"), asyncio.CancelledError):
        return  # the tree ended while a client was connected, and Python before 3.13 calls that an error
    log.warning("status_not_answered", reason=f"{context['message']}: {context.get('exception', '')}")

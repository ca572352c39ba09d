"""TLS in front of a local service that has none, as a process of its own.

For Postgres, whose wheel is built without OpenSSL, and for Event Hubs, which the SDK speaks to without TLS only in its
emulator mode. A client of Postgres asks before it shakes hands:
https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-SSL
"""

import argparse
import asyncio
import contextlib
import json
import signal
import ssl
import sys
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from scripts.localcloud.place import LOOPBACK
from scripts.localcloud.service import Service, leave_with_parent
from scripts.localcloud.signing.certificate import make_certificate

SSL_REQUEST = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"
CHUNK_BYTES = 65536


class TlsFront:
    """A context manager: it listens inside the block."""

    def __init__(
        self, directory: Path, port: int, *, asks_first: bool = False, address: str = LOOPBACK, listen_port: int = 0
    ) -> None:
        """Prepare to listen in front of `port`, with certificate and key in `directory`; Postgres' clients ask first.

        It listens on `address`, the certificate's only name, and on any free port unless `listen_port` says which.
        """
        self._arguments = ["--directory", str(directory), "--to", str(port), *(["--asks-first"] if asks_first else [])]
        self._arguments += ["--address", address, "--port", str(listen_port)]
        self.ca_file = directory / "ca.pem"
        self._service: Service | None = None

    def __enter__(self) -> Self:
        self._service = Service.start(__name__, self._arguments)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._service is not None
        self._service.stop()

    @property
    def port(self) -> int:
        """Where it listens."""
        assert self._service is not None
        port: int = self._service.ready["port"]
        return port


def main() -> int:
    """Make the certificate and serve until a signal."""
    parser = argparse.ArgumentParser(prog="python -m scripts.localcloud.tls", description=__doc__)
    parser.add_argument("--directory", type=Path, required=True, help="an empty one, for certificate and key")
    parser.add_argument("--to", type=int, required=True, help="port of the service without TLS")
    parser.add_argument("--asks-first", action="store_true", help="clients ask for TLS as those of Postgres do")
    parser.add_argument("--address", default=LOOPBACK, help="where to listen (%(default)s)")
    parser.add_argument("--port", type=int, default=0, help="where to listen; 0, the default, is any that is free")
    options = parser.parse_args()
    leave_with_parent()
    context = make_certificate(options.directory, options.address).server_context()
    asyncio.run(_serve(context, options))
    return 0


async def _serve(context: ssl.SSLContext, options: argparse.Namespace) -> None:
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    where = (options.address, options.port)
    if options.asks_first:
        server = await asyncio.start_server(partial(_answer, context, options.to), *where)
    else:
        server = await asyncio.start_server(partial(_relay, options.to), *where, ssl=context)
    sys.stdout.write(json.dumps({"port": server.sockets[0].getsockname()[1]}) + "\n")
    sys.stdout.flush()
    await stopped.wait()


async def _answer(
    context: ssl.SSLContext, to: int, client: asyncio.StreamReader, answers: asyncio.StreamWriter
) -> None:
    """Accept clients that ask for TLS; close the connection of any other."""
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        if await client.readexactly(len(SSL_REQUEST)) == SSL_REQUEST:
            answers.write(b"S")
            await answers.start_tls(context)
            await _relay(to, client, answers)
    answers.close()


async def _relay(to: int, client: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
    """Copy in both directions until either end closes."""
    with contextlib.suppress(OSError):
        server, requests = await asyncio.open_connection(LOOPBACK, to)
        copies = [asyncio.create_task(_copy(client, requests)), asyncio.create_task(_copy(server, answers))]
        await asyncio.wait(copies, return_when=asyncio.FIRST_COMPLETED)
        requests.close()
    answers.close()


async def _copy(source: asyncio.StreamReader, drain: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(CHUNK_BYTES):
            drain.write(data)
            await drain.drain()


if __name__ == "__main__":
    sys.exit(main())

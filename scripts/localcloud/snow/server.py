"""Starts the listeners, says where they are, and stops them on a signal."""

import asyncio
import functools
import json
import signal
import socket
import ssl
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from scripts.localcloud.signing.certificate import make_certificate
from scripts.localcloud.snow.control import Control
from scripts.localcloud.snow.front import Front
from scripts.localcloud.snow.http.wire import Handler, serve_connection
from scripts.localcloud.snow.service import Service
from scripts.localcloud.snow.stage.stage import StageEndpoint

BUFFER_BYTES = 1024 * 1024  # of a connection: a large body arrives in few turns of the loop


@dataclass(frozen=True)
class Settings:
    """Where to listen (port 0: any free one), where to keep the certificate, and seconds until a commit."""

    address: str
    port: int
    admin_port: int
    state_dir: Path
    commit_delay_s: float


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; the one line on stdout is the sign that clients may come."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    address = settings.address
    certificate = make_certificate(settings.state_dir, address)
    service = Service(settings.commit_delay_s)
    ports = (settings.port, settings.admin_port, 0, 0)
    public, private, plain, stage = (socket.create_server((address, port)) for port in ports)
    service.endpoint = f"{address}:{_port(public)}"
    service.stage.endpoint = f"{address}:{_port(stage)}"
    front, control, tls = Front(service, address), Control(service), certificate.server_context()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(service.close)
        for server in (
            await _listen(front.handle, public, tls),
            await _listen(StageEndpoint(service.calls, service.stage).handle, stage, tls),
            await _listen(control.handle, private, None),
            await _listen(front.handle, plain, None),  # for SDKs that trust no CA but their own, and speak http
        ):
            stack.callback(server.close)
        ready = {
            "port": _port(public),
            "admin_port": _port(private),
            "plain_port": _port(plain),
            "stage_port": _port(stage),
            "ca_file": str(certificate.ca_file),
        }
        sys.stdout.write(json.dumps(ready) + "\n")
        sys.stdout.flush()
        await stop.wait()


async def _listen(handler: Handler, listener: socket.socket, tls: ssl.SSLContext | None) -> asyncio.Server:
    serve_one = functools.partial(serve_connection, handler)
    return await asyncio.start_server(serve_one, sock=listener, ssl=tls, limit=BUFFER_BYTES)


def _port(listener: socket.socket) -> int:
    port = listener.getsockname()[1]
    assert isinstance(port, int)
    return port

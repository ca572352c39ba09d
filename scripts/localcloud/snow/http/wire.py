"""HTTP/1.1 over asyncio streams: what the streaming SDK and the admin client need, and no more.

Requests are few and large (one a second and channel, up to megabytes), so the cost is TLS and the body, not the
parsing; keep-alive is on and a body is read whole.
"""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

MAX_BODY_BYTES = 64 * 1024 * 1024  # far above the service's own limit, which is refused with an answer


@dataclass(frozen=True)
class Request:
    """One request: the decoded path segments, the query (last value wins) and the whole body."""

    method: str
    segments: tuple[str, ...]
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """Read the body as a JSON object; an empty body is an empty object."""
        value = json.loads(self.body) if self.body else {}
        if not isinstance(value, dict):
            raise ValueError("the body is not a JSON object")  # noqa: TRY004 - the caller answers 400
        return value


@dataclass(frozen=True)
class Response:
    """One answer. `drop` says that the connection is reset instead of answered."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    drop: bool = False


Handler = Callable[[Request], Awaitable[Response]]

RESET = Response(0, b"", drop=True)


def json_response(value: Any, status: int = 200) -> Response:
    """Answer with a JSON document."""
    return Response(status, json.dumps(value).encode())


def text_response(text: str) -> Response:
    """Answer 200 with plain text."""
    return Response(HTTPStatus.OK, text.encode(), "text/plain")


async def serve_connection(handler: Handler, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the requests of one connection, in order, until the peer leaves or an answer says `drop`."""
    try:
        while (request := await _read_request(reader)) is not None:
            response = await handler(request)
            if response.drop:
                writer.transport.abort()
                return
            writer.write(_encode(response))
            await writer.drain()
    except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
        # The peer left in the middle of a request, or does not speak HTTP: nobody is there to answer.
        pass
    except asyncio.CancelledError:
        writer.transport.abort()  # the service stops: an idle driver would not say goodbye for half a minute
        raise
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def _read_request(reader: asyncio.StreamReader) -> Request | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as exc:
        if exc.partial:
            raise
        return None
    line, *fields = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, target, _version = line.split(" ", 2)
    headers = {name.strip().lower(): value.strip() for name, _, value in (f.partition(":") for f in fields)}
    body = await _read_body(reader, headers)
    url = urlsplit(target)
    segments = tuple(unquote(part) for part in url.path.split("/") if part)
    return Request(method, segments, dict(parse_qsl(url.query, keep_blank_values=True)), headers, body)


async def _read_body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return await _read_chunks(reader)
    return await reader.readexactly(_bounded(int(headers.get("content-length", "0"))))


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        _bounded(len(body) + size)
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass
    return bytes(body)


def _bounded(size: int) -> int:
    if not 0 <= size <= MAX_BODY_BYTES:
        raise ValueError(f"a body of {size} bytes; {MAX_BODY_BYTES} is the limit")
    return size


def _encode(response: Response) -> bytes:
    fields = {
        "Content-Type": response.content_type,
        "Content-Length": str(len(response.body)),
        **response.headers,
    }
    head = f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return head.encode("latin-1") + b"\r\n" + response.body

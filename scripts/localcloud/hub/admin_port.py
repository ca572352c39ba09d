"""The admin port: HTTP, one command a request."""

import asyncio
from http import HTTPStatus

import msgspec

from scripts.localcloud.hub import commands
from scripts.localcloud.hub.operator import Operator

_DECODER: msgspec.json.Decoder[commands.AnyCommand] = msgspec.json.Decoder(commands.AnyCommand)


class AdminPort:
    """Reads a request, has the operator carry it out, answers and closes. GET reads the facts, POST takes a command."""

    def __init__(self, operator: Operator) -> None:
        self._operator = operator

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one client."""
        try:
            status, answer = await self._answer(await _read_body(reader))
            writer.write(_response(status, msgspec.json.encode(answer)))
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # The client left; nobody waits for an answer.
        finally:
            writer.close()

    async def _answer(self, body: bytes) -> tuple[HTTPStatus, commands.HubFacts | commands.Refused]:
        try:
            command = _DECODER.decode(body) if body else commands.Look()
            return HTTPStatus.OK, await self._operator.carry_out(command)
        except msgspec.DecodeError as error:
            return HTTPStatus.BAD_REQUEST, commands.Refused(f"Not a command: {error}")
        except KeyError as error:
            return HTTPStatus.NOT_FOUND, commands.Refused(f"There is no partition {error}.")


async def _read_body(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return await reader.readexactly(int(value))
    return b""


def _response(status: HTTPStatus, body: bytes) -> bytes:
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body

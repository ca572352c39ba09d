"""A connection: handshake, frames in, frames out, heartbeats, and the tokens put over it."""

import asyncio
import socket
import struct
import time
from collections import deque
from enum import Enum, auto
from typing import TYPE_CHECKING

from scripts.localcloud.hub.commands import ConnectionFacts
from scripts.localcloud.hub.connections.link import Link
from scripts.localcloud.hub.connections.session import OpenLink, ProtocolError, Session
from scripts.localcloud.hub.entity.faults import FaultName
from scripts.localcloud.hub.entity.hub import Hub
from scripts.localcloud.hub.wire import performatives, values
from scripts.localcloud.hub.wire.performatives import Code, Fault, Frame

if TYPE_CHECKING:
    from scripts.localcloud.hub.access.token import Claim

MAX_FRAME_BYTES = 65536
"""Largest frame the server takes, as the service announces it; larger messages come in several frames."""
_CHANNEL_MAX = 4999
_MECHANISMS = ["MSSBCBS", "PLAIN", "ANONYMOUS", "EXTERNAL"]
_WRITE_BUFFER_BYTES = 512 * 1024
_LARGEST_TICK_S = 1.0
_CLOCK_STEP_S = 0.001
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Stage(Enum):
    """How far the handshake is; stages only move forward."""

    SASL_HEADER = auto()
    SASL_INIT = auto()
    AMQP_HEADER = auto()
    OPEN = auto()
    OPENED = auto()
    CLOSED = auto()


class Connection(asyncio.Protocol):
    """One client's socket. It is in the set of connections for as long as it lives."""

    def __init__(self, hub: Hub, open_link: OpenLink, connections: "set[Connection]") -> None:
        self.hub = hub
        self._open_link = open_link
        self._connections = connections
        self.stage = Stage.SASL_HEADER
        self.claims: dict[str, Claim] = {}
        self.sessions: dict[int, Session] = {}
        self.writable = True
        self.remote_max_frame_bytes = 512
        self.opening: ConnectionFacts | None = None
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._held: list[bytes] = []
        self._late: deque[tuple[float, bytes]] = deque()
        self._remote_idle_s = 0.0
        self._last_read_s = self._last_write_s = time.monotonic()
        self._tick: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the socket."""
        assert isinstance(transport, asyncio.Transport)
        transport.set_write_buffer_limits(high=_WRITE_BUFFER_BYTES)
        self._transport = transport
        self._connections.add(self)
        self._schedule_tick()

    def connection_lost(self, exc: Exception | None) -> None:
        """Free everything that the connection held."""
        del exc
        self.stage = Stage.CLOSED
        self._connections.discard(self)
        for session in self.sessions.values():
            session.closed()
        self.sessions.clear()
        if self._tick is not None:
            self._tick.cancel()

    def pause_writing(self) -> None:
        """Stop the feeds: the client reads more slowly than they send."""
        self.writable = False

    def resume_writing(self) -> None:
        """Let the feeds go on."""
        self.writable = True
        self._wake()

    def data_received(self, data: bytes) -> None:
        """Take bytes; while the hub hangs they are left unread."""
        self._last_read_s = time.monotonic()
        self._received += data
        if self.hub.faults.hung:
            self.hub.faults.fired[FaultName.HANG] += 1
            return
        self._process()

    def thaw(self) -> None:
        """Go on after a hang."""
        held, self._held = self._held, []
        for frames in held:
            self.write(frames)
        self._process()
        self._wake()

    def write(self, frames: bytes) -> None:
        """Send encoded frames, or keep them while the hub hangs."""
        if self._transport is None or self._transport.is_closing():
            return
        if self.hub.faults.hung:
            self._held.append(frames)
            return
        self._last_write_s = time.monotonic()
        if self.hub.faults.latency_s or self._late:
            self._write_later(frames)
        else:
            self._transport.write(frames)

    def _write_later(self, frames: bytes) -> None:
        """Keep the order: one timer, for the oldest."""
        self.hub.faults.fired[FaultName.LATENCY] += 1
        self._late.append((time.monotonic() + self.hub.faults.latency_s, frames))
        if len(self._late) == 1:
            asyncio.get_running_loop().call_later(self.hub.faults.latency_s, self._write_late)

    def _write_late(self) -> None:
        while self._late and self._late[0][0] <= time.monotonic() + _CLOCK_STEP_S:
            _, frames = self._late.popleft()
            if self._transport is not None and not self._transport.is_closing():
                self._transport.write(frames)
        if self._late:
            asyncio.get_running_loop().call_later(self._late[0][0] - time.monotonic(), self._write_late)

    def close(self, fault: Fault | None = None) -> None:
        """Send a close frame and close the socket."""
        if self.stage in {Stage.OPEN, Stage.OPENED}:
            self.write(performatives.frame(0, performatives.close(fault)))
        self.stage = Stage.CLOSED
        if self._transport is not None:
            while self._late:
                self._transport.write(self._late.popleft()[1])
            self._transport.close()

    def abort(self) -> None:
        """Reset the socket, with no close frame before it."""
        if self._transport is None:
            return
        raw = self._transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._transport.abort()

    def links(self) -> list[Link]:
        """Return the links that are attached."""
        return [link for one in self.sessions.values() for link in one.links.values() if not link.detached]

    def _wake(self) -> None:
        for session in tuple(self.sessions.values()):
            session.wake()

    def _process(self) -> None:
        received, at = bytes(self._received), 0
        self._received.clear()
        try:
            while self.stage is not Stage.CLOSED:
                end = self._piece_end(received, at)
                if end > len(received):
                    break
                self._on_piece(received[at:end])
                at = end
        except values.MalformedValueError as error:
            self.close(Fault("amqp:decode-error", str(error)))
        except ProtocolError as error:
            self.close(error.fault)
        self._received += received[at:]

    def _piece_end(self, received: bytes, at: int) -> int:
        """Return where the header or frame at `at` ends, whether or not all of it is there."""
        if len(received) - at < performatives.HEADER_BYTES:
            return len(received) + 1
        if self.stage in {Stage.SASL_HEADER, Stage.AMQP_HEADER}:
            return at + performatives.HEADER_BYTES
        size = int.from_bytes(received[at : at + 4], "big")
        if not performatives.HEADER_BYTES <= size <= MAX_FRAME_BYTES:
            raise ProtocolError("amqp:connection:framing-error", f"A frame of {size} bytes is not possible here.")
        return at + size

    def _on_piece(self, piece: bytes) -> None:
        match self.stage:
            case Stage.SASL_HEADER:
                self._on_header(piece, performatives.SASL_HEADER, Stage.SASL_INIT)
                self.write(_sasl(performatives.sasl_mechanisms(_MECHANISMS)))
            case Stage.AMQP_HEADER:
                self._on_header(piece, performatives.AMQP_HEADER, Stage.OPEN)
            case _:
                self._on_frame_bytes(piece)

    def _on_header(self, piece: bytes, wanted: bytes, following: Stage) -> None:
        self.write(wanted)
        if piece != wanted:
            raise ProtocolError("amqp:connection:framing-error", f"Protocol header {piece!r} is not {wanted!r}.")
        self.stage = following

    def _on_frame_bytes(self, piece: bytes) -> None:
        start = 4 * piece[4]
        kind, channel, body = piece[5], int.from_bytes(piece[6:8], "big"), piece[start:]
        if kind != (performatives.SASL_TYPE if self.stage is Stage.SASL_INIT else performatives.AMQP_TYPE):
            raise ProtocolError("amqp:connection:framing-error", f"A frame of type {kind} is out of place.")
        if body:
            self._on_frame(performatives.parse(channel, body))

    def _on_frame(self, frame: Frame) -> None:
        match self.stage, frame.code:
            case Stage.SASL_INIT, Code.SASL_INIT:
                self._on_sasl(frame)
            case Stage.OPEN, Code.OPEN:
                self._on_open(frame)
            case Stage.OPENED, Code.CLOSE:
                self.close()
            case Stage.OPENED, Code.BEGIN:
                self.sessions[frame.channel] = Session(self, frame, self._open_link)
            case Stage.OPENED, Code.END:
                self._on_end(frame)
            case Stage.OPENED, _ if frame.channel in self.sessions:
                self.sessions[frame.channel].on_frame(frame)
            case _:
                raise ProtocolError("amqp:illegal-state", f"Performative 0x{frame.code:x} is out of place.")

    def _on_sasl(self, frame: Frame) -> None:
        known = frame.fields.text(0) in _MECHANISMS
        self.write(_sasl(performatives.sasl_outcome(0 if known else 1)))
        if not known:
            self.close()
        else:
            self.stage = Stage.AMQP_HEADER

    def _on_open(self, frame: Frame) -> None:
        self.remote_max_frame_bytes = frame.fields.number(2, MAX_FRAME_BYTES)
        self._remote_idle_s = frame.fields.number(4) / 1000
        properties = {str(name): str(value) for name, value in frame.fields.entries(9).items()}
        self.opening = ConnectionFacts(frame.fields.text(1), frame.fields.number(4), properties)
        body = performatives.opening(self.hub.container, MAX_FRAME_BYTES, _CHANNEL_MAX, self.hub.idle_ms)
        self.write(performatives.frame(0, body))
        self.stage = Stage.OPENED
        self._schedule_tick()

    def _on_end(self, frame: Frame) -> None:
        session = self.sessions.pop(frame.channel, None)
        if session is not None:
            session.closed()
            session.send(performatives.end())

    def _schedule_tick(self) -> None:
        if self._tick is not None:
            self._tick.cancel()
        wanted = [_LARGEST_TICK_S, self.hub.idle_ms / 4000]
        if self._remote_idle_s:
            wanted.append(self._remote_idle_s / 4)
        self._tick = asyncio.get_running_loop().call_later(min(wanted), self._on_tick)

    def _on_tick(self) -> None:
        if not self.hub.faults.hung:
            self._keep_alive()
            self.expire()
        if self.stage is not Stage.CLOSED:
            self._schedule_tick()

    def _keep_alive(self) -> None:
        """Send an empty frame at half the client's idle timeout; close a client that is silent beyond ours."""
        now = time.monotonic()
        if self.stage is Stage.OPENED and self._remote_idle_s and now - self._last_write_s >= self._remote_idle_s / 2:
            self.write(performatives.EMPTY_FRAME)
        if now - self._last_read_s > self.hub.idle_ms / 1000:
            self.close(_inactive(self.hub.idle_ms))

    def expire(self, *, everything: bool = False) -> None:
        """Detach the links whose tokens have expired, or all of them."""
        now = time.time()
        for claim in [claim for claim in self.claims.values() if everything or now >= claim.expires_s]:
            del self.claims[claim.path]
            for link in self.links():
                if link.path is not None and not any(one.covers(link.path, now) for one in self.claims.values()):
                    link.detach(claim.expired())


def _sasl(body: bytes) -> bytes:
    return performatives.frame(0, body, performatives.SASL_TYPE)


def _inactive(idle_ms: int) -> Fault:
    return Fault(
        "amqp:connection:forced",
        f"The connection was inactive for more than the allowed {idle_ms} milliseconds and is closed by container.",
    )

"""A session: channel, windows, and the links that share them."""

from collections.abc import Callable
from typing import Protocol

from scripts.localcloud.hub.access.token import Claim
from scripts.localcloud.hub.connections.link import Attach, Link
from scripts.localcloud.hub.entity.hub import Hub
from scripts.localcloud.hub.wire import performatives, values
from scripts.localcloud.hub.wire.performatives import Code, Fault, Frame

_INCOMING_WINDOW = 5000
_OUTGOING_WINDOW = 5000
_HANDLE_MAX = 255


class ProtocolError(Exception):
    """A frame out of place; the connection is closed with the fault."""

    def __init__(self, condition: str, description: str) -> None:
        super().__init__(description)
        self.fault = Fault(condition, description)


class Carrier(Protocol):
    """What a session needs of its connection."""

    hub: Hub
    claims: dict[str, Claim]
    writable: bool
    remote_max_frame_bytes: int

    def write(self, frames: bytes) -> None:
        """Send encoded frames."""


class Session:
    """Routes frames to links and keeps the session's transfer counts."""

    def __init__(self, connection: Carrier, begin: Frame, open_link: "OpenLink") -> None:
        self.channel = begin.channel
        self.hub: Hub = connection.hub
        self.links: dict[int, Link] = {}
        self.remote_incoming_window = begin.fields.number(2)
        self.next_delivery = 0
        self._connection = connection
        self._open_link = open_link
        self._next_outgoing = 0
        self._next_incoming = begin.fields.number(1)
        self.send(performatives.begin(begin.channel, _INCOMING_WINDOW, _OUTGOING_WINDOW, _HANDLE_MAX))

    @property
    def claims(self) -> dict[str, Claim]:
        """The tokens put over this session's connection, by path."""
        return self._connection.claims

    @property
    def writable(self) -> bool:
        """Whether the connection takes more bytes."""
        return self._connection.writable

    @property
    def max_frame_bytes(self) -> int:
        """Largest frame that is sent: the client's, or less by a fault."""
        return min(self._connection.remote_max_frame_bytes, self.hub.faults.frame_bytes)

    def send(self, body: bytes) -> None:
        """Send a performative on the session's channel."""
        self.write(performatives.frame(self.channel, body))

    def write(self, frames: bytes) -> None:
        """Send encoded frames."""
        self._connection.write(frames)

    def number_deliveries(self, count: int) -> int:
        """Account for deliveries and return the first one's number."""
        first = self.next_delivery
        self.next_delivery += count
        return first

    def count_frames(self, count: int) -> None:
        """Account for transfers that are sent: the client's window is so much smaller."""
        self._next_outgoing += count
        self.remote_incoming_window -= count

    def send_flow(self, handle: int, delivery_count: int, credit: int) -> None:
        """Send the client a link's credit, and the session's windows with it."""
        windows = (self._next_incoming, _INCOMING_WINDOW, self._next_outgoing, _OUTGOING_WINDOW)
        link = (handle, delivery_count, credit)
        fields = [values.uint(count) for count in (*windows, *link)]
        self.send(performatives.performative(Code.FLOW, [*fields, values.NULL, values.FALSE, values.FALSE]))

    def on_frame(self, frame: Frame) -> None:
        """Take a frame that belongs to this session."""
        match frame.code:
            case Code.ATTACH:
                self._on_attach(Attach(frame.fields))
            case Code.FLOW:
                self._on_flow(frame)
            case Code.TRANSFER:
                self._next_incoming += 1
                self._link(frame.fields.number(0)).on_transfer(frame)
            case Code.DETACH:
                self._on_detach(frame)
            case Code.DISPOSITION:
                pass  # Events stay where they are, whatever a receiver says of them.
            case _:
                raise ProtocolError("amqp:not-allowed", f"Performative 0x{frame.code:x} has no place in a session.")

    def wake(self) -> None:
        """Let the links go on after the client took bytes or widened its window."""
        for link in tuple(self.links.values()):
            link.on_writable()

    def closed(self) -> None:
        """Release what the session holds; it has ended."""
        for link in self.links.values():
            if not link.detached:
                link.closed()

    def _on_flow(self, frame: Frame) -> None:
        fields = frame.fields
        seen = fields.number(0)
        self.remote_incoming_window = seen + fields.number(1) - self._next_outgoing
        if fields.value(4) is not None:
            self._link(fields.number(4)).on_flow(fields)
        self.wake()

    def _on_attach(self, attach: Attach) -> None:
        present = self.links.get(attach.handle)
        if present is not None and not present.detached:
            raise ProtocolError("amqp:session:handle-in-use", f"Handle {attach.handle} is in use by '{present.name}'.")
        self.links[attach.handle] = self._open_link(self, attach)

    def _on_detach(self, frame: Frame) -> None:
        link = self.links.pop(frame.fields.number(0), None)
        if link is not None:
            link.detach()

    def _link(self, handle: int) -> Link:
        link = self.links.get(handle)
        if link is None:
            raise ProtocolError("amqp:session:unattached-handle", f"Handle {handle} is not attached.")
        return link


OpenLink = Callable[[Session, Attach], Link]
"""Answers an attach; the link is detached already where it was refused."""

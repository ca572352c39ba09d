"""Links: what every one of them does, whatever flows over it."""

from collections.abc import Callable
from dataclasses import dataclass

from scripts.localcloud.hub.wire import performatives, values
from scripts.localcloud.hub.wire.performatives import Code, Fault, Fields, Frame

_SETTLED_BY_SENDER = 1


class LinkRefusedError(Exception):
    """A link that the client may not have; `fault` is the answer."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.description)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Attach:
    """A client's request for a link. `client_receives` is the direction."""

    fields: Fields

    @property
    def name(self) -> str:
        """The link's name."""
        return self.fields.text(0)

    @property
    def handle(self) -> int:
        """The client's number for the link; the server uses the same one."""
        return self.fields.number(1)

    @property
    def client_receives(self) -> bool:
        """Whether messages flow from the server to the client."""
        return self.fields.flag(2)

    @property
    def settled(self) -> bool:
        """Whether deliveries to the client are to be sent settled."""
        return self.fields.number(3, 2) >= _SETTLED_BY_SENDER

    @property
    def address(self) -> str:
        """The node in the server that the client means."""
        return self.fields.nested(5 if self.client_receives else 6).text(0)

    @property
    def properties(self) -> dict[object, object]:
        """The link's properties."""
        return self.fields.entries(13)

    @property
    def largest_message(self) -> int:
        """How many bytes of a message the client takes; 0: any."""
        return self.fields.number(10)

    @property
    def desired(self) -> list[object]:
        """The capabilities that the client would like."""
        wanted = self.fields.value(12)
        return wanted if isinstance(wanted, list) else [wanted]

    def answer(self, *, accepted: bool, largest_message: int, offered: list[str] | None = None) -> bytes:
        """Encode the server's attach; a refused one has no terminus on the server's side, and a detach follows."""
        ends = performatives.terminus(
            self.fields.nested(5) if accepted or not self.client_receives else None,
            self.fields.nested(6) if accepted or self.client_receives else None,
        )
        modes = [values.ubyte(self.fields.number(3, 2)), values.ubyte(self.fields.number(4))]
        count = values.uint(0) if self.client_receives else values.NULL
        head = [values.string(self.name), values.uint(self.handle), values.boolean(not self.client_receives)]
        tail = [values.NULL, values.FALSE, count, values.ulong(largest_message)]
        capabilities = values.symbol_array(offered) if offered else values.NULL
        return performatives.performative(Code.ATTACH, [*head, *modes, *ends, *tail, capabilities])


def too_large(message: str, limit: int) -> Fault:
    """A message is larger than its receiver takes: that one said how much it does when it attached."""
    return Fault(
        "amqp:link:message-size-exceeded",
        f"{message} exceeds the limit ({limit} bytes) currently allowed on the link.",
    )


class Link:
    """One end of a link. Once detached it stays silent; frames that were under way are ignored."""

    def __init__(self, attach: Attach, send: Callable[[bytes], None]) -> None:
        self._send = send
        self.name = attach.name
        self.handle = attach.handle
        self.detached = False

    @property
    def path(self) -> str | None:
        """The path that a token must cover for this link to live, None for the nodes open to everybody."""
        return None

    def detach(self, fault: Fault | None = None) -> None:
        """Close the link from this side."""
        if not self.detached:
            self._send(performatives.detach(self.handle, fault))
            self.closed()

    def closed(self) -> None:
        """Release what the link holds; it has ended, for whatever reason."""
        self.detached = True

    def on_flow(self, fields: Fields) -> None:
        """Take a flow for this link."""

    def on_transfer(self, frame: Frame) -> None:
        """Take a transfer for this link."""
        self.detach(
            Fault("amqp:not-allowed", f"Link '{self.name}' does not take transfers ({len(frame.payload)} bytes).")
        )

    def on_writable(self) -> None:
        """Go on after the connection or the session could not take more."""


class Credit:
    """A sender's account of link credit, in serial numbers of 32 bits."""

    __slots__ = ("delivery_count", "limit")

    def __init__(self) -> None:
        self.delivery_count = 0
        self.limit = 0

    @property
    def left(self) -> int:
        """Deliveries that may still be sent."""
        return max(self.limit - self.delivery_count, 0)

    def grant(self, fields: Fields) -> None:
        """Take the receiver's credit; what is under way counts against it."""
        self.limit = fields.number(5) + fields.number(6)

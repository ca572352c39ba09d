"""An intake: the server's end of a client's sender, and the assembly of messages out of transfers."""

import zlib

from scripts.localcloud.hub.access.address import Address
from scripts.localcloud.hub.connections.link import Attach, Link, too_large
from scripts.localcloud.hub.connections.session import Session
from scripts.localcloud.hub.entity import event
from scripts.localcloud.hub.wire import performatives
from scripts.localcloud.hub.wire.performatives import Frame

_CREDIT = 300
# AMQP 1.0, 2.7.5: aborted messages are discarded, with any payload of the frame, and implicitly settled
# https://docs.oasis-open.org/amqp/core/v1.0/os/amqp-core-transport-v1.0-os.html#type-transfer
_ABORTED = 9


class Intake(Link):
    """Takes whole messages, settles each, and keeps the client in credit."""

    def __init__(self, session: Session, attach: Attach) -> None:
        super().__init__(attach, session.send)
        self.session = session
        self._pieces: list[bytes] = []
        self._size = 0
        self._delivery = 0
        self._settled = False
        self._format = 0
        self._largest_message = session.hub.largest_message  # what the attach has said: a later change is not for it
        self._delivery_count = attach.fields.number(9)
        self._credit = 0

    def start(self) -> None:
        """Grant the first credit."""
        self._top_up()

    def on_transfer(self, frame: Frame) -> None:
        """Take one frame of a message; what is still under way when the link is detached counts for nothing."""
        if self.detached:
            return
        fields = frame.fields
        if not self._pieces:
            self._delivery, self._format = fields.number(1), fields.number(3)
        self._settled = self._settled or fields.flag(4)
        self._size += len(frame.payload)
        self._pieces.append(frame.payload if self._size <= self._largest_message else b"")
        if fields.flag(_ABORTED):
            self._next_delivery()
        elif not fields.flag(5):
            self._complete()

    def take(self, message: bytes, message_format: int) -> None:
        """Do what the link is for."""
        raise NotImplementedError

    def _complete(self) -> None:
        message, settled, size = b"".join(self._pieces), self._settled, self._size
        self._next_delivery()
        if size > self._largest_message:
            what = f"The received message (delivery-id:{self._delivery}, size:{size} bytes)"
            # The link stays: https://github.com/Azure/azure-event-hubs-python/issues/106
            self.session.send(performatives.rejection(self._delivery, too_large(what, self._largest_message)))
        else:
            self.take(message, self._format)
            if not settled and not self.detached:
                self.session.send(performatives.disposition(self._delivery, self._delivery))

    def _next_delivery(self) -> None:
        """What has come so far is over: taken, rejected, or aborted by its sender, which settles it as well."""
        self._pieces, self._size, self._settled = [], 0, False
        self._delivery_count += 1
        self._credit -= 1
        if self._credit <= _CREDIT // 2 and not self.detached:
            self._top_up()

    def _top_up(self) -> None:
        self._credit = _CREDIT
        self.session.send_flow(self.handle, self._delivery_count, _CREDIT)


class EventIntake(Intake):
    """Appends what a publisher sends to a partition: the one named, the one of the key, or the next in turn."""

    def __init__(self, session: Session, attach: Attach, address: Address) -> None:
        super().__init__(session, attach)
        self._partition = address.partition
        self._path = address.path

    @property
    def path(self) -> str:
        """The path that a token must cover."""
        return self._path

    def take(self, message: bytes, message_format: int) -> None:
        """Append an event, or the events of a batch, all to one partition."""
        batch = message_format == event.BATCH_FORMAT
        events = event.read_batch(message) if batch else [event.read(message)]
        key = events[0].partition_key if events else None
        self.session.hub.append(self._partition or self._choose(key), events)

    def _choose(self, key: str | None) -> str:
        ids = list(self.session.hub.partitions)
        if key is None:
            return self.session.hub.next_in_turn()
        return ids[zlib.crc32(key.encode()) % len(ids)]

"""A feed: the server's end of a client's receiver. It sends a partition's events as far as credit and windows reach."""

import asyncio
import time
from collections import deque
from collections.abc import Callable

from scripts.localcloud.hub.access.address import Address
from scripts.localcloud.hub.connections.link import Attach, Credit, Link, too_large
from scripts.localcloud.hub.connections.session import Session
from scripts.localcloud.hub.entity import event
from scripts.localcloud.hub.entity.faults import FaultName, Faults
from scripts.localcloud.hub.entity.partition import Partition
from scripts.localcloud.hub.nodes import position
from scripts.localcloud.hub.wire.performatives import Fields
from scripts.localcloud.hub.wire.transfer import OVERHEAD_BYTES, Addressing

EPOCH = "com.microsoft:epoch"
RUNTIME_METRIC = "com.microsoft:enable-receiver-runtime-metric"
_BATCH_EVENTS = 512
_BATCH_BYTES = 512 * 1024


class EventFeed(Link):
    """Sends events from a cursor on and waits for more at the end."""

    def __init__(self, session: Session, attach: Attach, address: Address, partition: Partition) -> None:
        super().__init__(attach, session.send)
        self.session = session
        self.partition = partition
        self.group = (address.group or "").lower()
        self.epoch = epoch_of(attach)
        self.sent = 0
        self.cursor = partition.end
        self.metrics = RUNTIME_METRIC in attach.desired
        self.mute = False
        """Nothing comes over the link any more, neither events nor flows, while its connection is alive.

        Clients saw it: https://github.com/Azure/azure-sdk-for-js/issues/4132 . What the service does then is a guess.
        """
        self._path = address.path
        self._largest_message = attach.largest_message
        self._credit = Credit()
        self._addressing = Addressing(session.channel, attach.handle, settled=attach.settled)
        self._turn: asyncio.Handle | None = None
        self._on_closed: Callable[[EventFeed], None] | None = None
        self._under_way: deque[bytes] = deque()
        """The frames that are still to be sent of a delivery: the client's window may be smaller than it."""

    @property
    def path(self) -> str:
        """The path that a token must cover."""
        return self._path

    @property
    def credit(self) -> int:
        """Deliveries the client still waits for."""
        return self._credit.left

    def start(self, cursor: int, on_closed: "Callable[[EventFeed], None]") -> None:
        """Begin at a cursor; events flow once the client grants credit. `on_closed` is called when the link ends."""
        self.cursor = cursor
        self.partition.listeners.add(self.wake)
        self._on_closed = on_closed

    def rewind(self, events: int) -> None:
        """Go back in the log, so that the last events are delivered again."""
        self.cursor = max(self.cursor - events, self.partition.begin)
        self.wake()

    def closed(self) -> None:
        """Leave the partition."""
        super().closed()
        self.partition.listeners.discard(self.wake)
        if self._on_closed is not None:
            self._on_closed(self)
        if self._turn is not None:
            self._turn.cancel()

    def on_flow(self, fields: Fields) -> None:
        """Take credit; a drain uses it up at once."""
        self._credit.grant(fields)
        if self.mute:
            return
        if fields.flag(8):
            self._drain()
        elif fields.flag(9):
            self._report()
        self.wake()

    def on_writable(self) -> None:
        """Go on."""
        self.wake()

    def wake(self) -> None:
        """Have a turn soon, or after the delay that a fault asks for."""
        if self._turn is not None or not self._sendable():
            return
        loop = asyncio.get_running_loop()
        faults = self.session.hub.faults
        if faults.delay_s > 0:
            faults.fired[FaultName.DELAY] += 1
            self._turn = loop.call_later(faults.delay_s, self._take_turn)
        else:
            self._turn = loop.call_soon(self._take_turn)

    def _take_turn(self) -> None:
        self._turn = None
        if self._sendable():
            self._send_batch()
            self.wake()

    def _sendable(self) -> int:
        """Return how many events may be sent now, or frames of the one that is under way."""
        if self.detached or self.mute or not self.session.writable:
            return 0
        window = max(self.session.remote_incoming_window, 0)
        if self._under_way:
            return min(len(self._under_way), window)
        self.cursor = max(self.cursor, self.partition.begin)
        waiting = self.partition.end - self.cursor
        return min(waiting, self._credit.left, window)

    def _send_batch(self) -> None:
        if self._under_way:
            self._send_frames()
            return
        payloads, section = self._next_payloads()
        count = _fitting(payloads, self.session.max_frame_bytes - OVERHEAD_BYTES - len(section))
        faults = self.session.hub.faults
        if not count and 0 < self._largest_message < len(payloads[0]):
            self.detach(too_large(f"The message (size:{len(payloads[0])} bytes)", self._largest_message))
        elif faults.abort(self.partition.id):
            self._begin(self._addressing.aborted, section + payloads[0])
        elif count:
            self._send_whole(payloads[:count], section)
        else:
            faults.fired[FaultName.SMALL_FRAMES] += faults.frame_bytes != Faults.frame_bytes
            self._pass(1)
            self._begin(self._addressing.split, section + payloads[0])

    def _next_payloads(self) -> tuple[list[bytes], bytes]:
        """Return encoded events, and what goes in front of each of them."""
        payloads = self.partition.read(self.cursor, min(self._sendable(), _BATCH_EVENTS))
        section = self._metrics_section()
        if any(payload.startswith(event.DELIVERY_HEAD) for payload in payloads):
            return [event.with_metrics(payload, section) for payload in payloads], b""
        return payloads, section

    def _send_whole(self, payloads: list[bytes], section: bytes) -> None:
        count = len(payloads)
        first = self.session.number_deliveries(count)
        self.session.count_frames(count)
        self._credit.delivery_count += count
        self._pass(count)
        self.session.write(self._addressing.whole(payloads, first, section))

    def _pass(self, events: int) -> None:
        self.cursor += events
        self.sent += events

    def _begin(self, frames: Callable[[bytes, int, int], list[bytes]], payload: bytes) -> None:
        """Send a delivery in several frames, as far as the client's window reaches."""
        session = self.session
        self._under_way.extend(frames(payload, session.number_deliveries(1), session.max_frame_bytes))
        self._credit.delivery_count += 1  # by an aborted one as well, as Qpid Proton counts: the text does not say
        self._send_frames()

    def _send_frames(self) -> None:
        count = self._sendable()
        self.session.count_frames(count)
        self.session.write(b"".join(self._under_way.popleft() for _ in range(count)))

    def _metrics_section(self) -> bytes:
        if not self.metrics:
            return b""
        one = self.partition
        return event.runtime_metrics(one.last_sequence_number, one.last_offset, one.last_time_ms, _now_ms())

    def _drain(self) -> None:
        while self._sendable():
            self._send_batch()
        self._credit.delivery_count = self._credit.limit
        self._report()

    def _report(self) -> None:
        self.session.send_flow(self.handle, self._credit.delivery_count, self._credit.left)


def epoch_of(attach: Attach) -> int | None:
    """Return the owner level of a receiver, None without one."""
    value = attach.properties.get(EPOCH)
    return value if isinstance(value, int) else None


def start_of(attach: Attach) -> position.Position:
    """Return where a receiver wants to start: at the beginning unless its filter says otherwise."""
    for name, value in attach.fields.nested(5).entries(7).items():
        if name == position.FILTER:
            selector = getattr(value, "value", value)
            return position.parse(selector if isinstance(selector, str) else repr(selector))
    return position.BEGINNING


def _fitting(payloads: list[bytes], room: int) -> int:
    """Return how many of the payloads fit into frames of their own and into one write."""
    total = 0
    for count, payload in enumerate(payloads):
        total += len(payload)
        if len(payload) > room or (count and total > _BATCH_BYTES):
            return count
    return len(payloads)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000

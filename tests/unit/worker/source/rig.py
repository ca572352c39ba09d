"""Stand-ins of the links that the Azure SDK opens: a test writes what happens on each."""

import socket
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any, Self

from shared.config.settings import EventHubSettings
from shared.model import HubFacts, PartitionFacts
from tests.unit.readable import DEADLINE_S
from tests.unit.worker.rows.events import events
from tests.unit.worker.rows.wire import mapping, section, sized
from tests.unit.worker.source.test_stream import FLOW, HEARTBEAT, split

FAILURE = 0x13  # a flow
PIECE = 500_000  # bytes of a delivery in one frame
READ_BY_THE_SDK = HEARTBEAT[:3]  # it may have read the beginning of a frame
Script = Callable[["HubSide"], None]


class HubSide:
    """What a script may do with a link that is open, from the hub's end of it."""

    def __init__(self, link: "StandInLink", hub: socket.socket) -> None:
        self.link, self._hub = link, hub
        self._sent = 0

    def deliver(self, *numbers: int, last: int | None = None) -> None:
        """Send events of these numbers, each as soon as there is credit for it."""
        self.deliver_messages(events(*numbers), last)

    def deliver_messages(self, messages: list[bytes], last: int | None = None) -> None:
        """Send these messages."""
        for message in messages:
            self.link.await_credit(self._sent + 1)
            self._sent += 1
            whole = _told(last) + message
            for frame in split(whole, self._sent, [PIECE] * (len(whole) // PIECE)):
                self.send(frame)

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._hub.sendall(data)

    def drop(self) -> None:
        """End the connection."""
        self._hub.close()

    def fail(self, error: Exception, last_frame: bytes = b"") -> None:
        """End the link with an error, as the SDK tells it when a frame comes; `last_frame` arrives in the same read."""
        self.link.error = error
        self.send(last_frame + FLOW)

    def stay(self) -> None:
        """Leave it open until it is closed."""
        assert self.link.closed.wait(DEADLINE_S)


def _told(last: int | None) -> bytes:
    if last is None:
        return b""
    number = (sized(0xA3, b"last_enqueued_sequence_number"), b"\x81" + last.to_bytes(8, "big"))
    time = (sized(0xA3, b"last_enqueued_time_utc"), b"\x83" + (1000 * enqueued_at_s(last)).to_bytes(8, "big"))
    return section(0x71, mapping([number, time]))


def enqueued_at_s(last: int) -> int:
    """Unix time at which the hub took its last event: one a second."""
    return 1_700_000_000 + last


def delivering(*numbers: int, last: int | None = None) -> Script:
    """A link that delivers these events and stays open."""

    def link(hub: HubSide) -> None:
        hub.deliver(*numbers, last=last)
        hub.stay()

    return link


class StandInLink:
    """Stands for `shared.eventhubs.sdk_link.SdkLink`, on a real socket."""

    channel, handle, largest_frame, has_more = 1, 3, 1024 * 1024, False

    def __init__(self, script: Script, options: dict[str, Any]) -> None:
        self.options, self._script = options, script
        self._socket, self._hub = socket.socketpair()
        self._socket.setblocking(False)
        self.error: Exception | None = None
        self.failure_of_opening: Exception | None = None
        self.closed = threading.Event()
        self.credit, self.granted = 0, list[int]()
        self._counted, self._limit = 0, 0
        self._changed = threading.Condition()
        self.kept = threading.Event()

    def open(self) -> bool:
        if self.failure_of_opening:
            raise self.failure_of_opening
        self._hub.sendall(HEARTBEAT[len(READ_BY_THE_SDK) :])
        threading.Thread(target=self._play, daemon=True).start()
        return True

    def _play(self) -> None:
        try:
            self._script(HubSide(self, self._hub))
        except OSError:
            assert self.closed.is_set()

    def take_over(self) -> bytes:
        return READ_BY_THE_SDK

    def fileno(self) -> int:
        return self._socket.fileno()

    def read(self) -> bytes:
        try:
            data = self._socket.recv(65536)
        except BlockingIOError:
            return b""
        if not data:
            raise ConnectionError("the hub closed it")
        return data

    def grant(self, credit: int) -> None:
        with self._changed:
            self.granted.append(credit)
            self.credit, self._limit = credit, self._counted + credit
            self._changed.notify_all()

    def await_credit(self, deliveries: int) -> None:
        with self._changed:
            granted = self._changed.wait_for(lambda: self._limit >= deliveries or self.closed.is_set(), DEADLINE_S)
        assert granted, "no credit"

    def count(self, _: int, deliveries: int) -> None:
        self.credit -= deliveries
        self._counted += deliveries

    def take(self, _channel: int, frame: tuple[int, Any]) -> None:
        if frame[0] == FAILURE and self.error:
            raise self.error

    def keep(self) -> None:
        self.kept.set()

    def close(self) -> None:
        with self._changed:
            self.closed.set()
            self._changed.notify_all()
        self._socket.close()
        self._hub.close()


class Hub:
    """Stands for the SDK: every link that it opens plays the next of a script, the last one stays open."""

    def __init__(self) -> None:
        self.scripts: list[Script] = []
        self.created_at_s = [0.0]
        """When the hub was created, as each client is told; the last one stays."""
        self.links: list[StandInLink] = []
        self.opened_again = threading.Event()
        self.retry_totals: list[int] = []
        self.refusal: Exception | None = None
        """With which no link opens."""
        self.last, self.is_empty = -1, False
        self.questions = 0
        """How often it was asked where the partition ends."""

    @property
    def starts(self) -> list[int | str | datetime]:
        """Where each link began."""
        return [link.options["start"] for link in self.links]

    def client(self, _: EventHubSettings, retry_total: int) -> "Client":
        self.retry_totals.append(retry_total)
        return Client(self)


class Client:
    """Stands for `EventHubClient` and its `sdk`."""

    def __init__(self, hub: Hub) -> None:
        self._hub, self.sdk = hub, self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to close."""

    def hub(self) -> HubFacts:
        known = self._hub.created_at_s
        return HubFacts(("3",), known.pop(0) if len(known) > 1 else known[0])

    def partition(self, _: str, hub: HubFacts) -> PartitionFacts:
        assert hub is not None
        self._hub.questions += 1
        return PartitionFacts(0, self._hub.last, self._hub.is_empty, 0.0, None)

    def link(self, partition_id: str, start: int | str | datetime, **options: Any) -> StandInLink:
        script = self._hub.scripts.pop(0) if self._hub.scripts else HubSide.stay
        link = StandInLink(script, {"partition_id": partition_id, "start": start, **options})
        link.failure_of_opening = self._hub.refusal
        self._hub.links.append(link)
        if len(self._hub.links) > 1:
            self._hub.opened_again.set()
        return link

"""Stand-ins of the Azure SDK's receiver: a test writes what happens on each link."""

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Self

from azure.eventhub import EventData

from shared.config.settings import EventHubSettings
from shared.model import HubFacts
from tests.unit.readable import DEADLINE_S
from tests.unit.worker.source.events import events

OnBatch = Callable[[Any, list[EventData]], None]
Script = Callable[["Receiver"], None]


class Receiver:
    """One life of a link: what a test's script may do with the callbacks that the source gave to the SDK."""

    def __init__(self, on_batch: OnBatch, options: dict[str, Any], client: "Client") -> None:
        self.on_batch, self.options, self.client, self.closed = on_batch, options, client, client.closed

    def deliver(self, *numbers: int, last: int | None = None) -> None:
        """Call back with events of these numbers."""
        self.deliver_events(events(*numbers), last)

    def deliver_events(self, batch: list[EventData], last: int | None = None) -> None:
        """Call back with these events, as the SDK does: whatever is raised would never be seen."""
        properties = None if last is None else {"sequence_number": last}
        self.on_batch(SimpleNamespace(last_enqueued_event_properties=properties), batch)

    def fail(self, error: Exception) -> None:
        """Call `on_error`, as the SDK does instead of raising."""
        self.options["on_error"](None, error)

    def stay(self) -> None:
        """Receive until somebody closes the client."""
        assert self.closed.wait(DEADLINE_S)


def delivering(*numbers: int, last: int | None = None) -> Script:
    """A link that delivers these events and stays open."""

    def link(receiver: Receiver) -> None:
        receiver.deliver(*numbers, last=last)
        receiver.stay()

    return link


class Hub:
    """Stands for the SDK: every client it gives out plays the next link of a script, the last one stays open."""

    def __init__(self) -> None:
        self.links: list[Script] = []
        self.created_at_s = [0.0]
        """Birth of the hub, as each client is told; the last one stays."""
        self.opened: list[dict[str, Any]] = []
        self.opened_again = threading.Event()
        self.retry_totals: list[int] = []

    def client(self, _: EventHubSettings, retry_total: int) -> "Client":
        self.retry_totals.append(retry_total)
        return Client(self)


class Client:
    """Stands for `EventHubClient` and its `sdk`."""

    def __init__(self, hub: Hub) -> None:
        self._hub, self.sdk = hub, self
        self.credit: int | None = None
        self.closed = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def hub(self) -> HubFacts:
        births = self._hub.created_at_s
        return HubFacts(("3",), births.pop(0) if len(births) > 1 else births[0])

    def close(self) -> None:
        self.closed.set()

    def receive_batch(self, on_batch: OnBatch, **options: Any) -> None:
        self._hub.opened.append(options)
        if len(self._hub.opened) > 1:
            self._hub.opened_again.set()
        link = self._hub.links.pop(0) if self._hub.links else Receiver.stay
        link(Receiver(on_batch, options, self))

"""The publisher: flights into Event Hubs with the official SDK, in batches by route."""

import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Self

from azure.eventhub import EventData, EventDataBatch, EventHubProducerClient

from scripts.demo.flights import Flight

TICK_S = 0.25  # between two batches of a paced publication
LEAVE_S = 2.0  # for the thread to leave; the SDK may be waiting for a service that has ended


class Publisher:
    """One `EventHubProducerClient`. `acknowledged` counts the events that Event Hubs confirmed."""

    def __init__(self, connection_string: str) -> None:
        self._client = EventHubProducerClient.from_connection_string(connection_string)
        self.acknowledged = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:  # otherwise the other end may have ended, and the SDK would wait for it
            self._client.close()

    def send(self, flights: Iterable[Flight]) -> None:
        """Send them all, each route's in order; returns when Event Hubs has confirmed every one."""
        routes: defaultdict[str, list[Flight]] = defaultdict(list)
        for flight in flights:
            routes[flight.route].append(flight)
        for route, own in routes.items():
            for batch in self._batches(route, own):
                self._client.send_batch(batch)
                self.acknowledged += len(batch)

    def published(self) -> dict[str, int]:
        """How many events each partition got since the hub exists, as Event Hubs itself says."""
        return {partition: self._published(partition) for partition in self._client.get_partition_ids()}

    def _published(self, partition: str) -> int:
        facts = self._client.get_partition_properties(partition)
        return int(facts["last_enqueued_sequence_number"]) + 1

    def _batches(self, route: str, flights: Iterable[Flight]) -> Iterator[EventDataBatch]:
        batch = self._client.create_batch(partition_key=route)
        for flight in flights:
            event = _event(flight)
            try:
                batch.add(event)
            except ValueError:  # full, says the SDK
                yield batch
                batch = self._client.create_batch(partition_key=route)
                batch.add(event)
        yield batch


class PacedPublication:
    """Sends flights on a thread of its own, so many a second, as airports do."""

    def __init__(self, publisher: Publisher, flights: Sequence[Flight], per_s: float) -> None:
        self._publisher, self._flights, self._per_s = publisher, flights, per_s
        self._error: Exception | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join(LEAVE_S)

    @property
    def is_done(self) -> bool:
        """Whether every flight is confirmed. Raises what the SDK raised."""
        if self._error:
            raise self._error
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._send_all()
        except Exception as error:  # noqa: BLE001 (raised again where it is waited for)
            self._error = error

    def _send_all(self) -> None:
        start_s, sent = time.monotonic(), 0
        while sent < len(self._flights) and not self._ended.wait(TICK_S):
            due = min(len(self._flights), int((time.monotonic() - start_s) * self._per_s))
            self._publisher.send(self._flights[sent:due])
            sent = due


def _event(flight: Flight) -> EventData:
    event = EventData(flight.body)
    event.content_type = "application/json"
    event.message_id = str(flight.n)
    return event

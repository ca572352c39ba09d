"""Marker events: unique to a run, sent with the official SDK, found again in the table by plain columns."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from uuid import uuid4

from azure.eventhub import EventData, EventHubProducerClient

Query: TypeAlias = Callable[[str, str], Sequence[Mapping[str, Any]]]
"""Answers a SELECT with one `?`, rows by their columns' names."""


@dataclass(frozen=True)
class Found:
    """What the table has of a set of markers."""

    sent: int
    rows: int
    distinct: int

    @property
    def holds(self) -> bool:
        """Whether each is there once."""
        return self.sent == self.rows == self.distinct

    def __str__(self) -> str:
        twice = f", {self.rows - self.distinct} too many" if self.rows > self.distinct else ""
        return f"{self.distinct} of {self.sent} markers in the table{twice}"


@dataclass
class Markers:
    """The markers of one step: their correlation id is the step's own, their message ids are numbers."""

    producer: EventHubProducerClient
    query: Query
    table: str
    name: str = field(default_factory=lambda: f"smoke-{uuid4()}")
    sent: Counter[str] = field(default_factory=Counter)

    def send(self, count: int, partitions: Sequence[str]) -> None:
        """Send `count` more, the same number into each partition; returns when Event Hubs has confirmed them."""
        for index, partition in enumerate(partitions):
            batch = self.producer.create_batch(partition_id=partition)
            for _ in range(index, count, len(partitions)):
                batch.add(self._next(partition))
            self.producer.send_batch(batch)

    def found(self) -> Found:
        """Look them up in the table."""
        counts = "count(*) AS found, count(DISTINCT MESSAGE_ID) AS distinct_ids"
        [row] = self.query(f"SELECT {counts} FROM {self.table} WHERE CORRELATION_ID = ?", self.name)  # noqa: S608
        return Found(self.sent.total(), row["found"], row["distinct_ids"])

    def _next(self, partition: str) -> EventData:
        number = self.sent.total()
        self.sent[partition] += 1
        event = EventData(b'{"marker": "%s", "n": %d}' % (self.name.encode(), number))
        event.content_type = "application/json"
        event.correlation_id, event.message_id = self.name, str(number)
        return event

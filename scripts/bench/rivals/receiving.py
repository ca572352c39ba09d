"""What both clients of the SDK are given, and what they count."""

import time
from typing import Any

from scripts.bench.lab.measure import Run
from shared.clock import monotonic
from shared.config.settings import EventHubSettings
from shared.eventhubs.client import sdk_options
from shared.ipc.vitals import rss_bytes


def client_arguments(settings: EventHubSettings) -> dict[str, Any]:
    """Of `from_connection_string`, with evsup's own settings of the SDK."""
    assert settings.connection_string
    return sdk_options(settings) | {
        "conn_str": settings.connection_string.reveal(),
        "consumer_group": settings.consumer_group,
        "eventhub_name": settings.name,
        "retry_total": 0,
    }


def receive_arguments(settings: EventHubSettings, partition_id: str) -> dict[str, Any]:
    """Of `receive_batch`, from the beginning of the partition."""
    return {
        "partition_id": partition_id,
        "owner_level": 0,
        "prefetch": settings.prefetch,
        "max_batch_size": settings.max_batch_size,
        "max_wait_time": settings.max_wait_time,
        "starting_position": "-1",
        "track_last_enqueued_event_properties": settings.track_last_enqueued,
    }


class Counter:
    """Counts batches as they come: neither the start, up to the first one, nor the close is part of the run."""

    def __init__(self) -> None:
        self.events = 0
        self._looks: list[tuple[int, float, float]] = []

    def add(self, batch: list[Any]) -> None:
        """A batch, perhaps an empty one."""
        if batch:
            self.events += len(batch)
            self._looks.append((self.events, monotonic(), time.process_time()))

    def run(self) -> Run:
        """From the first batch to the last."""
        (first, began_s, began_cpu_s), (last, ended_s, ended_cpu_s) = self._looks[0], self._looks[-1]
        return Run(
            events=last - first, seconds=ended_s - began_s, cpu_s=ended_cpu_s - began_cpu_s, rss_bytes=rss_bytes()
        )

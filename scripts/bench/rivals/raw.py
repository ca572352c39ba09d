"""The SDK's own `receive_batch`, by its own client, with nothing behind it. Prints a Run as JSON."""

import sys
import time
from typing import Any

from azure.eventhub import EventHubConsumerClient

from scripts.bench.measure import Run, hand_over
from shared.clock import monotonic
from shared.config import environment
from shared.eventhubs.client import sdk_options
from shared.ipc.memory import rss_bytes


def receive(partition_id: str, total: int) -> Run:
    """Receive `total` events from the beginning with evsup's own settings of the SDK."""
    settings = environment.load().settings.eventhub
    counted, first, first_s, last_s, first_cpu_s, last_cpu_s = 0, 0, 0.0, 0.0, 0.0, 0.0

    def count(_: Any, events: list[Any]) -> None:
        nonlocal counted, first, first_s, last_s, first_cpu_s, last_cpu_s
        counted, last_s = counted + len(events), monotonic()  # not after the close, which takes up to a second
        last_cpu_s = time.process_time()
        if not first and events:
            first, first_s, first_cpu_s = counted, last_s, last_cpu_s
        if counted >= total:
            client.close()

    assert settings.connection_string
    with EventHubConsumerClient.from_connection_string(
        settings.connection_string.reveal(),
        consumer_group=settings.consumer_group,
        eventhub_name=settings.name,
        **sdk_options(settings) | {"retry_total": 0},
    ) as client:
        client.receive_batch(
            count,
            partition_id=partition_id,
            owner_level=0,
            prefetch=settings.prefetch,
            max_batch_size=settings.max_batch_size,
            max_wait_time=settings.max_wait_time,
            starting_position="-1",
            track_last_enqueued_event_properties=settings.track_last_enqueued,
        )
    return Run(events=counted - first, seconds=last_s - first_s, rss_bytes=rss_bytes(), cpu_s=last_cpu_s - first_cpu_s)


if __name__ == "__main__":
    hand_over(receive(sys.argv[1], int(sys.argv[2])))

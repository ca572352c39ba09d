"""The SDK's asyncio client, `receive_batch` with nothing behind it. Prints a Run as JSON."""

import asyncio
import sys
import time
from typing import Any

from azure.eventhub.aio import EventHubConsumerClient

from scripts.bench.measure import Run, hand_over
from shared.clock import monotonic
from shared.config import environment
from shared.eventhubs.client import sdk_options
from shared.ipc.memory import rss_bytes


async def receive(partition_id: str, total: int) -> Run:
    """Receive `total` events from the beginning with evsup's own settings of the SDK."""
    settings = environment.load().settings.eventhub
    assert settings.connection_string
    client = EventHubConsumerClient.from_connection_string(
        settings.connection_string.reveal(),
        consumer_group=settings.consumer_group,
        eventhub_name=settings.name,
        **sdk_options(settings) | {"retry_total": 0},
    )
    looks: list[tuple[float, float]] = []
    events = first = 0
    is_done = asyncio.Event()

    async def count(_: Any, batch: list[Any]) -> None:
        nonlocal events, first
        if batch:
            events += len(batch)
            first = first or events
            looks.append((monotonic(), time.process_time()))
        if events >= total:
            is_done.set()

    receiving = asyncio.create_task(
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
    )
    await is_done.wait()
    receiving.cancel()
    (began_s, began_cpu_s), (ended_s, ended_cpu_s) = looks[0], looks[-1]
    return Run(events=events - first, seconds=ended_s - began_s, cpu_s=ended_cpu_s - began_cpu_s, rss_bytes=rss_bytes())


if __name__ == "__main__":
    hand_over(asyncio.run(receive(sys.argv[1], int(sys.argv[2]))))

"""The SDK's asyncio client, `receive_batch` with nothing behind it. Prints a Run as JSON."""

import asyncio
import sys
from typing import Any

from azure.eventhub.aio import EventHubConsumerClient

from scripts.bench.lab.measure import Run, hand_over
from scripts.bench.rivals.receiving import Counter, client_arguments, receive_arguments
from shared.config import environment


async def receive(partition_id: str, total: int) -> Run:
    """Receive `total` events from the beginning."""
    settings = environment.load().settings.eventhub
    counter, is_done = Counter(), asyncio.Event()

    async def count(_: Any, batch: list[Any]) -> None:
        counter.add(batch)
        if counter.events >= total:
            is_done.set()

    client = EventHubConsumerClient.from_connection_string(**client_arguments(settings))
    receiving = asyncio.create_task(client.receive_batch(count, **receive_arguments(settings, partition_id)))
    await is_done.wait()
    receiving.cancel()
    return counter.run()


if __name__ == "__main__":
    hand_over(asyncio.run(receive(sys.argv[1], int(sys.argv[2]))))

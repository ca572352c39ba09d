"""The SDK's own `receive_batch`, by its own client, with nothing behind it. Prints a Run as JSON."""

import sys
from typing import Any

from azure.eventhub import EventHubConsumerClient

from scripts.bench.lab.measure import Run, hand_over
from scripts.bench.rivals.receiving import Counter, client_arguments, receive_arguments
from shared.config import environment


def receive(partition_id: str, total: int) -> Run:
    """Receive `total` events from the beginning."""
    settings = environment.load().settings.eventhub
    counter = Counter()

    def count(_: Any, batch: list[Any]) -> None:
        counter.add(batch)
        if counter.events >= total:
            client.close()

    with EventHubConsumerClient.from_connection_string(**client_arguments(settings)) as client:
        client.receive_batch(count, **receive_arguments(settings, partition_id))
    return counter.run()


if __name__ == "__main__":
    hand_over(receive(sys.argv[1], int(sys.argv[2])))

"""Event Hubs as an older Azure SDK sees it, by the AMQP library in Python or the one in C (`uamqp`) that it still had.

It runs in an environment of its own (`environments.py`) and imports nothing of ours. Which of the two comes as the
argument; what was seen goes to standard output as JSON.
"""

import json
import os
import sys
import threading
from typing import Any

from azure.eventhub import EventData, EventHubConsumerClient, EventHubProducerClient

PATIENCE_S = 60
SIZES = (0, 1, 1_000, 70_000, 900_000)
OPTIONS: dict[str, Any] = {
    "conn_str": os.environ["HUB_CONNECTION_STRING"],
    "connection_verify": os.environ["HUB_CA_FILE"],
    "uamqp_transport": sys.argv[1] == "uamqp",
}


def publish() -> None:
    """Events of every size, each in a batch of its own."""
    with EventHubProducerClient.from_connection_string(**OPTIONS) as producer:
        for size in SIZES:
            event = EventData(b"x" * size)
            event.properties = {"size": size}
            producer.send_batch([event], partition_id="0")


def received() -> list[list[Any]]:
    """Sequence number, size and property of every event, from the beginning."""
    seen: list[list[Any]] = []
    everything = threading.Event()

    def on_event_batch(_: object, events: list[EventData]) -> None:
        seen.extend([event.sequence_number, len(event.body_as_str()), event.properties[b"size"]] for event in events)
        if len(seen) >= len(SIZES):
            everything.set()

    consumer = EventHubConsumerClient.from_connection_string(consumer_group="$Default", **OPTIONS)
    receive: dict[str, Any] = {
        "partition_id": "0",
        "starting_position": "-1",
        "owner_level": 3,
        "track_last_enqueued_event_properties": True,
    }
    thread = threading.Thread(target=consumer.receive_batch, args=(on_event_batch,), kwargs=receive, daemon=True)
    thread.start()
    everything.wait(PATIENCE_S)
    consumer.close()
    thread.join(PATIENCE_S)
    return seen


if __name__ == "__main__":
    publish()
    print(json.dumps(received()))

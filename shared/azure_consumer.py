"""The Azure SDK's client, receiver and event without what spoils or slows a long stream.

All of it overrides what is private to the SDK, because there is no public way; what a later SDK has no more is passed
over. https://github.com/Azure/azure-sdk-for-python/blob/main/sdk/eventhub/azure-eventhub/azure/eventhub/_consumer.py
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from azure.eventhub import EventData, EventHubConsumerClient
from azure.eventhub._consumer import EventHubConsumer
from azure.eventhub.amqp import AmqpAnnotatedMessage


class ReceivedEvent(EventData):
    """An event around the message that came.

    The SDK first makes one around an empty message, whose properties count themselves six times, and then throws the
    message away: a sixth of what receiving costs.
    """

    def __init__(self, message: Any) -> None:
        self._message = message
        self._raw_amqp_message = AmqpAnnotatedMessage(message=message)
        self._uamqp_message = None
        self._sys_properties = None
        self._last_enqueued_event_properties = {}


class Receiver(EventHubConsumer):
    """The SDK's receiver, of the events above and without a memory for their delivery tags."""

    def receive(self, *arguments: Any, **options: Any) -> None:
        """As the SDK's, and then forgets the delivery tags: it keeps that of every event for the life of a link, about
        100 bytes each, to settle deliveries by. Event Hubs settles them itself.
        """
        super().receive(*arguments, **options)  # type: ignore[no-untyped-call]
        with suppress(AttributeError):  # not open, closed meanwhile, or an SDK that keeps none
            self._handler._link._received_delivery_tags.clear()  # type: ignore[union-attr]

    def _next_message_in_buffer(self) -> EventData:
        event = self._last_received_event = ReceivedEvent(self._message_buffer.popleft())
        return event


class Consumer(EventHubConsumerClient):
    """The SDK's client with our receivers, and with a memory for the partition ids.

    After 30 s every receiver of the SDK has a thread beside it that keeps the connection alive by reading frames from
    it, without a lock: events come in another order or with each other's parts. The receive loop answers for a living
    connection by itself.
    https://github.com/Azure/azure-sdk-for-python/blob/main/sdk/eventhub/azure-eventhub/azure/eventhub/_pyamqp/client.py

    Every `receive` asks for the ids on a thread, and turns without a pause on its own until they are there: a second
    question, and half a second of a processor for each link.
    https://github.com/Azure/azure-sdk-for-python/blob/main/sdk/eventhub/azure-eventhub/azure/eventhub/_eventprocessor/event_processor.py
    """

    _told: Sequence[str] = ()

    def get_eventhub_properties(self) -> dict[str, Any]:
        """As the SDK's, and remembered."""
        properties = super().get_eventhub_properties()
        self._told = properties["partition_ids"]
        return properties

    def get_partition_ids(self) -> list[str]:
        """As the SDK's, without a question when they are known."""
        return list(self._told) or super().get_partition_ids()

    def _create_consumer(self, *arguments: Any, **options: Any) -> Any:
        consumer = super()._create_consumer(*arguments, **options)
        consumer._keep_alive = None
        consumer.__class__ = Receiver
        return consumer

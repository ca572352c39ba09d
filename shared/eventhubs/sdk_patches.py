"""The Azure SDK's client, receiver and event without what spoils or slows a long stream.

All of it overrides what is private to the SDK, because there is no public way; pyproject.toml says up to which version.
https://github.com/Azure/azure-sdk-for-python/blob/main/sdk/eventhub/azure-eventhub/azure/eventhub/_consumer.py
"""

from collections.abc import Sequence
from typing import Any

from azure.eventhub import EventData, EventHubConsumerClient
from azure.eventhub._consumer import EventHubConsumer
from azure.eventhub.amqp import AmqpAnnotatedMessage

ANY_SIZE = 0


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
    """The SDK's receiver, of the events above, with a credit that may change, and no memory for delivery tags."""

    _client: "Consumer"

    def _create_handler(self, auth: Any) -> None:
        """As the SDK's, for events of any size.

        The SDK's receiver announces that it takes messages of 1 MiB at most, and a hub of the Dedicated tier has events
        of 20 MB. 0 is no limit.
        https://learn.microsoft.com/azure/event-hubs/event-hubs-quotas
        https://docs.oasis-open.org/amqp/core/v1.0/os/amqp-core-transport-v1.0-os.html#type-attach
        """
        super()._create_handler(auth)
        self._handler._max_message_size = ANY_SIZE  # type: ignore[union-attr]

    def receive(self, batch: bool = False, max_batch_size: int = 300, max_wait_time: float | None = None) -> None:
        """As the SDK's, with the client's credit.

        The SDK gives credit anew when all is used up, and the hub sends nothing for the time of a round trip. Here it
        does so when half is.

        It also keeps the delivery tag of every event for the life of a link, about 100 bytes each, to settle deliveries
        by. Event Hubs settles them itself.
        """
        if credit := self._client.credit:
            self._grant(credit)
            max_batch_size = min(max_batch_size, credit)
        super().receive(batch, max_batch_size, max_wait_time)  # type: ignore[no-untyped-call]
        if link := self._open_link:
            link._received_delivery_tags.clear()

    @property
    def _open_link(self) -> Any:
        return self._handler._link if self._handler and self.handler_ready else None

    def _grant(self, credit: int) -> None:
        if link := self._open_link:
            self._handler._link_credit = credit  # type: ignore[union-attr]
            self._prefetch = max(1, credit // 2)  # is read in one turn
            if link.current_link_credit <= credit // 2:
                link.current_link_credit = 0  # at which the SDK grants

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

    credit: int | None = None
    """Most events that may be on their way, beginning with the next that are asked for; None: as told when opened."""
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

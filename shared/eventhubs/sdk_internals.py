"""What evsup uses of the Azure SDK that is private to it, beside its decoders (`amqp_types`) and errors (`sdk_error`).

Its client and its questions are here, its link in `sdk_link`. `tests/unit/shared/eventhubs/test_sdk_internals.py` fails
when one of the names changes; pyproject.toml says up to which version.
https://github.com/Azure/azure-sdk-for-python/tree/main/sdk/eventhub/azure-eventhub/azure/eventhub/_pyamqp
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from datetime import datetime
from typing import Any, TypeAlias, TypeVar

from azure.eventhub import EventData, EventHubConsumerClient
from azure.eventhub._consumer import EventHubConsumer
from azure.eventhub._pyamqp import _decode

from shared.clock import Deadline
from shared.eventhubs.sdk_link import SdkLink
from shared.model import LATEST

Start: TypeAlias = int | str | datetime
Answer = TypeVar("Answer")

ANY_SIZE = 0
STEP_S = 0.001  # between the steps of a sign-in, each of which waits for the hub by itself; the SDK pauses for 50 ms


def decode_value(data: bytes, at: int, end: int) -> tuple[Any, int]:
    """The value whose constructor is at `at`, and where it ends. Raises whatever the SDK raises: it checks nothing."""
    rest, value = _decode._DECODE_BY_CONSTRUCTOR[data[at]](memoryview(data)[at + 1 : end])
    return value, end - len(rest)


class AnySize(EventHubConsumer):
    """The SDK's receiver, for events of any size.

    By itself it announces that it takes messages of 1 MiB at most, and a hub of the Dedicated tier has events of 20 MB.
    0 is no limit.
    https://learn.microsoft.com/azure/event-hubs/event-hubs-quotas
    https://docs.oasis-open.org/amqp/core/v1.0/os/amqp-core-transport-v1.0-os.html#type-attach
    """

    def _create_handler(self, auth: Any) -> None:
        super()._create_handler(auth)
        self._handler._max_message_size = ANY_SIZE  # type: ignore[union-attr]


class _Questions:
    """A connection on which the hub is asked, as the SDK uses one: it opens it, asks once, and closes it.

    Here closing keeps it for the next question, if there may be one and the last was answered.
    """

    def __init__(self, client: Any, transport: "_Transport") -> None:
        self._client, self._transport = client, transport
        self._was_answered = False

    def open(self, connection: Any = None) -> None:
        self._client.open(connection=connection)  # does nothing when it is open
        while not self._client.client_ready():
            time.sleep(STEP_S)

    def client_ready(self) -> bool:
        return True

    def mgmt_request(self, *arguments: Any, **options: Any) -> Any:
        self._was_answered = False
        answer = self._client.mgmt_request(*arguments, **options)
        self._was_answered = True
        return answer

    def close(self) -> None:
        if self._was_answered and (kept := self._transport.kept) is not None:
            kept.append(self)
        else:
            self._client.close()

    def end(self) -> None:
        """Close the connection itself."""
        self._client.close()


class _Transport:
    """The SDK's transport with our `_Questions`."""

    def __init__(self, sdk: Any) -> None:
        self._sdk = sdk
        self.kept: deque[_Questions] | None = None
        """Connections that wait for the next question; None: each question has one of its own."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sdk, name)

    def create_mgmt_client(self, *arguments: Any, **options: Any) -> _Questions:
        if self.kept:
            with suppress(IndexError):  # another thread has taken the last one
                return self.kept.pop()
        return _Questions(self._sdk.create_mgmt_client(*arguments, **options), self)


class _Refusals(threading.local):
    """Why the question that a thread asks was not answered so far."""

    def __init__(self) -> None:
        self.noted: list[Exception] = []


class Consumer(EventHubConsumerClient):
    """The SDK's client with our receivers, with a memory for the partition ids, and with quick questions."""

    _partition_ids: Sequence[str] = ()

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._amqp_transport: Any = _Transport(self._amqp_transport)
        self._refusals = _Refusals()

    def ask(self, question: Callable[[], Answer], refusals: list[Exception]) -> Answer:
        """What a question returns. Each failure after which the SDK asks again is put into `refusals` meanwhile."""
        self._refusals.noted = refusals
        return question()

    def keep_connections(self) -> None:
        """From now on keep the connections on which the hub is asked, until this client is closed: many questions
        follow. A new one takes the SDK five round trips and 15 ms of a processor.
        """
        if self._amqp_transport.kept is None:
            self._amqp_transport.kept = deque()

    def close(self) -> None:
        """As the SDK's, and close the connections that were kept."""
        super().close()
        kept, self._amqp_transport.kept = self._amqp_transport.kept or (), None
        for each in kept:
            with suppress(Exception):  # the hub may have closed it
                each.end()

    def get_eventhub_properties(self) -> dict[str, Any]:
        """As the SDK's, and remembered."""
        properties = super().get_eventhub_properties()
        self._partition_ids = properties["partition_ids"]
        return properties

    def get_partition_ids(self) -> list[str]:
        """As the SDK's, without a question when they are known."""
        # Every `receive` of the SDK asks for them on a thread, and turns without a pause on its own until they are
        # there: a second question, and half a second of a processor.
        # https://github.com/Azure/azure-sdk-for-python/blob/main/sdk/eventhub/azure-eventhub/azure/eventhub/_eventprocessor/event_processor.py
        return list(self._partition_ids) or super().get_partition_ids()

    def _backoff(self, retried_times: int, last_exception: Exception, *arguments: Any, **options: Any) -> None:
        """Between two tries of the SDK, on the thread that asks."""
        self._refusals.noted.append(last_exception)
        super()._backoff(retried_times, last_exception, *arguments, **options)

    def _create_consumer(self, *arguments: Any, **options: Any) -> Any:
        consumer = super()._create_consumer(*arguments, **options)
        # After 30 s every receiver of the SDK has a thread beside it that keeps the connection alive by reading frames
        # from it, without a lock: events come in another order or with each other's parts. Here it has none.
        # https://github.com/Azure/azure-sdk-for-python/blob/main/sdk/eventhub/azure-eventhub/azure/eventhub/_pyamqp/client.py
        consumer._keep_alive = None
        # The SDK makes receivers of its own class, and takes no other one.
        consumer.__class__ = AnySize
        return consumer

    def link(
        self, partition_id: str, start: Start, *, inclusive: bool, owner_level: int | None, track: bool
    ) -> SdkLink:
        """A link to a partition that is not open yet. `start` and the others as of `receive_batch`."""
        return SdkLink(
            self._receiver(
                partition_id,
                start,
                event_position_inclusive=inclusive,
                owner_level=owner_level,
                track_last_enqueued_event_properties=track,
            )
        )

    def first_event(
        self, partition_id: str, start: Start, *, inclusive: bool, owner_level: int | None, deadline: Deadline
    ) -> EventData:
        """The first event of a partition from `start` on. Raises as the SDK does, and TimeoutError at the deadline."""
        events: list[EventData] = []
        receiver = self._receiver(
            partition_id,
            start,
            events.append,
            event_position_inclusive=inclusive,
            owner_level=owner_level,
            prefetch=1,
        )
        with closing(receiver):
            while not events:
                if deadline.passed():
                    raise TimeoutError("no event came")
                receiver.receive()
        return events[0]

    def listen(self, partition_id: str, seconds: float) -> None:
        """Be attached to the end of a partition for so long, without an owner level. Raises as the SDK does: a hub may
        refuse a link that it has attached.
        """
        until: Deadline | None = None
        with closing(self._receiver(partition_id, LATEST, prefetch=1)) as receiver:
            while until is None or not until.passed():
                receiver.receive()
                if receiver.handler_ready:
                    until = until or Deadline.after(seconds)

    def _receiver(
        self, partition_id: str, start: Start, on_event: Callable[[EventData], None] = lambda _: None, **options: Any
    ) -> Any:
        return self._create_consumer(self._consumer_group, partition_id, start, on_event, **options)

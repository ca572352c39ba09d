"""The Azure SDK's client, made from the settings, and facts about the hub."""

import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import unquote, urlsplit

from azure.eventhub import TransportType, parse_connection_string

from shared.clock import Deadline, monotonic
from shared.config.formats import endpoint
from shared.config.settings import EventHubSettings
from shared.errors import DataRefused, SourceUnavailable
from shared.eventhubs.amqp_types import install_decoders
from shared.eventhubs.errors import Access, translate
from shared.eventhubs.identity import Identity
from shared.eventhubs.pace import Pace
from shared.eventhubs.sdk_internals import Consumer
from shared.model import OLDEST, ConsumerGroup, HubFacts, PartitionFacts
from shared.timeout import within

if TYPE_CHECKING:
    from azure.eventhub import EventData

QUESTIONS_AT_ONCE = 8  # at a round trip of 200 ms, as many as the pace lets through
# Event Hubs answers 50 a second for a consumer group, all its clients together. Its supervisors make 10 of them at most
# (`supervisor.ownership.partition_discovery`). https://learn.microsoft.com/azure/event-hubs/event-hubs-quotas
QUESTIONS_PER_S = 40.0
QUESTIONS_OF_A_START = 2  # of a worker (`EventHubClient.partition`): what the hub is, and where its partition ends
ANSWER_LIMIT_S = 30.0  # within the minute in which a start has to say what is wrong
AUTH_TIMEOUT_S = 20  # the SDK's 60 would use up the whole minute in which a start with a wrong key has to say so

# An idle hub sends empty frames, and one that sends nothing at all for so long is not reachable.
# https://docs.oasis-open.org/amqp/core/v1.0/os/amqp-core-transport-v1.0-os.html#doc-doc-idle-time-out
SILENCE_LIMIT_S = 30

# Azure counts them; they become parts of names of files and channels, and of titles of processes.
_PARTITION_ID = re.compile(r"[A-Za-z0-9-]{1,50}")

_pace = Pace(QUESTIONS_PER_S)
Answer = TypeVar("Answer")

_EMULATOR = "UseDevelopmentEmulator=true"
PLAIN_PORT = 5672

# Unix time, of a year that `datetime` knows. https://learn.microsoft.com/azure/event-hubs/authenticate-shared-access-signature
_SIGNATURE_ENDS = re.compile(r"[?& ]se=(\d{1,11})(?:&|$)")


def consumer_group(settings: EventHubSettings) -> ConsumerGroup:
    """The key under which ownership and checkpoints of this hub and group are stored."""
    if settings.connection_string:
        parsed = parse_connection_string(settings.connection_string.reveal())
        return ConsumerGroup(
            parsed.fully_qualified_namespace,
            settings.name or parsed.eventhub_name or "",
            settings.consumer_group,
        )
    return ConsumerGroup(settings.namespace or "", settings.name or "", settings.consumer_group)


def access(settings: EventHubSettings) -> Access:
    """How the hub is reached and signed in to, for the text of an error."""
    group = consumer_group(settings)
    if not settings.connection_string:
        return Access(group, "identity")
    text = settings.connection_string.reveal()
    host = endpoint.parse(group.fully_qualified_namespace)
    plain = (host.host, host.port or PLAIN_PORT) if _EMULATOR in text else None
    signature = parse_connection_string(text).shared_access_signature
    if not signature:
        return Access(group, "key", without_tls=plain)
    ends = _SIGNATURE_ENDS.search(signature)
    return Access(group, "signature", float(ends[1]) if ends else None, plain)


class EventHubClient:
    """A `Consumer` together with the credential that has to be closed with it.

    Use as a context manager. Not thread-safe beyond what the SDK allows: one thread receives, any thread may close.
    """

    def __init__(self, settings: EventHubSettings, **overrides: Any) -> None:
        install_decoders()
        self.group, self.access = consumer_group(settings), access(settings)
        self._credential = None if settings.connection_string else Identity(settings)
        try:
            self.sdk = self._client(settings, sdk_options(settings) | overrides)
        except Exception:
            self._close_credential()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the client and the credential; a receive that runs ends with the turn it is in."""
        try:
            self.sdk.close()
        finally:
            self._close_credential()

    def hub(self) -> HubFacts:
        """Partition ids and creation time of the hub. Blocks for the SDK's retries; raises what `translate` returns."""
        what = f"Event hub {self.group.eventhub_name!r} cannot be read"
        with self._translated(what):
            properties = self._answer(self.sdk.get_eventhub_properties)
            return HubFacts(_names(properties["partition_ids"], what), properties["created_at"].timestamp())

    def partition(
        self, partition_id: str, hub: HubFacts | None = None, limit_s: float = ANSWER_LIMIT_S
    ) -> PartitionFacts:
        """Retained range of one partition; blocks and raises as `hub`.

        `hub` is what was just read of the hub, where many partitions are asked for.
        """
        read_s = None
        if hub is None:
            self.sdk.keep_connections()  # both questions go over one
            # The time before the question: what the hub says may be as old as that.
            read_s, hub = monotonic(), self.hub()
        with self._translated(f"Partition {partition_id} cannot be read"):
            properties = self._answer(partial(self.sdk.get_partition_properties, partition_id), limit_s)
        return PartitionFacts(
            int(properties["beginning_sequence_number"]),
            int(properties["last_enqueued_sequence_number"]),
            bool(properties["is_empty"]),
            hub.created_at_s,
            properties["last_enqueued_offset"],
            properties["last_enqueued_time_utc"].timestamp(),
            read_s,
        )

    def ask_partitions(
        self, partition_ids: Sequence[str], hub: HubFacts, limit_s: float = ANSWER_LIMIT_S
    ) -> dict[str, "Future[PartitionFacts]"]:
        """Begin to ask for the facts of many, some at a time. Each answer comes, or fails as `partition` does, when it
        does, and the last one `limit_s` after it was due at the latest.
        """
        self.sdk.keep_connections()
        end = Deadline.after(len(partition_ids) / QUESTIONS_PER_S + limit_s)
        pool = ThreadPoolExecutor(QUESTIONS_AT_ONCE, "question")

        def ask(partition_id: str) -> PartitionFacts:
            return self.partition(partition_id, hub, min(limit_s, end.remaining_s()))

        answers = {each: pool.submit(ask, each) for each in partition_ids}
        pool.shutdown(wait=False)
        return answers

    def partitions(self, partition_ids: Sequence[str], hub: HubFacts) -> dict[str, PartitionFacts]:
        """Many; blocks and raises as `hub`."""
        answers = self.ask_partitions(partition_ids, hub)
        try:
            return {each: answer.result() for each, answer in answers.items()}
        finally:
            for answer in answers.values():
                answer.cancel()  # after a failure, those that are not asked yet

    def last_before(
        self, partition_id: str, time: str, partition: PartitionFacts, owner_level: int | None = None
    ) -> int | None:
        """Sequence number of the last event enqueued before an ISO 8601 time; None when the oldest one is younger.

        Asks for the first event that is not: a hub that has one and does not deliver it raises `SourceUnavailable`.
        `owner_level` is needed while a receiver that has one may be there.
        """
        at = datetime.fromisoformat(time)
        with self._translated(f"The events of partition {partition_id} at {time} cannot be found"):
            properties = self._answer(partial(self.sdk.get_partition_properties, partition_id))
            if partition.is_empty or properties["last_enqueued_time_utc"] < at:
                return partition.last
            first = self._first_from(partition_id, at, inclusive=True, owner_level=owner_level).sequence_number
        return None if first <= partition.first else first - 1

    def at_or_after(self, partition_id: str, number: int, owner_level: int) -> "EventData":
        """The event of a number or, when that has left retention, the one after it. There has to be one."""
        with self._translated(f"Event {number} of partition {partition_id} cannot be read"):
            event: EventData = self._first_from(partition_id, number, inclusive=True, owner_level=owner_level)
            return event

    def next_after(self, partition_id: str, number: int | None) -> tuple[int, datetime]:
        """Number and time of the first event after a number, None: of the oldest. There has to be one.

        Raises `OwnershipLost` when somebody reads the partition with an owner level: he is left alone.
        """
        with self._translated(f"The next event of partition {partition_id} cannot be read"):
            event = self._first_from(partition_id, OLDEST if number is None else number, inclusive=False)
            return event.sequence_number, event.enqueued_time

    def listen(self, partition_id: str, seconds: float) -> None:
        """Attach a receiver without an owner level to a partition, for so long. Raises what `translate` returns."""
        with self._translated(f"Consumer group {self.group.consumer_group}"):
            within(ANSWER_LIMIT_S, partial(self.sdk.listen, partition_id, seconds))

    def _first_from(
        self, partition_id: str, start: datetime | int | str, *, inclusive: bool, owner_level: int | None = None
    ) -> Any:
        """The first event from there, an `EventData`: it came from the hub, and has what the SDK calls optional."""
        return within(
            ANSWER_LIMIT_S,
            partial(
                self.sdk.first_event,
                partition_id,
                start,
                inclusive=inclusive,
                owner_level=owner_level,
                # As well: whoever waits here leaves after the limit, and the receiver has to be closed all the same.
                deadline=Deadline.after(ANSWER_LIMIT_S),
            ),
        )

    def _answer(self, question: Callable[[], Answer], limit_s: float = ANSWER_LIMIT_S) -> Answer:
        """The answer to a question for runtime information, asked when it is this process's turn."""
        # Before the limit begins: it is for the hub's answer, and the turn may come much later.
        _pace.wait()
        refusals: list[Exception] = []
        try:
            return within(limit_s, partial(self.sdk.ask, question, refusals))
        except TimeoutError as error:
            # The SDK also asks again with a key that was refused. How long that takes is up to the settings of its
            # retries and to the host, and whoever has to set another key must not be sent to look at the network.
            lasting = [each for each in refusals if not isinstance(translate(each, "", self.access), SourceUnavailable)]
            reason = lasting[-1] if lasting else error
        raise reason  # out here, where it gets no other context: `translate` looks at that

    @contextmanager
    def _translated(self, what: str) -> Iterator[None]:
        """Raise what `translate` makes of an error in the block; `what` failed."""
        try:
            yield
        except Exception as error:
            raise translate(error, what, self.access) from error

    def _client(self, settings: EventHubSettings, options: dict[str, Any]) -> Consumer:
        if settings.connection_string:
            return Consumer.from_connection_string(  # type: ignore[return-value]  # of the class it is called on
                settings.connection_string.reveal(),
                consumer_group=settings.consumer_group,
                eventhub_name=self.group.eventhub_name,
                **options,
            )
        return Consumer(
            self.group.fully_qualified_namespace,
            self.group.eventhub_name,
            settings.consumer_group,
            credential=self._credential,
            **options,
        )

    def _close_credential(self) -> None:
        if self._credential is not None:
            self._credential.close()


def _names(partition_ids: Sequence[str], what: str) -> tuple[str, ...]:
    if strange := [name for name in partition_ids if not _PARTITION_ID.fullmatch(name)]:
        raise DataRefused(what, f"it names a partition {strange[0]!r:.100}", "Check that the endpoint is Event Hubs.")
    if not partition_ids:
        raise DataRefused(what, "it names no partition", "Check that the endpoint is Event Hubs.")
    return tuple(dict.fromkeys(partition_ids))


def sdk_options(settings: EventHubSettings) -> dict[str, Any]:
    """The client's keyword arguments, as documented at
    https://learn.microsoft.com/python/api/azure-eventhub/azure.eventhub.eventhubconsumerclient.
    """
    options: dict[str, Any] = {
        "retry_total": settings.retry_total,
        "retry_mode": settings.retry_mode,
        "retry_backoff_factor": settings.retry_backoff_factor,
        "retry_backoff_max": settings.retry_backoff_max,
        "auth_timeout": AUTH_TIMEOUT_S,
        "idle_timeout": SILENCE_LIMIT_S,
        "load_balancing_interval": settings.load_balancing_interval,
        "partition_ownership_expiration_interval": settings.ownership_expiration,
        "load_balancing_strategy": settings.load_balancing_strategy,
        # Said always: a custom endpoint alone would switch the SDK to websockets.
        "transport_type": _transport(settings),
        "user_agent": "evsup",
    }
    if settings.proxy:
        options["http_proxy"] = _proxy(settings.proxy.reveal())
    if settings.custom_endpoint:
        options["custom_endpoint_address"] = f"sb://{settings.custom_endpoint}"
    if settings.ca_file:
        options["connection_verify"] = settings.ca_file
    return options


def _transport(settings: EventHubSettings) -> TransportType:
    websocket = settings.transport == "amqp_websocket" or settings.proxy is not None
    return TransportType.AmqpOverWebsocket if websocket else TransportType.Amqp


def _proxy(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    proxy: dict[str, Any] = {"proxy_hostname": parts.hostname, "proxy_port": parts.port}
    if parts.username:  # the SDK sends both as they are
        proxy |= {"username": unquote(parts.username), "password": unquote(parts.password or "")}
    return proxy

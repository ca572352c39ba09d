"""What evsup uses of the Azure SDK that is private to it, beside its decoders (`amqp_types`) and errors (`sdk_error`).

The SDK signs in and opens a link: connection, SASL, CBS, session, attach. From then on its link is read by whoever has
it, in large reads of the socket, and the SDK's functions get the frames that are not deliveries. `tests/unit/shared/
eventhubs/test_sdk_internals.py` fails when one of the names changes; pyproject.toml says up to which version.
https://github.com/Azure/azure-sdk-for-python/tree/main/sdk/eventhub/azure-eventhub/azure/eventhub/_pyamqp
"""

import socket
import ssl
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from typing import Any, TypeAlias

from azure.eventhub import EventData, EventHubConsumerClient
from azure.eventhub._consumer import EventHubConsumer
from azure.eventhub._pyamqp import _decode
from azure.eventhub._pyamqp.constants import ConnectionState, LinkState, SessionState
from azure.eventhub._pyamqp.error import AMQPConnectionError, ErrorCondition
from azure.eventhub.exceptions import EventHubError

from shared.clock import Deadline
from shared.model import LATEST

Start: TypeAlias = int | str | datetime

ANY_SIZE = 0
READ_BYTES = 256 * 1024
TLS_RECORD_BYTES = 16 * 1024  # OpenSSL gives no more at once
# A hub that reads nothing any more must not hold its reader. Without TLS the kernel gives up earlier: TCP_USER_TIMEOUT.
WRITE_LIMIT_S = 10.0
CLOSE_LIMIT_S = 1.0
STEP_S = 0.001  # between the steps of a sign-in, each of which waits for the hub by itself; the SDK pauses for 50 ms
WEBSOCKET_CLOSE = 8  # opcode: https://www.rfc-editor.org/rfc/rfc6455#section-5.2
SERIAL = 0xFFFFFFFF  # AMQP counts in serial numbers of 32 bits, the SDK without end


def decode_value(data: bytes, at: int, end: int) -> tuple[Any, int]:
    """The value whose constructor is at `at`, and where it ends. Raises whatever the SDK raises: it checks nothing."""
    rest, value = _decode._DECODE_BY_CONSTRUCTOR[data[at]](memoryview(data)[at + 1 : end])
    return value, end - len(rest)


def decode_frame(body: bytes) -> tuple[int, list[Any]]:
    """The performative of a frame, and its fields; of a transfer the payload after them."""
    return _decode.decode_frame(memoryview(body))


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


class Consumer(EventHubConsumerClient):
    """The SDK's client with our receivers, with a memory for the partition ids, and with quick questions.

    After 30 s every receiver of the SDK has a thread beside it that keeps the connection alive by reading frames from
    it, without a lock: events come in another order or with each other's parts. Here it has none.
    https://github.com/Azure/azure-sdk-for-python/blob/main/sdk/eventhub/azure-eventhub/azure/eventhub/_pyamqp/client.py

    Every `receive` asks for the ids on a thread, and turns without a pause on its own until they are there: a second
    question, and half a second of a processor.
    https://github.com/Azure/azure-sdk-for-python/blob/main/sdk/eventhub/azure-eventhub/azure/eventhub/_eventprocessor/event_processor.py
    """

    _partition_ids: Sequence[str] = ()

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._amqp_transport: Any = _Transport(self._amqp_transport)

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
        return list(self._partition_ids) or super().get_partition_ids()

    def _create_consumer(self, *arguments: Any, **options: Any) -> Any:
        consumer = super()._create_consumer(*arguments, **options)
        consumer._keep_alive = None
        consumer.__class__ = AnySize
        return consumer

    def link(
        self, partition_id: str, start: Start, *, inclusive: bool, owner_level: int | None, track: bool
    ) -> "SdkLink":
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


class SdkLink:
    """A receiver's link that the SDK opens, to be read by whoever has it. One thread uses it.

    What the SDK finds wrong is raised as the SDK's own `receive` would raise it, and closes the link.
    """

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer
        self._beat_s = time.monotonic()
        self.has_more = False
        """Whether there may be bytes that the kernel knows nothing of, because TLS has decrypted them."""

    # --- opening and closing ------------------------------------------------------------------------------------------

    def open(self) -> bool:
        """Go on opening; whether it is open now. Blocks for a read or two; handshakes have no limit in the SDK."""
        with self._raising_as_the_sdk():
            if not self._consumer._open():
                return False
            self._require_open()  # the SDK calls a link ready, too, when it cannot decode a frame
            return True

    def take_over(self) -> bytes:
        """Begin to read in the SDK's place: what it has read already. From now on it judges silence no longer."""
        self._connection._idle_timeout = None
        self._transport.sock.settimeout(0)
        rest: bytes = self._transport._read_buffer.read()
        return rest

    def close(self) -> None:
        """Detach in order, unless the hub takes too long for that."""
        with suppress(Exception), self._writing(CLOSE_LIMIT_S):
            self._consumer.close()

    # --- reading ------------------------------------------------------------------------------------------------------

    def fileno(self) -> int:
        """Readable when something has come."""
        return int(self._transport.sock.fileno())

    def read(self) -> bytes:
        """What has come, perhaps nothing; never blocks."""
        pieces: list[bytes] = []
        size = 0
        with self._raising_as_the_sdk():
            try:
                while size < READ_BYTES:
                    pieces.append(self._received())
                    size += len(pieces[-1])
                self.has_more = True
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                self.has_more = False
            except Exception as error:
                if not pieces:  # else it is raised again when that is read
                    raise AMQPConnectionError(
                        ErrorCondition.SocketError, description=f"The connection broke: {error}", error=error
                    ) from error
                self.has_more = True
        return b"".join(pieces)

    def _received(self) -> bytes:
        sock = self._transport.sock
        if isinstance(sock, socket.socket):
            data = sock.recv(TLS_RECORD_BYTES if isinstance(sock, ssl.SSLSocket) else READ_BYTES)
            has_ended = not data
        else:  # of the package websocket-client
            code, data = sock.recv_data()
            has_ended = code == WEBSOCKET_CLOSE  # a message may be empty
        if has_ended:
            raise ConnectionError("the hub closed the connection")
        return data

    # --- the books ----------------------------------------------------------------------------------------------------

    @property
    def channel(self) -> int:
        """The hub's channel of the session."""
        channels = self._connection._incoming_endpoints.items()
        return int(next(channel for channel, session in channels if session is self._session))

    @property
    def handle(self) -> int:
        """The hub's handle of the link."""
        return int(self._link.remote_handle)

    @property
    def largest_frame(self) -> int:
        """Bytes of a frame that the hub was told it may send."""
        return int(self._connection._max_frame_size)

    @property
    def credit(self) -> int:
        """How many deliveries may still come."""
        return int(self._link.current_link_credit)

    def grant(self, credit: int) -> None:
        """Let so many deliveries come, instead of those that still may."""
        with self._raising_as_the_sdk(), self._writing():
            self._link.flow(link_credit=credit)

    def count(self, transfers: int, deliveries: int) -> None:
        """Account for what came on the link, as the SDK does frame by frame."""
        link, session = self._link, self._session
        session.next_incoming_id = session.next_incoming_id + transfers & SERIAL
        session.remote_outgoing_window -= transfers
        session.incoming_window -= transfers
        link.delivery_count = link.delivery_count + deliveries & SERIAL
        link.current_link_credit -= deliveries
        if session.incoming_window <= session.target_incoming_window // 2:
            session.incoming_window = session.target_incoming_window
            with self._raising_as_the_sdk(), self._writing():
                session._outgoing_flow()

    def take(self, channel: int, frame: tuple[int, Any]) -> None:
        """Give the SDK a frame that is no delivery. It may answer."""
        with self._raising_as_the_sdk():
            with self._writing():
                self._connection._process_incoming_frame(channel, frame)
            self._require_open()

    def keep(self) -> None:
        """Renew the token when it is time, and tell the hub that this end lives. Once a second is often enough.

        The SDK does either only while somebody receives through it. A new token is waited for here.
        """
        with self._raising_as_the_sdk(), self._writing():
            if cbs := self._handler._cbs_authenticator:
                cbs.handle_token()
            every_s, now_s = self._connection._remote_idle_timeout_send_frame, time.monotonic()
            if every_s and now_s - self._beat_s > every_s:
                self._beat_s = now_s
                self._connection._outgoing_empty()
            self._require_open()

    # --- inside -------------------------------------------------------------------------------------------------------

    @property
    def _handler(self) -> Any:
        return self._consumer._handler

    @property
    def _connection(self) -> Any:
        return self._handler._connection

    @property
    def _session(self) -> Any:
        return self._handler._session

    @property
    def _link(self) -> Any:
        return self._handler._link

    @property
    def _transport(self) -> Any:
        return self._connection._transport

    def _require_open(self) -> None:
        if error := self._connection._error:
            raise error
        self._link.get_state()  # raises the link's error
        states = self._connection.state, self._session.state, self._link.state
        if states != (ConnectionState.OPENED, SessionState.MAPPED, LinkState.ATTACHED):
            raise AMQPConnectionError(ErrorCondition.ConnectionCloseForced, description="The hub ended the session.")

    @contextmanager
    def _writing(self, limit_s: float = WRITE_LIMIT_S) -> Iterator[None]:
        """The SDK may write for so long inside. What it did not write in time breaks the connection."""
        connection = self._connection
        self._set_timeout(connection, limit_s)
        try:
            yield
        finally:
            self._set_timeout(connection, 0)

    @staticmethod
    def _set_timeout(connection: Any, seconds: float) -> None:
        if connection and (sock := connection._transport.sock):
            sock.settimeout(seconds)

    @contextmanager
    def _raising_as_the_sdk(self) -> Iterator[None]:
        try:
            yield
        except EventHubError:
            raise
        except Exception as error:
            raise self._consumer._handle_exception(error, is_consumer=True) from error

"""The link that the Azure SDK opens for a receiver: what is private of it, as `sdk_internals` has the rest.

The SDK signs in and opens: connection, SASL, CBS, session, attach. From then on its link is read by whoever has it, in
large reads of the socket, and the SDK's functions get the frames that are not deliveries.
https://github.com/Azure/azure-sdk-for-python/tree/main/sdk/eventhub/azure-eventhub/azure/eventhub/_pyamqp
"""

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from azure.eventhub._pyamqp.constants import ConnectionState, LinkState, SessionState
from azure.eventhub._pyamqp.error import AMQPConnectionError, ErrorCondition
from azure.eventhub.exceptions import EventHubError

READ_BYTES = 256 * 1024
TLS_RECORD_BYTES = 16 * 1024  # OpenSSL gives no more at once
# A hub that reads nothing any more must not hold its reader. Without TLS the kernel gives up earlier: TCP_USER_TIMEOUT.
WRITE_LIMIT_S = 10.0
CLOSE_LIMIT_S = 1.0
WEBSOCKET_CLOSE = 8  # opcode: https://www.rfc-editor.org/rfc/rfc6455#section-5.2
SERIAL = 0xFFFFFFFF  # AMQP counts in serial numbers of 32 bits, the SDK without end


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
        """Begin to read in the SDK's place: what it has read already."""
        # The SDK counts a silence from its own last read, and there will be none.
        self._connection._idle_timeout = None
        # The reader waits in poll(2), for other things than this socket as well.
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
        # A session stands still when its window is used up, whatever credit its link has. Opened at half of it, so that
        # the hub never waits. https://docs.oasis-open.org/amqp/core/v1.0/os/amqp-core-transport-v1.0-os.html#doc-session-flow-control
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

        Blocks for a new token.
        """
        # The SDK does either only while somebody receives through it.
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

"""A link that the SDK has opened: its books, its duties, and what ends it."""

import socket
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from azure.eventhub._pyamqp.constants import ConnectionState, LinkState, SessionState
from azure.eventhub.exceptions import EventHubError

from shared.eventhubs.sdk_link import SERIAL, WRITE_LIMIT_S, SdkLink


class Opened:
    """Stands for the SDK's objects behind a link that is open, on a real socket."""

    def __init__(self) -> None:
        self.ours, self.hub = socket.socketpair()
        self.written: list[str] = []
        self.timeouts: list[float | None] = []
        transport = SimpleNamespace(sock=self.ours, _read_buffer=SimpleNamespace(read=lambda: b"begun"))
        self.connection = SimpleNamespace(
            _transport=transport,
            _idle_timeout=30,
            _error=None,
            state=ConnectionState.OPENED,
            _remote_idle_timeout_send_frame=60.0,
            _outgoing_empty=lambda: self._write("empty"),
            _process_incoming_frame=lambda channel, frame: self._write(f"frame {frame[0]} on {channel}"),
            _max_frame_size=1024,
        )
        self.session = SimpleNamespace(
            state=SessionState.MAPPED,
            next_incoming_id=0,
            remote_outgoing_window=1000,
            incoming_window=100,
            target_incoming_window=100,
            _outgoing_flow=lambda: self._write("flow"),
        )
        self.connection._incoming_endpoints = {4: SimpleNamespace(), 7: self.session}
        self.link = SimpleNamespace(
            state=LinkState.ATTACHED,
            remote_handle=3,
            delivery_count=0,
            current_link_credit=50,
            get_state=lambda: LinkState.ATTACHED,
            flow=lambda link_credit: self._write(f"credit {link_credit}"),
        )
        self.cbs = SimpleNamespace(handle_token=lambda: self._write("token"))
        handler = SimpleNamespace(
            _connection=self.connection, _session=self.session, _link=self.link, _cbs_authenticator=self.cbs
        )
        self.consumer = SimpleNamespace(
            _handler=handler,
            _open=lambda: True,
            close=lambda: self._write("close"),
            _handle_exception=lambda error, **_: EventHubError(str(error), error),
        )
        self.sdk_link = SdkLink(self.consumer)
        assert self.sdk_link.open()
        assert self.sdk_link.take_over() == b"begun"

    def _write(self, what: str) -> None:
        self.timeouts.append(self.ours.gettimeout())
        self.written.append(what)


@pytest.fixture
def opened() -> Iterator[Opened]:
    made = Opened()
    yield made
    made.ours.close()
    made.hub.close()


def test_it_is_read_without_waiting_and_written_with_a_limit(opened: Opened) -> None:
    link = opened.sdk_link
    assert link.read() == b""
    opened.hub.sendall(b"x" * 10)
    assert link.read() == b"x" * 10
    link.grant(7)
    assert (opened.written, opened.timeouts) == (["credit 7"], [WRITE_LIMIT_S])
    assert opened.ours.gettimeout() == 0


def test_what_came_before_the_end_is_read_before_the_end_is_told(opened: Opened) -> None:
    opened.hub.sendall(b"last words")
    opened.hub.close()
    assert opened.sdk_link.read() == b"last words"
    assert opened.sdk_link.has_more
    with pytest.raises(EventHubError, match="The connection broke: the hub closed the connection"):
        opened.sdk_link.read()


class WebSocket:
    """Stands for a connection of the package websocket-client."""

    def __init__(self, *messages: tuple[int, bytes]) -> None:
        self._messages = list(messages)

    def recv_data(self) -> tuple[int, bytes]:
        if not self._messages:
            raise BlockingIOError
        return self._messages.pop(0)

    def settimeout(self, _: float) -> None: ...


def test_a_message_of_a_websocket_may_be_empty(opened: Opened) -> None:
    opened.connection._transport.sock = WebSocket((2, b"one"), (2, b""), (0, b""), (2, b"two"))
    assert opened.sdk_link.read() == b"onetwo"
    assert opened.sdk_link.read() == b""


@pytest.mark.parametrize("reason", [b"", b"\x03\xe8"])
def test_a_websocket_ends_when_the_hub_closes_it(opened: Opened, reason: bytes) -> None:
    opened.connection._transport.sock = WebSocket((8, reason))
    with pytest.raises(EventHubError, match="the hub closed the connection"):
        opened.sdk_link.read()


def test_a_link_that_only_the_sdk_calls_ready_is_not_open(opened: Opened) -> None:
    """It does so when it cannot decode a frame, while the hub has not answered yet."""
    opened.link.state = LinkState.ATTACH_SENT
    with pytest.raises(EventHubError):
        opened.sdk_link.open()


def test_it_says_where_its_deliveries_come(opened: Opened) -> None:
    link = opened.sdk_link
    assert (link.channel, link.handle, link.largest_frame, link.credit) == (7, 3, 1024, 50)


def test_books_are_kept_for_many_transfers_at_once(opened: Opened) -> None:
    opened.sdk_link.count(30, 20)
    session, link = opened.session, opened.link
    assert (session.next_incoming_id, session.remote_outgoing_window, session.incoming_window) == (30, 970, 70)
    assert (link.delivery_count, link.current_link_credit) == (20, 30)
    assert opened.written == []


def test_the_window_is_opened_again_when_half_is_used(opened: Opened) -> None:
    opened.sdk_link.count(50, 50)
    assert opened.session.incoming_window == 100
    assert opened.written == ["flow"]


def test_books_are_kept_in_serial_numbers(opened: Opened) -> None:
    opened.session.next_incoming_id, opened.link.delivery_count = SERIAL - 1, SERIAL
    opened.sdk_link.count(3, 2)
    assert (opened.session.next_incoming_id, opened.link.delivery_count) == (1, 1)


def test_the_token_is_looked_after_each_time_and_a_heartbeat_goes_out_in_time(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened.sdk_link.keep()
    now_s = time.monotonic() + 61
    monkeypatch.setattr(time, "monotonic", lambda: now_s)
    opened.sdk_link.keep()
    opened.sdk_link.keep()
    assert opened.written == ["token", "token", "empty", "token"]


def test_a_hub_that_wants_no_heartbeats_gets_none(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    opened.connection._remote_idle_timeout_send_frame = None
    now_s = time.monotonic() + 10_000
    monkeypatch.setattr(time, "monotonic", lambda: now_s)
    opened.sdk_link.keep()
    assert opened.written == ["token"]


def failing(name: str, value: Any) -> Any:
    def fail(opened: Opened) -> None:
        part, attribute = name.split(".")
        setattr(getattr(opened, part), attribute, value)

    return fail


def refuse(*_: object) -> None:
    raise ValueError("as the SDK says")


@pytest.mark.parametrize(
    "fail",
    [
        failing("connection._error", ValueError("as the SDK says")),
        failing("connection.state", ConnectionState.END),
        failing("session.state", SessionState.UNMAPPED),
        failing("link.state", LinkState.DETACHED),
        failing("link.get_state", refuse),
        failing("cbs.handle_token", refuse),
    ],
)
def test_whatever_ends_it_is_raised_as_the_sdk_would_raise_it(opened: Opened, fail: Any) -> None:
    fail(opened)
    with pytest.raises(EventHubError, match=r"as the SDK says|The hub ended the session"):
        opened.sdk_link.keep()


def test_a_frame_is_given_to_the_sdk_and_may_end_the_link(opened: Opened) -> None:
    opened.sdk_link.take(0, (1, b"EMPTY"))
    assert opened.written == ["frame 1 on 0"]
    opened.link.state = LinkState.DETACHED
    with pytest.raises(EventHubError):
        opened.sdk_link.take(7, (22, []))


def test_closing_has_a_limit_and_raises_nothing(opened: Opened) -> None:
    opened.consumer.close = refuse
    opened.sdk_link.close()
    assert opened.ours.gettimeout() == 0

"""The endpoint over real sockets: whoever connects, the next one is answered."""

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scripts.harness.waiting import eventually
from shared.errors import ConfigurationError, ExitCode
from shared.log.recent import RecentLines
from supervisor.status.http import server as http
from supervisor.status.http.server import MOST_CLIENTS, MOST_HEAD_BYTES, HttpServer, listen
from supervisor.status.model import TreeStatus
from supervisor.status.status_socket import SOCKET_NAME
from tests.harness.services.ports import free_port
from tests.unit.captured_log import capture_logs
from tests.unit.descriptors import room_for
from tests.unit.supervisor.status.served import served
from tests.unit.supervisor.status.statuses import NOW_S, a_partition, a_tree

TIMEOUT_S = 30.0  # of a test's own socket: the machine may be busy


@pytest.fixture
def port() -> Iterator[int]:
    """Where a healthy tree answers."""
    number = free_port()
    with closing(HttpServer([listen(f"127.0.0.1:{number}")], lambda: a_tree(a_partition()), clock=lambda: NOW_S)):
        yield number


def get(port: int, page: str = "/healthz", host: str = "127.0.0.1") -> tuple[int, bytes]:
    """Status and page."""
    with closing(HTTPConnection(host, port, timeout=TIMEOUT_S)) as connection:
        connection.request("GET", page)
        response = connection.getresponse()
        return response.status, response.read()


def connect(port: int) -> socket.socket:
    """A client that says nothing yet."""
    return socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S)


def all_of(client: socket.socket) -> bytes:
    """What comes until the other end closes; nothing when it cuts the line."""
    try:
        return b"".join(iter(lambda: client.recv(4096), b""))
    except ConnectionResetError:
        return b""


def test_a_page_is_served(port: int) -> None:
    assert get(port) == (200, b"ok\n")
    assert b"evsup_partitions_owned{" in get(port, "/metrics")[1]


def test_a_page_is_served_on_an_ipv6_address() -> None:
    number = free_port("::1")
    with closing(HttpServer([listen(f"[::1]:{number}")], a_tree, clock=lambda: NOW_S)):
        assert get(number, host="::1") == (200, b"ok\n")


def test_more_silent_clients_than_may_connect_do_not_keep_others_out(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "CLIENT_S", 10 * TIMEOUT_S)
    with ExitStack() as clients:
        silent = [clients.enter_context(connect(port)) for _ in range(2 * MOST_CLIENTS)]
        assert get(port) == (200, b"ok\n")
        assert all_of(silent[0]) == b"", "the oldest made room"


def test_the_connection_of_a_silent_client_closes_at_its_deadline(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "CLIENT_S", 0.1)
    with connect(port) as client:
        client.sendall(b"GET /metrics HTTP/1.1\r\n")
        assert all_of(client) == b""


def test_a_request_head_without_an_end_is_refused(port: int) -> None:
    with connect(port) as client:
        client.sendall(b"GET / HTTP/1.1\r\nX: " + b"x" * MOST_HEAD_BYTES)
        assert all_of(client).startswith(b"HTTP/1.1 431 ")
    assert get(port) == (200, b"ok\n")


def test_a_request_head_of_a_megabyte_is_refused_and_not_repeated(port: int) -> None:
    with connect(port) as client:
        client.sendall(b"GET /Xq7canary HTTP/1.1\r\nX-Xq7canary: " + b"Xq7canary" * 120_000 + b"\r\n\r\n")
        refused = all_of(client)
    assert refused.startswith(b"HTTP/1.1 431 ")
    assert b"Xq7canary" not in refused
    assert get(port) == (200, b"ok\n")


def test_a_body_that_nobody_asked_for_costs_no_client_the_response(port: int) -> None:
    size = 8_000_000  # more than two sockets hold
    with connect(port) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % size + bytes(size))
        assert all_of(client).startswith(b"HTTP/1.1 405 ")


def test_of_several_requests_in_one_packet_the_first_is_answered_and_the_connection_ends(port: int) -> None:
    with connect(port) as client:
        client.sendall(3 * b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = all_of(client)
    assert answer.count(b"HTTP/1.1 200 OK") == 1
    assert b"\r\nConnection: close\r\n" in answer


def test_half_a_request_is_refused(port: int) -> None:
    with connect(port) as client:
        client.sendall(b"GET /hea")
        client.shutdown(socket.SHUT_WR)
        assert all_of(client).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    ("host", "code"),
    [("127.0.0.1:9464", 200), ("localhost", 200), ("rebound.example", 421), ("ops.example:443", 200)],
)
def test_a_web_site_that_takes_its_name_for_this_address_sees_nothing(host: str, code: int) -> None:
    number = free_port()
    server = HttpServer([listen(f"127.0.0.1:{number}")], a_tree, clock=lambda: NOW_S, names=["Ops.example"])
    with closing(server), connect(number) as client:
        client.sendall(f"GET /overview HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert all_of(client).startswith(b"HTTP/1.1 %d " % code)


def test_the_status_socket_takes_any_name(tmp_path: Path) -> None:
    """No browser reaches it, and whoever does may read all of it."""
    with served(tmp_path, a_tree), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(tmp_path / SOCKET_NAME))
        client.sendall(b"GET /status HTTP/1.1\r\nHost: what.you.like\r\n\r\n")
        assert all_of(client).startswith(b"HTTP/1.1 200 ")


def test_a_thousand_clients_keep_nobody_out(port: int) -> None:
    with room_for(4096), ExitStack() as clients:
        for number in range(1000):
            client = clients.enter_context(connect(port))
            client.sendall(b"GET /metrics HTTP/1.1\r\n"[: number % 24])
            if number % 100 == 99:
                assert get(port) == (200, b"ok\n")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300) | st.binary(max_size=300).map(lambda noise: b"GET /" + noise + b"\r\n\r\n"))
def test_any_bytes_are_answered_or_dropped(port: int, noise: bytes) -> None:
    with connect(port) as client:
        client.sendall(noise)
        client.shutdown(socket.SHUT_WR)
        reply = all_of(client)
    assert not reply or reply.startswith(b"HTTP/1.1 ")


def test_a_client_that_disconnects_is_forgotten(port: int) -> None:
    for _ in range(2 * MOST_CLIENTS):
        connect(port).close()
    assert get(port) == (200, b"ok\n")


def test_a_page_that_a_client_takes_in_pieces_is_whole_and_no_trouble() -> None:
    number, tree = free_port(), a_tree(a_partition(), cause="x" * 16_000_000)  # more than two sockets hold
    with capture_logs() as log, closing(HttpServer([listen(f"127.0.0.1:{number}")], lambda: tree, clock=lambda: NOW_S)):
        assert len(get(number, "/readyz")[1]) > 16_000_000
        get(number)  # the loop has turned since
    assert not log


def test_a_page_that_is_opened_later_has_what_was_before() -> None:
    number, recent = free_port(), RecentLines()
    recent.add({"timestamp": "2026-11-28T13:00:00Z", "level": "info", "event": "worker_started", "partition": "3"})
    lags = iter(range(1_000_000))

    def read() -> TreeStatus:
        return a_tree(a_partition(lag=next(lags)))

    def lag_so_far() -> list[int]:
        found: list[int] = json.loads(get(number, "/overview")[1])["figures"][2]["values"]
        return found

    with closing(HttpServer([listen(f"127.0.0.1:{number}")], read, recent, lambda: NOW_S, sample_every_s=0.01)):
        eventually(lambda: len(lag_so_far()) > 5, "the server takes samples")
        lags_shown = lag_so_far()
        assert lags_shown == sorted(lags_shown)
        assert json.loads(get(number, "/overview")[1])["log"][0]["text"] == "partition=3"


def test_a_close_waits_for_no_client_and_is_no_trouble() -> None:
    number = free_port()
    server = HttpServer([listen(f"127.0.0.1:{number}")], a_tree)
    with capture_logs() as log, connect(number) as client:
        get(number)
        server.close()
        assert all_of(client) == b""
    assert not log
    with pytest.raises(ConnectionRefusedError):
        connect(number)


def test_a_port_in_use_is_a_fault_of_the_setting(port: int) -> None:
    with pytest.raises(ConfigurationError, match=f"EVSUP_HTTP_ADDRESS=127.0.0.1:{port} .* already in use") as raised:
        listen(f"127.0.0.1:{port}")
    assert raised.value.exit_code == ExitCode.CONFIGURATION


def test_an_address_of_another_host_is_a_fault_of_the_setting() -> None:
    """192.0.2.0/24 belongs to nobody: https://www.rfc-editor.org/rfc/rfc5737."""
    with pytest.raises(ConfigurationError, match=r"EVSUP_HTTP_ADDRESS=192\.0\.2\.1"):
        listen(f"192.0.2.1:{free_port()}")

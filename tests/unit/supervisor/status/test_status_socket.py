"""The status socket: whoever connects, the next one is answered; and whoever answers, a reader comes to an end."""

import errno
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from pathlib import Path

import msgspec
import pytest

from shared.errors import ConfigurationError, ServiceUnavailable
from supervisor.status import status_socket
from supervisor.status.model import TreeStatus
from supervisor.status.status_socket import SOCKET_NAME, StatusSocket, read_status
from tests.unit.supervisor.status.served import served
from tests.unit.supervisor.status.statuses import a_partition, a_tree

TIMEOUT_S = 30.0  # of a test's own socket: the machine may be busy


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """Where a tree answers that has more to say than a socket's buffer holds."""
    with served(tmp_path, many_partitions):
        yield tmp_path


@cache
def many_partitions() -> TreeStatus:
    """Made once, as a tree makes its status once a turn."""
    return a_tree(*(a_partition(str(number)) for number in range(1000)))


def connect(directory: Path) -> socket.socket:
    """A client that says nothing yet; not connected when too many are waiting in the line."""
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(TIMEOUT_S)
    with suppress(BlockingIOError):
        client.connect(str(directory / SOCKET_NAME))
    return client


@pytest.mark.parametrize("noise", [b"", b"GET / HTTP/1.1\r\n\r\n", b"\x00\xff" * 500_000])
def test_whatever_bytes_a_client_sends_the_next_client_is_answered(directory: Path, noise: bytes) -> None:
    with connect(directory) as client, suppress(OSError):
        client.sendall(noise)
    assert read_status(directory) == many_partitions()


def test_a_client_that_does_not_read_delays_nobody(directory: Path) -> None:
    with connect(directory) as client:
        client.sendall(status_socket.REQUEST)
        assert read_status(directory) == many_partitions()


def test_the_socket_has_every_page_of_the_http_address(directory: Path) -> None:
    with connect(directory) as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\n\r\n")
        assert client.recv(1000).startswith(b"HTTP/1.1 ")


def test_a_supervisor_of_before_that_sends_its_status_at_once_is_understood(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server, ThreadPoolExecutor(1) as threads:
        server.bind(str(tmp_path / SOCKET_NAME))
        server.listen()
        threads.submit(tell, server, msgspec.json.encode(a_tree()))
        assert read_status(tmp_path) == a_tree()


def test_a_thousand_clients_keep_nobody_out(directory: Path) -> None:
    for _ in range(1000):
        connect(directory).close()
    assert read_status(directory) == many_partitions()


def test_a_client_is_answered_with_the_newest_status(tmp_path: Path) -> None:
    turns = [a_tree()]
    with served(tmp_path, lambda: turns[-1]):
        assert read_status(tmp_path) == a_tree()
        turns.append(many_partitions())
        assert read_status(tmp_path) == many_partitions()


def test_the_socket_answers_again_after_descriptors_ran_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Said by hand: the kernel takes the descriptor before it waits for a client, so that a test would have to race."""
    refusals, accept = iter([OSError(errno.EMFILE, "Too many open files")]), socket.socket.accept

    def accept_at_the_second_try(self: socket.socket) -> object:
        for refusal in refusals:
            raise refusal
        return accept(self)

    monkeypatch.setattr(socket.socket, "accept", accept_at_the_second_try)
    with served(tmp_path, a_tree):
        assert read_status(tmp_path) == a_tree()


@pytest.mark.parametrize("directory", ["a-file", "x" * 200])
def test_a_state_directory_that_can_have_no_socket_is_a_fault_of_the_setting(tmp_path: Path, directory: str) -> None:
    (tmp_path / "a-file").write_text("not a directory")
    with pytest.raises(ConfigurationError, match="EVSUP_STATE_DIR"):
        read_status(tmp_path / directory)


def test_a_path_that_is_too_long_for_a_socket_is_said(tmp_path: Path) -> None:
    (too_long := tmp_path / ("x" * 200)).mkdir()
    with pytest.raises(ConfigurationError, match="is too long"):
        StatusSocket(too_long)


@pytest.mark.parametrize("status", [b"", b"{}", b"\xff", b'{"host":"\xff"}', b'{"more":' + b"[" * 10_000])
def test_what_is_no_status_is_no_answer(tmp_path: Path, status: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as server, ThreadPoolExecutor(1) as threads:
        server.bind(str(tmp_path / SOCKET_NAME))
        server.listen()
        threads.submit(tell, server, status)
        with pytest.raises(ServiceUnavailable, match="does not answer"):
            read_status(tmp_path)


@pytest.mark.parametrize(("piece", "why"), [(b"{", ""), (b"{" * status_socket.READ_BYTES, ": its answer does not end")])
def test_an_answer_without_an_end_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: bytes, why: str
) -> None:
    monkeypatch.setattr(status_socket, "READ_LIMIT_S", 1)
    with socket.socket(socket.AF_UNIX) as server, ThreadPoolExecutor(1) as threads:
        server.bind(str(tmp_path / SOCKET_NAME))
        server.listen()
        threads.submit(talk, server, piece)
        with pytest.raises(ServiceUnavailable, match=f"does not answer{why}"):
            read_status(tmp_path)


def tell(server: socket.socket, status: bytes) -> None:
    client, _ = server.accept()
    with client:
        client.sendall(status)


def talk(server: socket.socket, piece: bytes) -> None:
    client, _ = server.accept()
    with client, suppress(OSError):
        while True:
            client.sendall(piece)

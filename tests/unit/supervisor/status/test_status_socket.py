"""The status socket: whoever connects, the next one is answered; and whoever answers, a reader comes to an end."""

import errno
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from functools import cache
from pathlib import Path

import msgspec
import pytest

from shared.errors import ServiceUnavailable
from supervisor.status import status_socket
from supervisor.status.model import TreeStatus
from supervisor.status.status_socket import SOCKET_NAME, StatusServer, read_status
from tests.unit.supervisor.status.statuses import a_partition, a_tree

TIMEOUT_S = 30.0  # of a test's own socket: the machine may be busy


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """Where a tree answers that has more to say than a socket's buffer holds."""
    with closing(StatusServer(tmp_path, many_partitions)):
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
def test_whatever_bytes_a_client_sends_the_next_client_is_answered(
    directory: Path, monkeypatch: pytest.MonkeyPatch, noise: bytes
) -> None:
    monkeypatch.setattr(status_socket, "CLIENT_S", 0.1)
    with connect(directory) as client, suppress(OSError):
        client.sendall(noise)
    assert read_status(directory) == many_partitions()


def test_a_client_that_does_not_read_delays_the_next_one_until_its_deadline_only(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status_socket, "CLIENT_S", 0.1)
    with connect(directory):
        assert read_status(directory) == many_partitions()


def test_a_thousand_clients_keep_nobody_out(directory: Path) -> None:
    for _ in range(1000):
        connect(directory).close()
    assert read_status(directory) == many_partitions()


def test_what_many_clients_read_of_one_turn_is_encoded_once(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []
    encode = msgspec.json.encode

    def noting(status: object) -> bytes:
        made.append(status)
        return encode(status)

    monkeypatch.setattr(msgspec.json, "encode", noting)
    for _ in range(3):
        assert read_status(directory) == many_partitions()
    assert len(made) == 1


def test_a_client_is_answered_with_the_newest_status(tmp_path: Path) -> None:
    turns = [a_tree(), many_partitions()]
    with closing(StatusServer(tmp_path, lambda: turns.pop(0))):
        assert [read_status(tmp_path), read_status(tmp_path)] == [a_tree(), many_partitions()]


def test_the_socket_answers_again_after_descriptors_ran_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Said by hand: the kernel takes the descriptor before it waits for a client, so that a test would have to race."""
    refusals, accept = iter([OSError(errno.EMFILE, "Too many open files")]), socket.socket.accept

    def accept_at_the_second_try(self: socket.socket) -> object:
        for refusal in refusals:
            raise refusal
        return accept(self)

    monkeypatch.setattr(socket.socket, "accept", accept_at_the_second_try)
    with closing(StatusServer(tmp_path, a_tree)):
        assert read_status(tmp_path) == a_tree()


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


def talk(server: socket.socket, piece: bytes) -> None:
    client, _ = server.accept()
    with client, suppress(OSError):
        while True:
            client.sendall(piece)

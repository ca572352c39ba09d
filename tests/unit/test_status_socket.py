"""The status socket: whoever connects, the next one is answered; and whoever answers, a reader comes to an end."""

import os
import resource
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

from shared.errors import ServiceUnavailable
from supervisor import status
from supervisor.status import SOCKET_NAME, StatusServer, TreeStatus, read_status
from tests.unit.statuses import a_partition, a_tree

TIMEOUT_S = 30.0  # of a test's own socket: the machine may be busy


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """Where a tree answers that has more to say than a socket's buffer holds."""
    with closing(StatusServer(tmp_path, many_partitions)):
        yield tmp_path


def many_partitions() -> TreeStatus:
    return a_tree(*(a_partition(str(number)) for number in range(1000)))


def connect(directory: Path) -> socket.socket:
    """A client that says nothing yet; not connected when too many are waiting in the line."""
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(TIMEOUT_S)
    with suppress(BlockingIOError):
        client.connect(str(directory / SOCKET_NAME))
    return client


@pytest.mark.parametrize("noise", [b"", b"GET / HTTP/1.1\r\n\r\n", b"\x00\xff" * 500_000])
def test_whatever_a_client_says_the_next_one_is_answered(
    directory: Path, monkeypatch: pytest.MonkeyPatch, noise: bytes
) -> None:
    monkeypatch.setattr(status, "CLIENT_S", 0.1)
    with connect(directory) as client, suppress(OSError):
        client.sendall(noise)
    assert read_status(directory) == many_partitions()


def test_a_client_that_does_not_read_keeps_the_next_one_for_a_moment_only(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status, "CLIENT_S", 0.1)
    with connect(directory):
        assert read_status(directory) == many_partitions()


def test_a_thousand_clients_keep_nobody_out(directory: Path) -> None:
    for _ in range(1000):
        connect(directory).close()
    assert read_status(directory) == many_partitions()


def test_a_client_that_finds_no_descriptor_left_is_answered_later(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = threading.Event()
    monkeypatch.setattr(status, "log", SimpleNamespace(warning=lambda *_, **__: refused.set()))
    with socket.socket(socket.AF_UNIX) as client, ExitStack() as taken:
        client.settimeout(TIMEOUT_S)
        take_all_descriptors(taken)
        client.connect(str(directory / SOCKET_NAME))
        assert refused.wait(TIMEOUT_S)
        taken.close()
        assert client.recv(1) == b"{"


def take_all_descriptors(taken: ExitStack) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len([*Path("/proc/self/fd").iterdir()]) + 10, hard))
    taken.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
    with suppress(OSError):
        while True:
            taken.callback(os.close, os.dup(0))


@pytest.mark.parametrize("piece", [b"{", b"{" * status.READ_BYTES])
def test_a_supervisor_whose_answer_does_not_end_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: bytes
) -> None:
    monkeypatch.setattr(status, "READER_S", 1)
    with socket.socket(socket.AF_UNIX) as server, ThreadPoolExecutor(1) as threads:
        server.bind(str(tmp_path / SOCKET_NAME))
        server.listen()
        threads.submit(talk, server, piece)
        with pytest.raises(ServiceUnavailable, match="does not answer"):
            read_status(tmp_path)


def talk(server: socket.socket, piece: bytes) -> None:
    client, _ = server.accept()
    with client, suppress(OSError):
        while True:
            client.sendall(piece)

"""Runs commands of evsup as copies of one process that has imported it."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO

import msgspec

from tests.harness.commands import server

REPOSITORY = Path(__file__).parents[3]
ANSWER_BYTES = 32


@cache
def commands() -> "Commands":
    """Those of this process of the suite."""
    return Commands()


class Commands:
    """Gives orders to the process that they are copies of. It ends with this one: then nobody gives any more."""

    def __init__(self) -> None:
        self._orders, theirs = _pair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", server.__name__, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                cwd=REPOSITORY,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )

    def run(
        self, arguments: Sequence[str], environment: Mapping[str, str], directory: Path, timeout_s: float
    ) -> subprocess.CompletedProcess[str]:
        """A command with all it wrote, when it has ended."""
        order = server.Order(arguments, environment, str(directory))
        ours, theirs = _pair()
        with ours, _file() as output, _file() as errors:
            with theirs:
                descriptors = [file.fileno() for file in (output, errors, theirs)]
                socket.send_fds(self._orders, [msgspec.json.encode(order)], descriptors)
            pid = int(ours.recv(ANSWER_BYTES))
            ours.settimeout(timeout_s)
            try:
                code = int(ours.recv(ANSWER_BYTES))
            except TimeoutError:
                os.kill(pid, signal.SIGKILL)
                raise subprocess.TimeoutExpired(arguments, timeout_s, _read(output), _read(errors)) from None
            return subprocess.CompletedProcess(arguments, code, _read(output), _read(errors))


def _pair() -> tuple[socket.socket, socket.socket]:
    """A message is read as it was sent, from whichever thread."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def _file() -> IO[bytes]:
    return os.fdopen(os.memfd_create("stream"), "w+b", buffering=0)


def _read(file: IO[bytes]) -> str:
    return os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0).decode()

"""The unix socket of a running supervisor, which belongs to its user alone: HTTP, as on `EVSUP_HTTP_ADDRESS`.

`curl --unix-socket DIRECTORY/status.sock http://evsup/status` reads it, and so does `evsup status`.
"""

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from shared.clock import Deadline
from shared.errors import ServiceUnavailable
from supervisor.state_dir import unusable
from supervisor.status.model import TreeStatus

SOCKET_NAME = "status.sock"
BACKLOG = 128  # clients that wait in the kernel to be accepted
READ_LIMIT_S = 5  # for `read_status`, from the connect to the last byte
READ_BYTES = 64 * 1024
MOST_BYTES = 16 * 1024 * 1024  # of a status; a partition takes some 2 KB
REQUEST = b"GET /status HTTP/1.1\r\nHost: evsup\r\n\r\n"


@contextmanager
def status_socket(directory: Path) -> Iterator[socket.socket]:
    """The socket, listening; its file is removed at the end. Raises ConfigurationError when it cannot be made."""
    path = directory / SOCKET_NAME
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as listener:
        mask = os.umask(0o177)  # so that it is never readable by others
        try:
            # Of a supervisor that was killed: none runs here now, for this one has the lock. A bind finds it in use.
            path.unlink(missing_ok=True)
            listener.bind(str(path))
            ours = path.stat().st_ino
        except OSError as error:
            raise unusable(directory, f"{path}: {error.strerror}") from error
        finally:
            os.umask(mask)
        listener.listen(BACKLOG)
        try:
            yield listener
        finally:
            # Only ours: where somebody has deleted the directory, another supervisor may have made its own there.
            with suppress(FileNotFoundError):
                if path.stat().st_ino == ours:
                    path.unlink()


def read_status(directory: Path) -> TreeStatus | None:
    """The status of the tree that runs with this state directory; None when none runs. Blocks for 5 s at most.

    Raises ServiceUnavailable when a supervisor runs and does not answer.
    """
    try:
        return msgspec.json.decode(_page(_read(directory / SOCKET_NAME)), type=TreeStatus)
    except (FileNotFoundError, ConnectionRefusedError):
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise ServiceUnavailable(
            f"The supervisor at {directory / SOCKET_NAME} does not answer",
            str(error),
            "Send it SIGUSR1 and read its log.",
        ) from error


def _page(answer: bytes) -> bytes:
    """Of a response. An older supervisor without HTTP sends the page alone."""
    head, _, page = answer.partition(b"\r\n\r\n")
    return page if head.startswith(b"HTTP/1.1 200 ") else answer


def _read(path: Path) -> bytes:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        deadline = Deadline.after(READ_LIMIT_S)
        # So that connect waits in a full queue: with a timeout of Python's own it fails with EAGAIN at once (unix(7)).
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", int(READ_LIMIT_S), 0))
        client.connect(str(path))
        client.settimeout(READ_LIMIT_S)
        answer = bytearray()
        # Such a supervisor sends at once and closes, without reading the request: what it sent is whole all the same.
        with suppress(BrokenPipeError, ConnectionResetError):
            client.sendall(REQUEST)
        with suppress(ConnectionResetError):
            while piece := client.recv(READ_BYTES):
                answer += piece
                if len(answer) > MOST_BYTES:
                    raise OSError("its answer does not end")
                client.settimeout(deadline.remaining_s())
        return bytes(answer)

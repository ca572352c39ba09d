"""The unix socket of a running supervisor, which belongs to its user alone: HTTP, as on `EVSUP_HTTP_ADDRESS`.

`curl --unix-socket DIRECTORY/status.sock http://evsup/status` reads it, and so does `evsup status`.
"""

import os
import socket
import struct
from contextlib import ExitStack, suppress
from pathlib import Path

import msgspec

from shared.clock import Deadline
from shared.errors import ServiceUnavailable
from shared.log.logger import get_logger
from supervisor.state_dir import failure, unusable
from supervisor.status.model import TreeStatus

SOCKET_NAME = "status.sock"
# An address holds 108 bytes with the zero at its end: https://man7.org/linux/man-pages/man7/unix.7.html
MOST_PATH_BYTES = 107
BACKLOG = 128  # clients that wait in the kernel to be accepted
READ_LIMIT_S = 5  # for `read_status`, from the connect to the last byte
READ_BYTES = 64 * 1024
MOST_BYTES = 16 * 1024 * 1024  # of a status; a partition takes some 2 KB
REQUEST = b"GET /status HTTP/1.1\r\nHost: evsup\r\n\r\n"
log = get_logger()


class StatusSocket:
    """The socket, listening. Raises as `state_dir.failure` when it cannot be made."""

    def __init__(self, directory: Path) -> None:
        self._path = _socket_path(directory)
        try:
            # Of a supervisor that was killed: none runs here now, for this one has the lock. A bind finds it in use.
            self._path.unlink(missing_ok=True)
            self._listen()
        except OSError as error:
            error.filename = str(self._path)  # which a bind does not say
            raise failure(directory, error) from error

    def renewed(self) -> socket.socket | None:
        """Another one, where somebody has deleted the file, as what cleans /tmp does; None: the file is there."""
        with suppress(OSError):  # no directory, no room: it is tried again with the next look
            if not self._path.exists():
                self._listen()
                log.warning("status_socket_renewed", path=str(self._path), reason="somebody has deleted it")
                return self.listener
        return None

    def close(self) -> None:
        """Remove the file, if it is ours: where somebody deleted the directory, another supervisor may have made its
        own there.
        """
        with suppress(FileNotFoundError):
            if self._path.stat().st_ino == self._ours:
                self._path.unlink()
        self.listener.close()

    def _listen(self) -> None:
        with ExitStack() as after_failure:
            listener = after_failure.enter_context(socket.socket(socket.AF_UNIX))  # closed by exec, as any in Python
            listener.bind(str(self._path))
            # Before it listens: until then nobody can connect, whatever the umask lets others do.
            self._path.chmod(0o600)
            listener.listen(BACKLOG)
            self.listener, self._ours = listener, self._path.stat().st_ino
            after_failure.pop_all()


def read_status(directory: Path) -> TreeStatus | None:
    """The status of the tree that runs with this state directory; None when none runs. Blocks for 5 s at most.

    Raises ServiceUnavailable when a supervisor runs and does not answer, ConfigurationError when none can run there.
    """
    path = _socket_path(directory)
    try:
        return msgspec.json.decode(_page(_read(path)), type=TreeStatus)
    except (FileNotFoundError, ConnectionRefusedError):  # a supervisor that was killed leaves its file behind
        return None
    except NotADirectoryError as error:
        raise unusable(directory, f"{path}: {error.strerror}") from error
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ServiceUnavailable(
            f"The supervisor at {path} does not answer",
            str(error),
            "Start it again: `kill -ABRT` of its pid ends it, and leaves the stacks of its threads in its log.",
        ) from error


def _socket_path(directory: Path) -> Path:
    """Raises ConfigurationError when no socket can have the path."""
    path = directory / SOCKET_NAME
    if len(os.fsencode(path)) > MOST_PATH_BYTES:
        raise unusable(directory, f"{path} is too long: a socket's path has at most {MOST_PATH_BYTES} bytes")
    return path


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

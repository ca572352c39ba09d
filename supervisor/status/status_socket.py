"""The unix socket of a running supervisor: it answers every connection with the tree's newest status as JSON."""

import os
import socket
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from shared.clock import Deadline
from shared.errors import ServiceUnavailable
from shared.log.logger import get_logger
from supervisor.state_dir import unusable
from supervisor.status.model import TreeStatus

SOCKET_NAME = "status.sock"
READ_LIMIT_S = 5  # for `read_status`, from the connect to the last byte
CLIENT_S = 2.0  # for a client to read its answer; the next client waits meanwhile
RETRY_S = 0.1  # after an `accept` that failed
READ_BYTES = 64 * 1024
MOST_BYTES = 16 * 1024 * 1024  # of a status; a partition takes some 600 bytes

log = get_logger()


class StatusServer:
    """Answers every connection to the socket with the newest status as one JSON document.

    It has a thread of its own, so that a client that does not read delays nothing else. `read` returns the newest
    status. Raises ConfigurationError when the socket cannot be made.
    """

    def __init__(self, directory: Path, read: Callable[[], TreeStatus]) -> None:
        self._path = directory / SOCKET_NAME
        self._read, self._closing = read, False
        self._encoded: tuple[TreeStatus, bytes] | None = None
        """The status that was sent last, and what was sent."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        mask = os.umask(0o177)  # so that it is never readable by others
        try:
            self._path.unlink(missing_ok=True)
            self._socket.bind(str(self._path))
        except OSError as error:
            self._socket.close()
            raise unusable(directory, f"{self._path}: {error.strerror}") from error
        finally:
            os.umask(mask)
        self._socket.listen()
        threading.Thread(target=self._serve, name="status", daemon=True).start()

    def close(self) -> None:
        """Stop answering and remove the socket."""
        self._path.unlink(missing_ok=True)
        self._closing = True
        self._socket.shutdown(socket.SHUT_RDWR)  # wakes the thread, which a close would not
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError as error:
                if self._closing:
                    return
                log.warning("status_not_answered", reason=str(error))  # no descriptor is left, for example
                time.sleep(RETRY_S)
                continue
            with client:
                self._answer(client)

    def _answer(self, client: socket.socket) -> None:
        client.settimeout(CLIENT_S)
        try:
            client.sendall(self._document(self._read()))
        except OSError as error:
            log.debug("status_reader_left", reason=str(error))

    def _document(self, status: TreeStatus) -> bytes:
        """Made once for each status: many clients may come in one turn of the tree, and wait for each other."""
        if self._encoded is None or self._encoded[0] is not status:
            self._encoded = status, msgspec.json.encode(status)
        return self._encoded[1]


def read_status(directory: Path) -> TreeStatus | None:
    """The status of the tree that runs with this state directory; None when none runs. Blocks for 5 s at most.

    Raises ServiceUnavailable when a supervisor runs and does not answer.
    """
    try:
        return msgspec.json.decode(_read(directory / SOCKET_NAME), type=TreeStatus)
    except (FileNotFoundError, ConnectionRefusedError):
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise ServiceUnavailable(
            f"The supervisor at {directory / SOCKET_NAME} does not answer",
            str(error),
            "Send it SIGUSR1 and read its log.",
        ) from error


def _read(path: Path) -> bytes:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        deadline = Deadline.after(READ_LIMIT_S)
        # So that connect waits in a full queue: with a timeout of Python's own it fails with EAGAIN at once (unix(7)).
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", int(READ_LIMIT_S), 0))
        client.connect(str(path))
        client.settimeout(READ_LIMIT_S)
        answer = bytearray()
        while piece := client.recv(READ_BYTES):
            answer += piece
            if len(answer) > MOST_BYTES:
                raise OSError("its answer does not end")
            client.settimeout(deadline.remaining_s())
        return bytes(answer)

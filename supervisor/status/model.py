"""The running tree as one value: shown by `evsup status`, written into crash reports, served over a unix socket."""

import os
import socket
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec

from shared.clock import Deadline
from shared.errors import ServiceUnavailable
from shared.ipc.messages import Counters
from shared.log.logger import get_logger
from supervisor.ownership.balance import HeldElsewhere
from supervisor.state_dir import unusable

SOCKET_NAME = "status.sock"
READER_S = 5
CLIENT_S = 2.0  # less than the next in the line waits
PAUSE_S = 0.1
READ_BYTES = 64 * 1024
MOST_BYTES = 16 * 1024 * 1024  # of a status: some 600 bytes a partition

TreeState = Literal["starting", "standby", "running", "draining"]
log = get_logger()


class PartitionStatus(Counters, frozen=True):
    """One worker: what it counts, and what the supervisor knows of it.

    The fields of its own are positional so that the JSON begins with them: msgspec puts `kw_only` fields last.
    """

    partition: str
    state: str
    pid: int
    epoch: int
    channel: str | None
    lag: int | None
    """Events in the partition that are not durable yet, as of the last event received."""
    time_to_loss_s: float | None
    """Seconds until the oldest event received and not durable may leave the hub, 0 when it may be gone already; None:
    there is none, or EVENTHUB_RETENTION_HOURS is not set."""
    rows_per_s: float
    rss_bytes: int
    age_s: float
    """Seconds since the worker's last report."""
    reported_at_s: float
    """When the worker sent it, on the host's monotonic clock: two reports give a rate."""
    lease_s: float
    """Seconds until the worker stops itself unless the lease is renewed."""


class TreeStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The supervisor and all its workers."""

    state: TreeState = "starting"
    healthy: bool = False
    cause: str | None = None
    """Why the tree stops, if it does."""
    exit_code: int = 0
    """What the process is going to end with, as far as is known."""
    host: str
    pid: int
    owner_id: str
    version: str
    uptime_s: float = 0.0
    source: str
    consumer_group: str
    target: str
    store: str
    partitions_total: int
    """Partitions of the hub, as far as this supervisor knows."""
    hub_age_s: float = 0.0
    """Seconds since the hub last said which partitions it has."""
    hub_trouble: str | None = None
    """Why it did not answer the last question."""
    table_unseen: str | None = None
    """Why nobody can see whether rows still fit the target table; None: they do, or nobody is to look."""
    unowned: tuple[str, ...] = ()
    """Partitions that nobody holds and no supervisor has room for."""
    elsewhere: tuple[HeldElsewhere, ...] = ()
    """Partitions of other supervisors. A tree that holds none beside them is a standby, and healthy."""
    partitions: tuple[PartitionStatus, ...] = ()
    rss_bytes: int = 0
    described_at_s: float = 0.0
    """The loop's last turn, on the host's monotonic clock: one that is stuck describes nothing any more."""


class StatusServer:
    """Answers every connection to the socket with the newest status as one JSON document.

    A thread of its own, so that a reader that does not read stops nobody; the loop only replaces the value.
    """

    def __init__(self, directory: Path, read: Callable[[], TreeStatus]) -> None:
        self._path = directory / SOCKET_NAME
        self._read, self._closing = read, False
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        mask = os.umask(0o177)  # 0600 from its first moment on
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
                log.warning("status_not_answered", reason=str(error))  # no descriptor is left, say, for now
                time.sleep(PAUSE_S)
                continue
            with client:
                self._answer(client)

    def _answer(self, client: socket.socket) -> None:
        client.settimeout(CLIENT_S)
        try:
            client.sendall(msgspec.json.encode(self._read()))
        except OSError as error:
            log.debug("status_reader_left", reason=str(error))


def read_status(directory: Path) -> TreeStatus | None:
    """The status of the tree that runs with this state directory; None when none runs.

    Raises when a supervisor is there and does not answer.
    """
    try:
        return msgspec.json.decode(_answer_of(directory / SOCKET_NAME), type=TreeStatus)
    except (FileNotFoundError, ConnectionRefusedError):
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise ServiceUnavailable(
            f"The supervisor at {directory / SOCKET_NAME} does not answer",
            str(error),
            "Send it SIGUSR1 and read its log.",
        ) from error


def _answer_of(path: Path) -> bytes:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        deadline = Deadline.after(READER_S)
        # To wait in a full line: with a timeout of Python's own, connect would say EAGAIN at once (unix(7)).
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", int(READER_S), 0))
        client.connect(str(path))
        client.settimeout(READER_S)
        answer = bytearray()
        while piece := client.recv(READ_BYTES):
            answer += piece
            if len(answer) > MOST_BYTES:
                raise OSError("its answer does not end")
            client.settimeout(deadline.remaining_s())
        return bytes(answer)

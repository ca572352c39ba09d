"""Starting workers as copies of a process that has imported what they need: the fork server.

A copy takes 5 ms of a processor and shares its memory, where Python and the imports take a fifth of a second. The fork
server imports no SDK that starts threads, starts none itself, and forks nothing once it has one: then, and whenever it
does not answer, a worker is spawned as any other process.

A worker is a child of the supervisor, not of the fork server. So its exit code, its death with the supervisor, and its
life without the fork server are those of a spawned one (docs/decisions/fork-server.md).
"""

import ctypes
import os
import pickle
import signal
import socket
import struct
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing import Pipe
from typing import TYPE_CHECKING, Protocol, TypeAlias

from shared.ipc import spawn
from shared.log.logger import get_logger

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

PR_SET_CHILD_SUBREAPER, PR_GET_CHILD_SUBREAPER = 36, 37  # <linux/prctl.h>
BOOT_LIMIT_S = 20.0  # a cold start of Python on a slow disk
ANSWER_LIMIT_S = 5.0  # the loop of the process tree stands still meanwhile
EXIT_S = 0.5  # for the kernel to end it; it is not waited for while it waits for a disk
MOST_BYTES = 128 * 1024  # of an order: a packet is sent whole, or not at all
ANSWER = struct.Struct("i")
"""The pid of what was forked, at first its own; the negative errno of a fork that failed; `CANNOT`."""
CANNOT = 0
GO = b"!"  # to a worker whose pid is known; without it none begins

Target: TypeAlias = Callable[..., None]
log = get_logger()


class Started(Protocol):
    """A process that was started, as of `multiprocessing`."""

    @property
    def pid(self) -> int | None:
        """Its process id."""

    @property
    def exitcode(self) -> int | None:
        """None until it has ended; negative: the signal that ended it."""

    @property
    def sentinel(self) -> int:
        """Readable when it has ended."""

    def is_alive(self) -> bool:
        """Whether it has not ended."""

    def kill(self) -> None:
        """Send SIGKILL."""

    def join(self) -> None:
        """Wait for its end."""


class ForkedProcess:
    """A `Started` that the fork server has forked, and that is a child of this process.

    `end` is that of a pipe whose other end is open for as long as the process lives.
    """

    def __init__(self, pid: int, end: "Connection[bytes, bytes]") -> None:
        self.pid, self._end = pid, end
        self.exitcode: int | None = None

    @property
    def sentinel(self) -> int:
        """As `Started`."""
        return self._end.fileno()

    def is_alive(self) -> bool:
        """As `Started`."""
        return not self._has_ended(os.WNOHANG)

    def kill(self) -> None:
        """As `Started`. Its pid is its own as long as nobody has asked for its exit code."""
        if self.is_alive():
            os.kill(self.pid, signal.SIGKILL)

    def join(self) -> None:
        """As `Started`."""
        self._has_ended()

    def _has_ended(self, options: int = 0) -> bool:
        if self.exitcode is None:
            pid, status = os.waitpid(self.pid, options)
            self.exitcode = os.waitstatus_to_exitcode(status) if pid else None
        return self.exitcode is not None


class ForkServer:
    """The supervisor's end of the fork server, whose process runs `serve(pid, pipe, requests)`.

    The copies run `target(order, pipe, *streams)`; so does what is spawned where there is no fork server. They start
    with the signals `held_back` blocked.
    """

    def __init__(self, serve: Target, target: Target, held_back: Collection[int]) -> None:
        self._target, self._held_back = target, held_back
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._process: BaseProcess | None = None
        self._is_lost = False
        with theirs:
            try:
                # Kept until the workers have exited, although it may be lost: they would take its end for that of the
                # supervisor (worker/guard.py).
                self._process, self._pipe = spawn.start(
                    serve, os.getpid(), theirs, name="evsup-fork-server", held_back=held_back
                )
            except OSError as error:
                self._lose(error)

    @property
    def pid(self) -> int | None:
        """Of its process; None: it was never started."""
        return self._process.pid if self._process else None

    def await_boot(self) -> None:
        """Wait until it has imported everything. Blocks for as long as a cold start may take."""
        if self._is_lost:
            return
        self._requests.settimeout(BOOT_LIMIT_S)
        try:
            self._answer()
            self._requests.settimeout(ANSWER_LIMIT_S)
        except OSError as error:
            self._lose(error)

    def start(
        self, order: object, *streams: "Connection[bytes, bytes]", name: str
    ) -> "tuple[Started, Connection[bytes, bytes]]":
        """As `spawn.start`."""
        request = pickle.dumps((self._target, order))
        if self._is_lost or len(request) > MOST_BYTES:
            return spawn.start(self._target, order, *streams, name=name, held_back=self._held_back)
        ours, theirs = Pipe(duplex=True)
        with ExitStack() as without_process, theirs:
            without_process.callback(ours.close)
            process = self._forked(request, theirs, *streams)
            if process:
                without_process.pop_all()
        return (process, ours) if process else self.start(order, *streams, name=name)

    def close(self) -> None:
        """End it. The workers do not need it."""
        # It exits by itself at the end of this socket. The kill is for one that hangs.
        self._requests.close()
        if self._process:
            self._process.kill()
            self._process.join(EXIT_S)

    def _forked(self, request: bytes, *streams: "Connection[bytes, bytes]") -> ForkedProcess | None:
        """None: the fork server is lost. Raises the OSError of a fork that failed."""
        end, life = Pipe(duplex=True)
        try:
            # For these moments only: other orphans are the business of PID 1.
            with life, _adopting():
                socket.send_fds(self._requests, [request], [each.fileno() for each in (life, *streams)])
                answer = self._answer()
        except OSError as error:
            end.close()  # a copy that came about all the same exits
            self._lose(error)
            return None
        if answer < 0:
            end.close()
            raise OSError(-answer, os.strerror(-answer))
        with suppress(BrokenPipeError):  # it has been killed
            os.write(end.fileno(), GO)
        return ForkedProcess(answer, end)

    def _answer(self) -> int:
        """Raises OSError when there is none, or when it is that nothing can be forked."""
        data = self._requests.recv(ANSWER.size)
        if not data:
            raise OSError("it has exited")
        answer: int = ANSWER.unpack(data)[0]
        if answer == CANNOT:
            raise OSError("it cannot fork: a library has started a thread, or the kernel gives no orphan away")
        return answer

    def _lose(self, error: OSError) -> None:
        """From now on workers are spawned. Its end is not waited for: it may wait in the kernel, for a disk."""
        log.warning("fork_server_lost", reason=str(error), consequence="workers start more slowly and share no memory")
        self._requests.close()
        if self._process:
            self._process.kill()
        self._is_lost = True


@contextmanager
def _adopting() -> Iterator[None]:
    """Orphans below this process become its children meanwhile: a worker is one when the process that forked it ends.

    https://man7.org/linux/man-pages/man2/PR_SET_CHILD_SUBREAPER.2const.html
    """
    libc, before = ctypes.CDLL(None, use_errno=True), ctypes.c_int(0)
    libc.prctl(PR_GET_CHILD_SUBREAPER, ctypes.byref(before))
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1)
    try:
        yield
    finally:
        libc.prctl(PR_SET_CHILD_SUBREAPER, before.value)

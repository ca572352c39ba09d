"""The process of the fork server: it has imported what a worker needs, and forks one at each request.

It forks twice. The process in between ends at once, so that the kernel gives the worker to the supervisor, which has
asked for orphans: the worker's parent is then the same as that of a spawned one (shared/ipc/fork_server.py).
"""

import gc
import os
import pickle
import signal
import socket
import sys
import time
from contextlib import suppress
from importlib import import_module
from multiprocessing.connection import Connection
from traceback import format_exc
from typing import TYPE_CHECKING, NoReturn

from setproctitle import setproctitle

import worker.main  # noqa: F401 (what its copies run is imported here, once)
from shared.config import environment
from shared.config.settings import Settings
from shared.control.open import store_of
from shared.errors import EvsupError, ExitCode
from shared.ipc.fork_server import ANSWER, CANNOT, GO, MOST_BYTES
from shared.limits import raise_descriptors
from shared.log.secret import mask
from worker import guard

if TYPE_CHECKING:
    from collections.abc import Sequence

TITLE = "evsup fork server"
FDS = 3  # what is open for as long as the worker lives; its pipe; its stderr
LOOK_S = 0.0005


def serve(supervisor_pid: int, pipe: "Connection[bytes, bytes]", requests: socket.socket) -> NoReturn:
    """Fork a worker at each request, until the supervisor closes its end or exits. Never returns."""
    guard.die_with(supervisor_pid)
    pipe.close()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # of the others it was started with all blocked, and keeps them so
    setproctitle(TITLE)
    with suppress(EvsupError):  # a worker reports it
        raise_descriptors(1)  # the supervisor does so later, when it knows how many partitions there are
        _import_what_is_needed(environment.load_worker())
    # What stays is not looked at again, neither here nor in a worker: the collector would write into each object, and
    # a page that is written to is shared no longer.
    gc.collect()
    gc.freeze()
    with suppress(BrokenPipeError, ConnectionResetError):  # the supervisor closed its end, and left an answer unread
        _answer_requests(supervisor_pid, requests)
    os._exit(ExitCode.OK)


def _answer_requests(supervisor_pid: int, requests: socket.socket) -> None:
    """Until there are no more. The first answer says that it has booted."""
    requests.send(ANSWER.pack(os.getpid()))
    while True:
        order, descriptors, _, _ = socket.recv_fds(requests, MOST_BYTES, FDS, socket.MSG_CMSG_CLOEXEC)
        if not order:
            return
        requests.send(ANSWER.pack(_forked(supervisor_pid, order, descriptors, requests)))
        for descriptor in descriptors:
            os.close(descriptor)


def _import_what_is_needed(settings: Settings) -> None:
    """Import what workers with other settings do not need: of Postgres 100 ms, of an identity 80."""
    if settings.control.store != "snowflake":  # its connector may start threads
        store_of(settings)  # which connects with its first call
    if not settings.eventhub.connection_string:
        import_module("azure.identity")
    if not settings.snowflake.oauth_client_id:
        import_module("cryptography.hazmat.primitives.serialization")


def _forked(supervisor_pid: int, order: bytes, descriptors: "Sequence[int]", requests: socket.socket) -> int:
    """The answer to a request."""
    if len(os.listdir("/proc/self/task")) > 1:  # noqa: PTH208 (names are all that is needed)
        return CANNOT  # a lock that another thread holds would never be free in the copy
    # Through it the worker names its pid: only its own parent, the process in between, knows it otherwise.
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as adopted:
        try:
            between = os.fork()
            if between == 0:
                requests.close()
                adopted.close()
                _fork_and_exit(supervisor_pid, order, descriptors, writer)
        except OSError as error:
            return -(error.errno or 0)
        finally:
            os.close(writer)
        code = os.waitstatus_to_exitcode(os.waitpid(between, 0)[1])
        pid = adopted.read()  # ends when the worker has closed it, or has ended
    # A negative code is the signal that ended the process in between.
    return ANSWER.unpack(pid)[0] if pid else -code if code > 0 else CANNOT


def _fork_and_exit(supervisor_pid: int, order: bytes, descriptors: "Sequence[int]", writer: int) -> NoReturn:
    """The process in between. Its exit code is the errno of a fork that failed."""
    between = os.getpid()
    try:
        is_worker = os.fork() == 0
    except OSError as error:
        os._exit(error.errno or 0)
    if not is_worker:
        os._exit(0)
    try:
        # Until the process in between has ended, and the kernel has given this one away.
        while os.getppid() == between:
            time.sleep(LOOK_S)
        if os.getppid() == supervisor_pid and _is_known(writer, descriptors[0]):
            target, argument = pickle.loads(order)  # noqa: S301 (the supervisor alone holds the other end)
            target(argument, *map(Connection, descriptors[1:]))
    except BaseException:  # noqa: BLE001 (as of a spawned one: it was not reported, and would be seen nowhere)
        print(mask(format_exc()), file=sys.stderr, flush=True)
    finally:
        os._exit(ExitCode.BUG)


def _is_known(writer: int, life: int) -> bool:
    """Say that the worker is there, and wait; whether the supervisor knows. If not, it has started another instead."""
    with suppress(BrokenPipeError):  # the fork server has been killed
        os.write(writer, ANSWER.pack(os.getpid()))
    os.close(writer)
    return bool(os.read(life, len(GO)))

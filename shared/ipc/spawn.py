"""Starting a process with a pipe to it.

A process with threads is never forked: the streaming SDK starts native ones on import, and after a fork appends "work"
while every wait hangs. Workers are copies of a process without any (`shared.ipc.fork_server`), which is spawned itself.
https://docs.python.org/3/library/multiprocessing.html#contexts-and-start-methods
"""

import os
import signal
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing import get_context, resource_tracker
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

_spawn = get_context("spawn")


def start(
    target: Callable[..., None],
    order: object,
    *streams: object,
    name: str,
    held_back: Collection[int],
    daemon: bool = False,
) -> "tuple[BaseProcess, Connection[bytes, bytes]]":
    """Run `target(order, pipe, *streams)` in a process that starts with these signals blocked. Returns it and our end
    of the pipe.

    Raises the kernel's OSError (see `limits.start_limit_error`), and then leaves no descriptor open and no signal
    blocked.
    """
    _leave_deleted_directory()
    ours, theirs = _spawn.Pipe(duplex=True)
    with ExitStack() as after_failure, theirs:
        after_failure.callback(ours.close)
        process = _spawn.Process(target=target, args=(order, theirs, *streams), name=name, daemon=daemon)
        with _blocked(held_back):
            process.start()
        after_failure.pop_all()
    return process, ours


def _leave_deleted_directory() -> None:
    """A process begins in the working directory of ours, and cannot in one that was deleted, as by a new release.
    Nothing is lost: no relative path leads anywhere from there.
    """
    try:
        os.getcwd()  # noqa: PTH109 (only whether there is one)
    except FileNotFoundError:
        os.chdir("/")


@contextmanager
def _blocked(signals: Collection[int]) -> Iterator[None]:
    """A process started meanwhile inherits the mask: a signal to the group must not end it before it ignores that."""
    # The first start would do it, and unblock SIGINT and SIGTERM after that:
    # https://github.com/python/cpython/blob/3.11/Lib/multiprocessing/resource_tracker.py
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

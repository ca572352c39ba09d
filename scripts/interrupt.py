"""Ctrl-C, SIGTERM and SIGHUP are KeyboardInterrupt in a script, but never in the middle of a start.

`Popen` returns when the kernel has loaded the program, which takes a moment on a busy machine. An exception in it would
leave a process that nobody knows, and that nobody ends.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _Starts:
    """Those of the main thread, which alone handles signals."""

    under_way = 0
    is_interrupted = False


def take_signals() -> None:
    """Raise KeyboardInterrupt in the main thread at the first signal, and ignore the others."""
    for number in SIGNALS:
        signal.signal(number, _take)


@contextmanager
def held_back() -> Iterator[None]:
    """A signal waits for the end of this block, in which a process is started and noted down."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _Starts.under_way += 1
    try:
        yield
    finally:
        _Starts.under_way -= 1
        if _Starts.is_interrupted and not _Starts.under_way:
            _interrupt()


def _take(_number: int, _frame: FrameType | None) -> None:
    if _Starts.under_way:
        _Starts.is_interrupted = True
    else:
        _interrupt()


def _interrupt() -> NoReturn:
    """A second Ctrl-C must not end the cleaning up."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt

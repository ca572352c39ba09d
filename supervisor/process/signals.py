"""Signals as something that a loop can wait for: handlers only put them into a queue, and a pipe wakes the loop."""

import os
import signal
from collections import deque
from types import FrameType

from shared.errors import ExitCode

STOPPING = (signal.SIGTERM, signal.SIGINT)
HANDLED = (*STOPPING, signal.SIGUSR1)


def exit_on_stop_signal() -> None:
    """Until there is an inbox, SIGTERM and SIGINT end the process at once, with 0: nothing has been claimed yet."""
    for number in STOPPING:
        signal.signal(number, lambda *_: os._exit(ExitCode.OK))
    for number in (signal.SIGHUP, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)


def ignore_signals() -> None:
    """From here on a signal changes nothing: everything is released, and only last line and exit code are left.

    While it shuts down, the interpreter restores the default action of every signal that has a handler, but not of one
    that is ignored: without this, a late SIGTERM would replace the exit code.
    https://github.com/python/cpython/blob/3.11/Modules/signalmodule.c (`_PySignal_Fini`)
    """
    for number in HANDLED:
        signal.signal(number, signal.SIG_IGN)


class SignalInbox:
    """Receives the signals of the supervisor in its main thread.

    Without `set_wakeup_fd` a signal waits for the end of the loop's timeout: the interpreter runs handlers between
    bytecodes, and `connection.wait` is one (https://docs.python.org/3/library/signal.html#signal.set_wakeup_fd).
    """

    def __init__(self, queue: deque[int] | None = None) -> None:
        self._received = deque[int]() if queue is None else queue
        # Non-blocking at both ends: the interpreter must not wait for room in a handler, nor `receive` for a byte.
        self._reader, self._writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        # A full pipe wakes the loop as well as one more byte would; the signals themselves are in the queue.
        signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        for number in HANDLED:
            signal.signal(number, self._enqueue)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def fileno(self) -> int:
        """For `multiprocessing.connection.wait`."""
        return self._reader

    def receive(self) -> list[int]:
        """The signals that have arrived since the last call, in order."""
        try:
            # The pipe first, the queue after it. The other way round, a signal that comes in between would lose its
            # byte here and wait in the queue until something else wakes the loop.
            while os.read(self._reader, 512):
                continue
        except BlockingIOError:
            pass
        received = []
        while self._received:  # one by one: a handler runs between any two steps of this, and adds another
            received.append(self._received.popleft())
        return received

    def _enqueue(self, number: int, _: FrameType | None) -> None:
        self._received.append(number)

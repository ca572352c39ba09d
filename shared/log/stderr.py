"""Standard error that never blocks and never fails.

A pipe whose reader stopped reading (`evsup start 2>&1 | less`), a full disk or a closed terminal must not cost a
lease. So lines go through a bounded queue to a thread, which alone may block; what finds the queue full, or cannot be
written, is dropped and counted. `O_NONBLOCK` is no way out: it belongs to the open file, which the shell and all
children share (https://man7.org/linux/man-pages/man2/open.2.html).
"""

import os
from queue import SimpleQueue
from threading import Event, Thread

FILE_DESCRIPTOR = 2
MOST_LINES = 10_000  # some 3 MB; a burst of a worker's log is a few hundred


class _LastLine(bytes):
    """Nothing is written after this one."""


class Stderr:
    """A writer of whole lines to a file descriptor. Thread-safe, and callable from a signal handler."""

    def __init__(self, file_descriptor: int = FILE_DESCRIPTOR, most_lines: int = MOST_LINES) -> None:
        self._file_descriptor = file_descriptor
        self._most_lines = most_lines
        self._queue: SimpleQueue[bytes | Event] = SimpleQueue()  # reentrant, which Queue is not
        self._dropped = 0
        self._is_cut = False
        self._ended = False
        Thread(target=self._run, name="stderr", daemon=True).start()

    def write(self, line: str) -> None:
        """Queue one line (the line break is added). Returns at once, raises nothing."""
        if self._queue.qsize() >= self._most_lines:
            self._dropped += 1
            return
        self._queue.put(_encoded(line))

    def end(self, line: str, timeout_s: float) -> bool:
        """Write a last line and nothing after it: a thread that is still stuck in a call may have something to say when
        it comes back, but the last line is the one that people and alerts read. Waits and returns as `flush` does.
        """
        # Without a look at the limit: the reason for the end is worth more than any line before.
        self._queue.put(_LastLine(_encoded(line)))
        return self.flush(timeout_s)

    def flush(self, timeout_s: float) -> bool:
        """Wait until all lines queued so far are written or given up, for `timeout_s` at most; whether they are.

        To be called before `os._exit`, which leaves the thread no time.
        """
        written = Event()
        self._queue.put(written)
        return written.wait(timeout_s)

    def _run(self) -> None:
        while True:
            self._write_next()

    def _write_next(self) -> None:
        match self._queue.get():
            case Event() as written:
                written.set()
            case bytes() as line if not self._ended:
                self._ended = isinstance(line, _LastLine)
                try:
                    self._write_all(self._report() + line)
                except OSError:
                    self._dropped += 1

    def _write_all(self, content: bytes) -> None:
        if self._is_cut:  # a disk that is full takes a part of a line: the next one begins on a line of its own
            content = b"\n" + content
        while content:
            written = os.write(self._file_descriptor, content)
            self._is_cut, content = content[:written][-1:] != b"\n", content[written:]

    def _report(self) -> bytes:
        dropped, self._dropped = self._dropped, 0
        return f"evsup: {dropped} log lines could not be written here\n".encode() if dropped else b""


def _encoded(line: str) -> bytes:
    return f"{line}\n".encode(errors="backslashreplace")

"""Standard output and standard error of a command: what becomes of them never takes the place of its exit code.

Without this, click ends a command with 1 on any closed pipe, rich does the same, and a full disk is a traceback; to
`evsup status`, 1 means degraded. Both libraries write to `sys.stdout`, so the answer is given once, below it:

- nobody reads any more (`| head -1`), or the stream was closed at the start (`>&-`): the rest is dropped, and the
  command goes on to its own exit code, as it would with `> /dev/null`;
- the stream takes nothing (`> /dev/full`, a full disk): `OutputLost`, exit 75;
- standard error takes nothing: no message is worth more than the exit code, so it is dropped.
"""

import io
import os
import select
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

from shared.errors import OutputLost

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

STDOUT, STDERR = 1, 2


def install() -> None:
    """Put them in the place of Python's own, which are None where a stream was closed at the start."""
    sys.stdout = _text(_Output(STDOUT, "wb", closefd=False), sys.stdout)
    sys.stderr = _text(_Errors(STDERR, "wb", closefd=False), sys.stderr)


def is_unread() -> bool:
    """Whether standard output is a pipe whose reader has gone: for a command that would otherwise write for ever."""
    look = select.poll()
    look.register(STDOUT, 0)
    return any(event & select.POLLERR for _, event in look.poll(0))


def _text(raw: io.FileIO, before: TextIO | None) -> io.TextIOWrapper:
    """What the encoding has no character for is escaped: a table is worth more than a UnicodeEncodeError."""
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=before.encoding if before else "utf-8",
        errors="backslashreplace",
        line_buffering=raw.isatty(),
    )


class _Output(io.FileIO):
    def write(self, content: "ReadableBuffer") -> int:
        """All that one write takes. Raises `OutputLost`, which neither click nor rich knows and so both let pass."""
        try:
            return _write_some(super().write, STDOUT, content)
        except BrokenPipeError:
            _drop_the_rest()
            return memoryview(content).nbytes
        except OSError as error:
            _drop_the_rest()  # or Python tries again at its end, and exits with 120
            raise OutputLost(
                "The output could not be written",
                f"standard output: {error.strerror}",
                "Make room or write it elsewhere, and run the command again; what it did so far stays done.",
            ) from error


class _Errors(io.FileIO):
    def write(self, content: "ReadableBuffer") -> int:
        """All that one write takes, or nothing of it."""
        try:
            return _write_some(super().write, STDERR, content)
        except OSError:
            return memoryview(content).nbytes


def _write_some(write: Callable[["ReadableBuffer"], int | None], descriptor: int, content: "ReadableBuffer") -> int:
    """Wait for room where somebody has made the stream non-blocking: then a write takes nothing and gives None."""
    while (written := write(content)) is None:
        room = select.poll()
        room.register(descriptor, select.POLLOUT)
        room.poll()
    return written


def _drop_the_rest() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    os.dup2(nowhere, STDOUT)
    os.close(nowhere)

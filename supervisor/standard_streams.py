"""Standard output and standard error of a command. A stream that fails must not change the command's exit code.

Otherwise click and rich end a command with 1 on any closed pipe, which means degraded for `evsup status`, and a full
disk ends it with a traceback. Both libraries write to `sys.stdout`, so this module replaces it:

- Standard output has no reader any more (`| head -1`), or was closed at the start (`>&-`): the rest is dropped, and
  the command ends with its own exit code, as with `> /dev/null`.
- Standard output cannot be written (`> /dev/full`, a full disk): `OutputLost`, exit 75.
- Standard error cannot be written: the message is dropped, because the exit code matters more.
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
STANDARD_DESCRIPTORS = 3


def open_closed() -> None:
    """Open /dev/null where `2>&-` closed a stream. The next open file, such as a database, would get its descriptor."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) < STANDARD_DESCRIPTORS:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)


def install() -> None:
    """Replace Python's own streams, which are None where one was closed at the start. `open_closed` comes before."""
    sys.stdout = _text(_Output(STDOUT, "wb", closefd=False), sys.stdout)
    sys.stderr = _text(_Errors(STDERR, "wb", closefd=False), sys.stderr)


_is_dropping = False


def is_unread() -> bool:
    """Whether standard output has no reader any more. A command that writes for ever has to ask."""
    if _is_dropping:
        return True
    look = select.poll()
    look.register(STDOUT, 0)
    return any(event & select.POLLERR for _, event in look.poll(0))


def _text(raw: io.FileIO, before: TextIO | None) -> io.TextIOWrapper:
    """A text stream. Characters that its encoding does not have are escaped instead of an error."""
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=before.encoding if before else "utf-8",
        errors="backslashreplace",
        line_buffering=raw.isatty(),
    )


class _Output(io.FileIO):
    def write(self, content: "ReadableBuffer") -> int:
        """Write what one call takes. Raises `OutputLost`, which click and rich do not catch."""
        try:
            return _write_some(super().write, STDOUT, content)
        except BrokenPipeError:
            _drop_the_rest()
            return memoryview(content).nbytes
        except OSError as error:
            _drop_the_rest()  # otherwise Python tries again when it exits, and exits with 120
            raise OutputLost(
                "The output could not be written",
                f"standard output: {error.strerror}",
                "Make room, or write the output elsewhere, and run the command again. What it did so far stays done.",
            ) from error


class _Errors(io.FileIO):
    def write(self, content: "ReadableBuffer") -> int:
        """Write what one call takes, and drop it on an error."""
        try:
            return _write_some(super().write, STDERR, content)
        except OSError:
            return memoryview(content).nbytes


def _write_some(write: Callable[["ReadableBuffer"], int | None], descriptor: int, content: "ReadableBuffer") -> int:
    """Write, and wait for room where the stream is non-blocking: a write then returns None."""
    while (written := write(content)) is None:
        room = select.poll()
        room.register(descriptor, select.POLLOUT)
        room.poll()
    return written


def _drop_the_rest() -> None:
    global _is_dropping  # noqa: PLW0603 (a process has one standard output)
    _is_dropping = True
    nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    os.dup2(nowhere, STDOUT)
    os.close(nowhere)

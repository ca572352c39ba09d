"""The stderr of a worker: passed on to the supervisor's stderr line by line, and kept for a crash report."""

import json
import os
from collections import deque
from typing import TYPE_CHECKING, Any

from shared.log.logger import relay
from shared.log.recent import is_event
from shared.log.secret import MASK, mask

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

STDERR_LINES = 20  # kept for the crash report
STACK_LINES = 1000  # of all threads: some 20 of them, with some 10 frames each
READ_BYTES = 16 * 1024  # a turn: masking them takes 5 ms, and the other workers wait meanwhile
LONGEST_LINE = 64 * 1024  # a line without an end is cut here
MOST_NAMES = 200  # of values in a line of JSON: to mask each for itself takes 20 µs


class StderrRelay:
    """Reads a worker's stderr without ever blocking. `origin` says in a line that was not logged whose it is."""

    def __init__(self, stream: "Connection[bytes, bytes]", origin: str) -> None:
        self._stream, self._origin = stream, origin
        self._rest = b""
        self.lines: deque[str] = deque(maxlen=STDERR_LINES)
        """The last lines that the worker wrote, but for its stacks."""
        self.stacks: deque[str] = deque(maxlen=STACK_LINES)
        """Where the threads of a worker stood that was asked for it because it seemed to hang."""
        os.set_blocking(stream.fileno(), False)

    def fileno(self) -> int:
        """For `multiprocessing.connection.wait`, until it is closed."""
        return self._stream.fileno()

    @property
    def closed(self) -> bool:
        """Whether the worker has closed its end, and everything was read."""
        return self._stream.closed

    def read(self, *, are_stacks: bool) -> None:
        """Pass on what has arrived; `are_stacks` says where to keep it.

        Not more than 16 KiB a call: a worker that writes without a pause must not keep the loop from its siblings.
        """
        if self.closed:
            return
        try:
            piece = os.read(self.fileno(), READ_BYTES)
        except BlockingIOError:
            return
        kept = self.stacks if are_stacks else self.lines
        for line in self._lines(piece):
            text = _masked(line.decode(errors="replace"))  # evsup's own are masked already, a native library's not
            kept.append(text)
            relay(text if text.startswith("{") or is_event(text) else f"{self._origin}: {text}")  # JSON stays JSON
        if not piece:
            self.close()

    def _lines(self, piece: bytes) -> list[bytes]:
        """The lines that are whole now. At the end of the stream the rest is one, too."""
        # Whole lines only: a credential that is cut in two would not be masked.
        *lines, self._rest = (self._rest + piece).split(b"\n")
        if self._rest and (not piece or len(self._rest) > LONGEST_LINE):
            lines, self._rest = [*lines, self._rest], b""
        return lines

    def close(self) -> None:
        """Read no more."""
        self._stream.close()


def _masked(line: str) -> str:
    """JSON is masked value by value. What looks like a password ends at the next blank: in a whole line the quote
    behind it, and what follows, would be taken for a part of it.
    """
    text = mask(line)
    if text == line or line[:1] != "{" or line.count('":') > MOST_NAMES:
        return text
    try:
        return json.dumps(_shown("", json.loads(line)))
    except (ValueError, RecursionError):
        return text


def _shown(name: str, value: Any) -> Any:
    match value:
        case dict():
            return {mask(key): _shown(key, item) for key, item in value.items()}
        case list():
            return [_shown(name, item) for item in value]
        case None:
            return None
    if mask(f"{name}=x") != f"{name}=x":
        return MASK
    return mask(value) if isinstance(value, str) else value

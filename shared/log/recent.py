"""The last lines of a process's log, kept for whoever looks: a bounded number of them, each of a bounded length."""

import json
import re
from collections import deque
from collections.abc import Mapping
from threading import RLock

from msgspec import Struct
from msgspec.structs import replace

from shared.log.line import HEAD
from shared.log.printable import printable

MOST_LINES = 60
LONGEST_TEXT = 1000  # characters; so all lines together are at most 0.25 MB
LONGEST_NAME = 50  # of an event, a level, a time
OTHERS = ("pid",)  # in every line, and of no use beside a partition

_AS_TEXT = re.compile(r"(\S+) \[(\w+) *\] (\w+) *(.*)", re.DOTALL)  # of `shared.log.line.as_text`


class LogLine(Struct, frozen=True):
    """One line of the log. What a native library wrote has only a text."""

    timestamp: str
    """UTC, as ISO 8601; empty: it has none."""
    level: str
    """`debug`, `info`, `warning`, `error`; empty: it has none."""
    event: str
    """Name of the event; empty: it has none."""
    text: str
    """Its ids and values, shortened."""


class RecentLines:
    """Keeps the newest lines. Thread-safe, and callable from a signal handler."""

    def __init__(self, most_lines: int = MOST_LINES) -> None:
        self._lines: deque[LogLine] = deque(maxlen=most_lines)
        self._lock = RLock()  # a signal handler may log while its own thread holds it

    def lines(self) -> tuple[LogLine, ...]:
        """The oldest first."""
        with self._lock:
            return tuple(self._lines)

    def add(self, event: Mapping[str, object]) -> None:
        """Keep an event of this process. Its values have been masked."""
        with self._lock:
            self._lines.append(_line(event))

    def add_rendered(self, line: str) -> None:
        """Keep a line that another process has rendered, as JSON or as text, or one that is not from a log."""
        found = _parsed(line)
        with self._lock:
            # A stack is many lines of one thing: together they take the place of one.
            if not found.level and self._lines and not self._lines[-1].level:
                before = self._lines.pop()
                found = replace(before, text=_shortened(f"{before.text}\n{found.text}"))
            self._lines.append(found)


def is_event(line: str) -> bool:
    """Whether a line was logged, and was not written by a native library, by Python about its end, or as a stack."""
    return bool(_parsed(line).level)


def _parsed(line: str) -> LogLine:
    if line.startswith("{"):
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            event = {}
        if all(isinstance(event.get(key), str) for key in HEAD):
            return _line(event)
    if found := _AS_TEXT.fullmatch(line):
        time, level, event_name, text = found.groups()
        return LogLine(time, level, event_name, _shortened(text))
    return LogLine("", "", "", _shortened(line))


def _line(event: Mapping[str, object]) -> LogLine:
    values = (f"{key}={value}" for key, value in event.items() if key not in (*HEAD, *OTHERS))
    time, level, name = (printable(str(event[key])[:LONGEST_NAME]) for key in HEAD)
    return LogLine(time, level, name, _shortened(" ".join(values)))


def _shortened(text: str) -> str:
    text = printable(text[: LONGEST_TEXT + 1])
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…"

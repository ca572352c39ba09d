"""JSON lines: several JSON values, one a line, as one array. Stream Analytics writes them by default.

Each line that is not empty is one JSON value, and there are two or more. Otherwise the body is no JSON lines: half of
it would be a guess at the rest.
https://learn.microsoft.com/azure/stream-analytics/event-hubs-output
https://jsonlines.org
"""

from collections.abc import Iterator
from typing import Any

from worker.bodies.payload import LARGE, UNREAD, UTF8_BOM, WHITESPACE, NotPayload, payload

LF = b"\n"


class NotALine(NotPayload):
    """A line is no JSON that PAYLOAD can hold."""

    def __init__(self, number: int, reason: str) -> None:
        super().__init__(f"line {number}: {reason}")
        self.number = number


def array_of(body: bytes) -> tuple[bytes, Any]:
    """The array of the lines as `payload` gives it; raises `NotPayload`, and `NotALine` where a line is to blame."""
    array, values, count = bytearray(b"["), list[Any](), 0
    is_small = len(body) <= LARGE
    for number, line in _lines(body):
        text, value = _read(number, line)
        array += text + b","
        count += 1
        if is_small:  # the values of a large body would take many times its memory
            values.append(value)
    if count < 2:
        raise NotPayload("it is one line")
    array[-1:] = b"]"
    return bytes(array), values if is_small else UNREAD


def _lines(body: bytes) -> Iterator[tuple[int, bytes]]:
    """Each line that is not empty, and its number. One at a time: a large body may have millions."""
    at, number = len(UTF8_BOM) if body.startswith(UTF8_BOM) else 0, 0
    while at < len(body):
        end = body.find(LF, at)
        end = len(body) if end < 0 else end
        number += 1
        if line := body[at:end].strip(WHITESPACE):
            yield number, line
        at = end + 1


def _read(number: int, line: bytes) -> tuple[bytes, Any]:
    """A line as `payload` gives it. Each is checked for itself: one at a time they are small, and quick to check."""
    if line.startswith(UTF8_BOM):  # that of the body is gone, and `payload` allows one
        raise NotALine(number, "a byte order mark is in front of it")
    try:
        return payload(line, around=1)
    except NotPayload as why:
        raise NotALine(number, str(why)) from None

"""JSON lines: several JSON values, one a line, as one array. Stream Analytics writes them by default.

Each line that is not empty is one JSON value, and there are two or more. Otherwise the body is no JSON lines: half of
it would be a guess at the rest.
https://learn.microsoft.com/azure/stream-analytics/event-hubs-output
https://jsonlines.org
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from worker.bodies.payload import UTF8_BOM, WHITESPACE, NotPayload, payload

LF = b"\n"

_skip = msgspec.json.Decoder(msgspec.Raw).decode  # checks, and builds nothing


class NotALine(NotPayload):
    """A line is no JSON that PAYLOAD can hold."""

    def __init__(self, number: int, reason: str) -> None:
        super().__init__(f"line {number}: {reason}")
        self.number = number


def array_of(body: bytes) -> tuple[bytes, Any]:
    """The array of the lines as `payload` gives it; raises `NotPayload`, and `NotALine` where a line is to blame."""
    array, count = bytearray(b"["), 0
    for number, line in _lines(body):
        try:
            _skip(line)
        except (msgspec.DecodeError, RecursionError):
            raise NotALine(number, _problem(line)) from None
        array += line + b","
        count += 1
    if count < 2:
        raise NotPayload("it is one line")
    array[-1:] = b"]"
    try:
        return payload(bytes(array))
    except NotPayload:
        for number, line in _lines(body):
            if problem := _problem(line):
                raise NotALine(number, problem) from None
        raise


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


def _problem(line: bytes) -> str:
    if line.startswith(UTF8_BOM):  # that of the body is gone, and `payload` allows one
        return "a byte order mark is in front of it"
    try:
        payload(line)
    except NotPayload as why:
        return str(why)
    return ""

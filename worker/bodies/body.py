"""The body of an event as its row takes it: one line of JSON, or the bytes as they came and why they are no JSON."""

from typing import Any

import msgspec

from worker.bodies.payload import UNREAD


class Body(msgspec.Struct, frozen=True, gc=False):
    """A body that was read. It has `json`, or a `reason`, or neither: then it is empty."""

    json: bytes = b""
    """One line."""
    value: Any = UNREAD
    """The value of the JSON; `UNREAD` where nobody needed it so far."""
    raw: bytes = b""
    """The bytes as they came, where they are no JSON."""
    reason: str | None = None
    """Why they are no JSON."""


TOMBSTONE = Body()
"""An empty body: in a log of keys it says that the key was deleted, and in no log is it an error."""

"""The body of an event as its row takes it: one line of JSON, or the bytes as they came and why they are no JSON."""

from typing import Any

import msgspec

from worker.rows.message import Message
from worker.rows.payload import UNREAD, NotPayload, payload
from worker.rows.variant import encode, variant


class Body(msgspec.Struct, frozen=True, gc=False):
    """A body that was read. It is JSON unless there is a reason."""

    json: bytes = b""
    """One line."""
    value: Any = UNREAD
    """The value of the JSON; `UNREAD` where nobody needed it so far."""
    raw: bytes = b""
    """The bytes as they came, where they are no JSON."""
    reason: str | None = None
    """Why they are no JSON."""


def body(message: Message) -> Body:
    """The body of a message. AMQP value and sequence bodies are typed already: their JSON is built here. AMQP's null is
    JSON's. So each event has a body, and a row without one is seen to have lost it: Snowflake drops a field that has no
    column.
    """
    if message.data:
        return of_data(b"".join(message.data))
    return Body(encode(variant(message.sequences or message.value)))


def of_data(data: bytes) -> Body:
    """The body of bytes."""
    try:
        return Body(*payload(data))
    except NotPayload as why:
        return Body(raw=data, reason=str(why))

"""Application properties as the JSON of a row, in one pass over their bytes where their names are short texts."""

from typing import Any

from worker.rows import amqp
from worker.rows.amqp import DECODERS, TEXT8
from worker.rows.message import CONTENT_TYPE_HEADER
from worker.rows.variant import DEEPEST, encode, variant

NUL = b"\\u0000"  # as JSON has it
MAY_SAY_AVRO = CONTENT_TYPE_HEADER.decode()


def properties(message: bytes, at: int) -> tuple[bytes, int]:
    """The JSON of the map at `at`, empty where it has no property, and where it ends.

    Raises `Rare` for what this pass does not know, and what a decoder raises: the slow way gives the same row.
    """
    count, end = amqp.map_size(message, at)
    at += amqp.MAP_HEADS[message[at]]
    named: dict[str, Any] = {}
    for _ in range(count // 2):
        if message[at] not in TEXT8:
            raise amqp.Rare
        stop = at + 2 + message[at + 1]
        name, at = message[at + 2 : stop].decode(), stop
        if message[at] in TEXT8:  # as most values are: without a call
            stop = at + 2 + message[at + 1]
            named[name], at = message[at + 2 : stop].decode(), stop
        else:
            value, at = DECODERS[message[at]](message, at + 1)
            named[name] = variant(value, DEEPEST - 1)
    json = encode(named)
    # For the slow way to tell: a name twice, a count that is wrong, a character that no VARIANT can hold, and a body
    # that may be Avro, whose bytes may be JSON.
    if at != end or 2 * len(named) != count or NUL in json or MAY_SAY_AVRO in named:
        raise amqp.Rare
    return json if named else b"", end

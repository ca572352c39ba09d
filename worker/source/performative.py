"""The performative of a frame, whichever way it is written, as the SDK's functions take it.

They count on what Event Hubs writes: a number of one byte for the performative, and a list of all of its fields. AMQP
allows a name as well, and leaves out the last fields where they are null. The SDK's own decoder takes that for another
frame, or raises an error of its own in place of what the hub says.
https://docs.oasis-open.org/amqp/core/v1.0/os/amqp-core-types-v1.0-os.html#section-composite-type-representation
"""

from typing import Any

from worker.rows import amqp

OPEN, BEGIN, ATTACH, FLOW, TRANSFER, DISPOSITION, DETACH, END, CLOSE = range(0x10, 0x19)
FIELDS = {OPEN: 10, BEGIN: 8, ATTACH: 14, FLOW: 11, TRANSFER: 11, DISPOSITION: 6, DETACH: 3, END: 1, CLOSE: 1}
ERROR_FIELDS = 3  # condition, description, info
NAMES = {
    b"amqp:open:list": OPEN,
    b"amqp:begin:list": BEGIN,
    b"amqp:attach:list": ATTACH,
    b"amqp:flow:list": FLOW,
    b"amqp:transfer:list": TRANSFER,
    b"amqp:disposition:list": DISPOSITION,
    b"amqp:detach:list": DETACH,
    b"amqp:end:list": END,
    b"amqp:close:list": CLOSE,
}


def decode(body: bytes) -> tuple[int, list[Any]]:
    """The code of the performative, and its fields: all of them, and behind those of a transfer its payload.

    Raises `Malformed`, and whatever the SDK's decoder raises.
    """
    start = amqp.end_of(body, 1)
    end = amqp.end_of(body, start)
    code = amqp.descriptor(body, 0, NAMES)
    fields = _filled(amqp.value_by_sdk(body, start, end), FIELDS[code])
    if code == CLOSE and fields[0]:  # of a detach the SDK minds itself which fields the error has
        fields[0] = _filled(fields[0], ERROR_FIELDS)
    if code == TRANSFER:
        fields.append(memoryview(body)[end:])
    return code, fields


def _filled(values: list[Any], count: int) -> list[Any]:
    """A list with null for each value that was left out at its end."""
    return values + [None] * (count - len(values))

"""Events as encoded messages: split when published, joined again when stored, never encoded anew.

Whatever a publisher sent (properties, application properties, bodies of any number of sections) passes through byte
for byte; the hub adds its annotations. Section layout:
https://docs.oasis-open.org/amqp/core/v1.0/os/amqp-core-messaging-v1.0-os.html
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from scripts.localcloud.hub.wire import values

BATCH_FORMAT = 0x80013700
"""Message format of a batch: every data section is a whole encoded message."""

_DELIVERY_ANNOTATIONS = 0x71
_ANNOTATIONS = 0x72
_PROPERTIES = 0x73
_APPLICATION_PROPERTIES = 0x74
_DATA = 0x75
_SECTIONS = range(0x70, 0x79)
# These reach a receiver as they were sent, and so do delivery annotations; the header ends at the hub. Source: the live
# test `test_send_amqp_annotated_message` of azure-eventhub.
_KEPT = (_PROPERTIES, _APPLICATION_PROPERTIES, _DATA, 0x76, 0x77, 0x78)

SEQUENCE_NUMBER = "x-opt-sequence-number"
OFFSET = "x-opt-offset"
ENQUEUED_TIME = "x-opt-enqueued-time"
PARTITION_KEY = "x-opt-partition-key"
_OWN = frozenset({SEQUENCE_NUMBER, OFFSET, ENQUEUED_TIME, PARTITION_KEY, "x-opt-publisher"})


@dataclass(frozen=True, slots=True)
class Published:
    """An event as a publisher sent it.

    `tail` holds the encoded sections from properties on, `annotations` the encoded pairs that are the publisher's own
    (`annotation_count` of them).
    """

    tail: bytes
    partition_key: str | None = None
    annotations: bytes = b""
    annotation_count: int = 0
    delivery: bytes = b""
    """The encoded section of delivery annotations."""


def sections(message: bytes) -> list[tuple[int, int, int, int]]:
    """Cut a message into its sections: (code, start, start of the value, end) of each."""
    found, at = [], 0
    while at < len(message):
        if message[at] != 0:
            raise values.MalformedValueError(f"No message section at byte {at}.")
        code, inner = values.decode(message, at + 1)
        if not isinstance(code, int) or code not in _SECTIONS:
            raise values.MalformedValueError(f"Section {code!r} is not one of a message.")
        end = values.skip(message, inner)
        if end > len(message):
            raise values.MalformedValueError(f"Section 0x{code:x} is longer than the message.")
        found.append((code, at, inner, end))
        at = end
    return found


def section_value(message: bytes, wanted: int) -> object:
    """Return the decoded value of a section, or None where there is no such section."""
    for code, _, inner, _ in sections(message):
        if code == wanted:
            return values.decode(message, inner)[0]
    return None


def application_properties(message: bytes) -> dict[str, object]:
    """Return the application properties of a message."""
    found = section_value(message, _APPLICATION_PROPERTIES)
    return {str(key): value for key, value in found.items()} if isinstance(found, dict) else {}


def body_value(message: bytes) -> object:
    """Return the value of a message whose body is an AMQP value."""
    return section_value(message, 0x77)


def raw_property(message: bytes, index: int) -> bytes:
    """Return one field of the properties section as it was encoded (0 is message-id, 4 reply-to)."""
    for code, _, inner, _ in sections(message):
        if code == _PROPERTIES:
            items, _ = values.raw_items(message, inner)
            return items[index] if index < len(items) else values.NULL
    return values.NULL


def read(message: bytes) -> Published:
    """Take a published message apart into what is kept."""
    cut = sections(message)
    tail = b"".join(message[start:end] for wanted in _KEPT for code, start, _, end in cut if code == wanted)
    made = Published(tail)
    for code, start, inner, end in cut:
        if code == _ANNOTATIONS:
            made = _annotated(made, values.raw_items(message, inner)[0])
        elif code == _DELIVERY_ANNOTATIONS:
            made = replace(made, delivery=message[start:end])
    return made


def read_batch(message: bytes) -> list[Published]:
    """Take a batch apart; a partition key on the batch holds for its events."""
    key = read(message).partition_key
    events = []
    for code, _, inner, _ in sections(message):
        if code == _DATA:
            inside, _ = values.decode(message, inner)
            if not isinstance(inside, bytes):
                raise values.MalformedValueError("A data section must be binary.")
            one = read(inside)
            events.append(replace(one, partition_key=one.partition_key or key))
    return events


def data(
    body: bytes,
    content_type: str = "",
    partition_key: str | None = None,
    properties: Mapping[str, str] = MappingProxyType({}),
) -> Published:
    """Make an event of one body, as a publisher would have encoded it."""
    head = b""
    if content_type:
        fields = [values.NULL] * 6 + [values.symbol(content_type)] + [values.NULL] * 6
        head = values.described(_PROPERTIES, values.listing(fields))
    if properties:
        entries = {name: values.string(text) for name, text in properties.items()}
        head += values.described(_APPLICATION_PROPERTIES, values.texts(entries))
    return Published(head + values.described(_DATA, values.binary(body)), partition_key)


def stored(event: Published, sequence_number: int | None, offset: int, enqueued_ms: int) -> bytes:
    """Encode an event as receivers get it; without a sequence number the annotation is left out."""
    pairs = _OFFSET_KEY + values.string(str(offset)) + _TIME_KEY + values.timestamp(enqueued_ms)
    count = 2 + event.annotation_count
    if sequence_number is not None:
        pairs = _SEQUENCE_KEY + values.long(sequence_number) + pairs
        count += 1
    if event.partition_key is not None:
        pairs += _PARTITION_KEY_KEY + values.string(event.partition_key)
        count += 1
    section = values.described(_ANNOTATIONS, values.mapping(pairs + event.annotations, count))
    return event.delivery + section + event.tail


def with_metrics(message: bytes, section: bytes) -> bytes:
    """Put the hub's delivery annotations in front of an event; with the publisher's they make one section."""
    if not section or not message.startswith(DELIVERY_HEAD):
        return section + message
    theirs, end = values.raw_items(message, len(DELIVERY_HEAD))
    ours, _ = values.raw_items(section, len(DELIVERY_HEAD))
    pairs = {values.decode(key)[0]: key + value for key, value in (*_pairs(theirs), *_pairs(ours))}
    merged = values.mapping(b"".join(pairs.values()), len(pairs))
    return values.described(_DELIVERY_ANNOTATIONS, merged) + message[end:]


def _pairs(items: list[bytes]) -> Iterator[tuple[bytes, bytes]]:
    return zip(items[::2], items[1::2], strict=True)


def runtime_metrics(sequence_number: int, offset: str, enqueued_ms: int, now_ms: int) -> bytes:
    """Encode the delivery annotations that show a receiver where the partition ends."""
    entries = {
        "last_enqueued_sequence_number": values.long(sequence_number),
        "last_enqueued_offset": values.string(offset),
        "last_enqueued_time_utc": values.timestamp(enqueued_ms),
        "runtime_info_retrieval_time_utc": values.timestamp(now_ms),
    }
    return values.described(_DELIVERY_ANNOTATIONS, values.fields(entries))


def reply(correlation_id: bytes, status: int, description: str, body: bytes) -> bytes:
    """Encode the answer of a `$cbs` or `$management` node; `correlation_id` is the request's encoded message-id."""
    properties = values.listing([values.NULL] * 5 + [correlation_id] + [values.NULL] * 7)
    entries = {"status-code": values.integer(status), "status-description": values.string(description)}
    return (
        values.described(_PROPERTIES, properties)
        + values.described(_APPLICATION_PROPERTIES, values.texts(entries))
        + values.described(0x77, body)
    )


def _annotated(event: Published, items: list[bytes]) -> Published:
    key, own, count = None, b"", 0
    for raw_key, raw_value in _pairs(items):
        name = values.decode(raw_key)[0]
        if name == PARTITION_KEY:
            value = values.decode(raw_value)[0]
            key = value if isinstance(value, str) else None
        elif name not in _OWN:
            own += raw_key + raw_value
            count += 1
    return replace(event, partition_key=key, annotations=own, annotation_count=count)


DELIVERY_HEAD = values.described(_DELIVERY_ANNOTATIONS, b"")
_SEQUENCE_KEY = values.symbol(SEQUENCE_NUMBER)
_OFFSET_KEY = values.symbol(OFFSET)
_TIME_KEY = values.symbol(ENQUEUED_TIME)
_PARTITION_KEY_KEY = values.symbol(PARTITION_KEY)

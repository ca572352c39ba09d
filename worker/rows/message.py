"""An encoded message of Event Hubs, decoded section by section, and what of it is metadata.

Values of any AMQP type, bytes in keys and invalid UTF-8 all have a place in a row.
"""

from datetime import UTC, datetime
from functools import lru_cache
from operator import itemgetter
from typing import Any, TypeAlias

from shared.model import LastEnqueued
from worker.bodies.content_type import parse
from worker.rows import amqp
from worker.rows.amqp import (
    ANNOTATIONS,
    APPLICATION_PROPERTIES,
    DATA,
    DELIVERY_ANNOTATIONS,
    FOOTER,
    HEADER,
    PROPERTIES,
    SEQUENCE,
    VALUE,
)
from worker.rows.variant import encode, object_of, text, variant

ANNOTATION = "annotation:"  # before the name of an annotation that is the name of a field, too
# Annotations that have a column of their own; any other (IoT Hub's device id, say) is a system property.
# https://learn.microsoft.com/azure/service-bus-messaging/service-bus-amqp-protocol-guide#message-annotations
SEQUENCE_NUMBER = b"x-opt-sequence-number"
OFFSET = b"x-opt-offset"
ENQUEUED_TIME = b"x-opt-enqueued-time"
PARTITION_KEY = b"x-opt-partition-key"
COLUMN_ANNOTATIONS = frozenset((SEQUENCE_NUMBER, OFFSET, ENQUEUED_TIME, PARTITION_KEY))
# Of the partition, among the delivery annotations.
LAST_ENQUEUED, LAST_ENQUEUED_TIME = b"last_enqueued_sequence_number", b"last_enqueued_time_utc"
# The fields of the properties section, by their places in it.
# https://docs.oasis-open.org/amqp/core/v1.0/os/amqp-core-messaging-v1.0-os.html#type-properties
FIELDS = 13
CONTENT_TYPE, CONTENT_ENCODING = 6, 7
# The serializers of Azure Schema Registry for Kafka name the schema in a header. A message of Kafka has no properties,
# and its headers are application properties here.
# https://github.com/Azure/azure-schema-registry-for-kafka/blob/main/java/avro/src/main/java/com/microsoft/azure/schemaregistry/kafka/avro/KafkaAvroSerializer.java,
# https://learn.microsoft.com/azure/event-hubs/event-hubs-exchange-events-different-protocols
CONTENT_TYPE_HEADER = b"content-type"
MESSAGE_FIELDS = {"content_type": CONTENT_TYPE, "message_id": 0, "correlation_id": 5}
SYSTEM_FIELDS = {
    "user_id": 1,
    "to": 2,
    "subject": 3,
    "reply_to": 4,
    "content_encoding": CONTENT_ENCODING,
    "absolute_expiry_time": 8,
    "creation_time": 9,
    "group_id": 10,
    "group_sequence": 11,
    "reply_to_group_id": 12,
}
NO_FIELDS = (None,) * len(SYSTEM_FIELDS)
UNUSED = frozenset((HEADER, DELIVERY_ANNOTATIONS, FOOTER))
BODIES, REPEATED = frozenset((DATA, SEQUENCE, VALUE)), frozenset((DATA, SEQUENCE))

PLACE = ("sequence_number", "offset", "enqueued_time")
METADATA = (
    *PLACE,
    "partition_key",
    "properties",
    *MESSAGE_FIELDS,
    "system_properties",
)
Metadata: TypeAlias = tuple[str, bytes]
"""The name of what is known of an event beside its body, and the JSON of its value."""

_SECTION = b"\x00\x53"
_system_fields = itemgetter(*SYSTEM_FIELDS.values())


class Message:
    """The sections of an encoded message that a row is made of, decoded."""

    __slots__ = (
        "_codes", "annotations", "application_properties", "data", "decoded_by_sdk", "properties", "sequences", "value",
    )  # fmt: skip

    def __init__(self) -> None:
        self._codes: set[int] = set()
        self.annotations: dict[Any, Any] = {}
        self.properties: list[Any] | None = None
        self.application_properties: Any = None
        self.data: list[bytes] = []
        self.sequences: list[Any] = []
        self.value: Any = None
        self.decoded_by_sdk = 0
        """Sections that only the SDK's functions could decode."""

    def add(self, code: int, value: Any) -> None:
        """Take the value of one section. Raises `Malformed` for one that would hide what is in another.

        https://docs.oasis-open.org/amqp/core/v1.0/os/amqp-core-messaging-v1.0-os.html#section-message-format
        """
        if code in self._codes and code not in REPEATED:
            raise amqp.Malformed("the message has a section twice")
        if code in BODIES and not self._codes.isdisjoint(BODIES - {code}):
            raise amqp.Malformed("the message has bodies of two kinds")
        self._codes.add(code)
        if code == DATA:
            self.data.append(value)
        elif code == ANNOTATIONS:
            self.annotations = value or {}
        elif code == PROPERTIES:
            if value and len(value) > FIELDS:
                raise amqp.Malformed("the properties have more fields than AMQP names")
            self.properties = value and value + [None] * (FIELDS - len(value))
        elif code == APPLICATION_PROPERTIES:
            self.application_properties = value
        elif code == SEQUENCE:
            self.sequences.append(value)
        elif code == VALUE:
            self.value = value
        elif code not in UNUSED:
            raise amqp.Malformed("the message has an unknown section")

    @property
    def raw_body(self) -> bytes | None:
        """The body as it came; None: AMQP gave a value or a sequence."""
        return b"".join(self.data) if self.data else None

    def text_of(self, place: int) -> str:
        """A field of the properties as text; empty: it has no value."""
        value = self.properties[place] if self.properties else None
        return "" if value is None else text(value)

    @property
    def content_type(self) -> str:
        """What it says that its body is; empty: nothing. Of a header in that place only Avro with a schema counts."""
        if said := self.text_of(CONTENT_TYPE):
            return said
        headers = self.application_properties
        header = headers.get(CONTENT_TYPE_HEADER) if isinstance(headers, dict) else None
        found = "" if header is None else text(header)
        return found if parse(found).is_registered_avro else ""

    def metadata(self) -> list[Metadata]:
        """What is known of the event beside its place in the partition, each only where it has a value."""
        found = []
        if self.application_properties:
            found.append(("properties", encode(variant(self.application_properties))))
        if self.properties:
            found += [
                (name, encode(text(value)))
                for name, place in MESSAGE_FIELDS.items()
                if (value := self.properties[place]) is not None
            ]
        if system_properties := _system_properties(self.annotations, self.properties):
            found.append(("system_properties", encode(system_properties)))
        return found


def decode(message: bytes, at: int) -> Message:
    """The sections of a message from there, in one pass where all of its types are common.

    Raises `Malformed`, and whatever the SDK's functions raise.
    """
    decoded = Message()
    try:
        while message[at : at + 2] == _SECTION:
            value, end = amqp.DECODERS[message[at + 3]](message, at + 4)
            decoded.add(message[at + 2], value)
            at = end
    except amqp.MISREAD:
        # From the start, and by the sizes of the sections: this pass believes counts, so what it says may be wrong.
        return _decode_by_size(message)
    return decoded if at == len(message) else _decode_by_size(message)


def _decode_by_size(message: bytes) -> Message:
    """The same for any message: a section ends where its size says."""
    decoded = Message()
    for code, at, end in amqp.sections(message):
        if code in UNUSED:
            continue
        try:
            value = amqp.value(message, at, end)
        except amqp.Rare:
            decoded.decoded_by_sdk += 1
            value = amqp.value_by_sdk(message, at, end)
        decoded.add(code, value)
    return decoded


def last_enqueued(message: bytes) -> LastEnqueued | None:
    """The last event of the partition, as an encoded message says; None: it does not say."""
    try:
        at, end = next((at, end) for code, at, end in amqp.sections(message) if code == DELIVERY_ANNOTATIONS)
        said = amqp.value(message, at, end)
        number, milliseconds = said[LAST_ENQUEUED], said.get(LAST_ENQUEUED_TIME)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 (nothing hangs on it)
        return None
    at_s = milliseconds / 1000 if isinstance(milliseconds, int) else None  # a Timestamp is one
    return LastEnqueued(number, at_s) if type(number) is int else None


def body_of(message: bytes) -> bytes | None:
    """The body as it came; None when AMQP gave a value or a sequence instead of bytes, or cannot be decoded."""
    try:
        data = [amqp.value(message, at, end) for code, at, end in amqp.sections(message) if code == DATA]
        return b"".join(data) if data else None
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 (then all of it is in the row)
        return None


def _system_properties(annotations: dict[Any, Any], properties: list[Any] | None) -> dict[str, Any]:
    fields = _system_fields(properties) if properties else NO_FIELDS
    if fields == NO_FIELDS and COLUMN_ANNOTATIONS.issuperset(annotations):
        return {}
    named = {name: variant(value) for name, value in zip(SYSTEM_FIELDS, fields, strict=True) if value is not None}
    extra = object_of({key: annotations[key] for key in annotations if key not in COLUMN_ANNOTATIONS}, variant)
    others: dict[str, Any] = {}
    for key, value in extra.items():
        name = key
        while name in named or name in others:
            name = ANNOTATION + name
        others[name] = value
    return others | named


def time_of(milliseconds: Any) -> tuple[datetime, bytes] | None:
    """The service's time, and its JSON; None for what is no time, which no event is refused for."""
    try:
        return None if milliseconds is None else _utc(milliseconds)
    except (TypeError, ValueError, OverflowError, OSError):
        return None


@lru_cache(maxsize=64)  # events of a batch share their times
def _utc(milliseconds: int) -> tuple[datetime, bytes]:
    time = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return time, encode(time)

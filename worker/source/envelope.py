"""Events become rows: the envelope of thirteen columns, one row an event.

A JSON body passes into `PAYLOAD` as it came: it is checked and never built again (`worker/source/payload.py`). Any
other goes into `RAW_BODY` with the reason beside it, so that no event is refused or lost.

A column without a value has no key in the row, and is NULL in the table. An explicit null would be another value in a
VARIANT column: Snowflake stores it as a JSON null, which `IS NULL` is false of. So the body `null` is a JSON null in
`PAYLOAD`, as is an AMQP null, and no row has neither `PAYLOAD` nor `RAW_BODY`.
https://docs.snowflake.com/en/user-guide/semistructured-considerations#null-values
"""

import base64
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from operator import itemgetter
from struct import Struct
from struct import error as struct_error
from typing import Any, Literal

import msgspec

from shared.errors import UndecodableEvent
from worker.source import amqp
from worker.source.amqp import (
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
from worker.source.event import Event
from worker.source.payload import NotPayload, payload
from worker.source.variant import encode, object_of, text, variant

ANNOTATION = "annotation:"  # before the name of an annotation that is the name of a field, too
# Annotations that have a column of their own; any other (IoT Hub's device id, say) goes into SYSTEM_PROPERTIES.
# https://learn.microsoft.com/azure/event-hubs/event-hubs-amqp-protocol-guide#message-annotations
SEQUENCE_NUMBER = b"x-opt-sequence-number"
OFFSET = b"x-opt-offset"
ENQUEUED_TIME = b"x-opt-enqueued-time"
PARTITION_KEY = b"x-opt-partition-key"
COLUMN_ANNOTATIONS = frozenset((SEQUENCE_NUMBER, OFFSET, ENQUEUED_TIME, PARTITION_KEY))
LAST_ENQUEUED = b"last_enqueued_sequence_number"  # of the partition, among the delivery annotations
# The fields of the properties section, by their places in it.
# https://docs.oasis-open.org/amqp/core/v1.0/os/amqp-core-messaging-v1.0-os.html#type-properties
FIELDS = 13
MESSAGE_COLUMNS = {"CONTENT_TYPE": 6, "MESSAGE_ID": 0, "CORRELATION_ID": 5}
SYSTEM_FIELDS = {
    "user_id": 1,
    "to": 2,
    "subject": 3,
    "reply_to": 4,
    "content_encoding": 7,
    "absolute_expiry_time": 8,
    "creation_time": 9,
    "group_id": 10,
    "group_sequence": 11,
    "reply_to_group_id": 12,
}

# What Event Hubs sends nearly always: its annotations in this order and one data section, found in one pass at the
# speed of C. Whatever else comes is read section by section, to the same row.
_find_usual = re.compile(
    rb"\x00\x53\x72\xc1(.)\x06"
    rb"\xa3\x15x-opt-sequence-number(?:\x55(.)|\x81(.{8}))"
    rb"\xa3\x0cx-opt-offset\xa1(.)([0-9]+)"
    rb"\xa3\x13x-opt-enqueued-time\x83(.{8})"
    rb"\x00\x53\x75(?:\xa0(.)|\xb0(.{4}))",
    re.DOTALL,
).match
_SECTION = b"\x00\x53"
UNUSED = frozenset((HEADER, DELIVERY_ANNOTATIONS, FOOTER))
_DELIVERY = b"\x00\x53\x71\xc1"  # the section of delivery annotations, followed by a size of one byte
_system_fields = itemgetter(*SYSTEM_FIELDS.values())
NO_FIELDS = (None,) * len(SYSTEM_FIELDS)
_long = Struct(">q").unpack


class Message:
    """The sections of an encoded message that a row is made of, decoded."""

    __slots__ = ("annotations", "application_properties", "data", "properties", "sequences", "value")

    def __init__(self) -> None:
        self.annotations: dict[Any, Any] = {}
        self.properties: list[Any] | None = None
        self.application_properties: Any = None
        self.data: list[bytes] = []
        self.sequences: list[Any] = []
        self.value: Any = None

    def add(self, code: int, value: Any) -> None:
        """Take the value of one section."""
        if code == DATA:
            self.data.append(value)
        elif code == ANNOTATIONS:
            self.annotations = value or {}
        elif code == PROPERTIES:
            self.properties = value and value + [None] * (FIELDS - len(value))
        elif code == APPLICATION_PROPERTIES:
            self.application_properties = value
        elif code == SEQUENCE:
            self.sequences.append(value)
        elif code == VALUE:
            self.value = value
        elif code not in UNUSED:
            raise amqp.Malformed("the message has an unknown section")


class Envelope:
    """Makes events of the encoded messages of one partition.

    Values of any AMQP type, bytes in keys and invalid UTF-8 all have a place in the row, and a message that nobody can
    decode is in `RAW_BODY` as a whole. With `on_decode_error="fail"` an event whose body is not JSON has a `refusal`:
    it is raised when the event is handed over, because an event that was processed already may be received again.
    """

    def __init__(self, partition_id: str, on_decode_error: Literal["keep", "fail"]) -> None:
        self._partition_id, self._keeps = partition_id, on_decode_error == "keep"
        self._partition = b',"PARTITION_ID":' + encode(partition_id)
        self._usual_line = b'{"PAYLOAD":%%b%b,"SEQUENCE_NUMBER":%%d,"OFFSET":"%%b","ENQUEUED_TIME":%%b}' % (
            self._partition.replace(b"%", b"%%")
        )
        self.unusual = 0
        """Messages that were read section by section."""
        self.decoded_by_sdk = 0
        """Sections that only the SDK's functions could decode."""

    def event_of(self, message: bytes) -> Event:
        """The event of an encoded message."""
        at = 5 + message[4] if message[:4] == _DELIVERY and len(message) > 5 else 0
        if (found := _find_usual(message, at)) and (event := self._usual(found, message)):
            return event
        self.unusual += 1
        try:
            return self._event(self._decoded(message, at))
        except MemoryError:  # says nothing of the message
            raise
        except Exception as error:  # noqa: BLE001 (whatever the SDK's decoder raises, or Python for a deep value)
            return self._undecoded(message, error)

    def _usual(self, found: "re.Match[bytes]", message: bytes) -> Event | None:
        """The event of a message as nearly all are; None: it is not quite one, or its body is no PAYLOAD."""
        size, small, large, length, offset, milliseconds, short, long = found.groups()
        body = message[found.end() :]
        if (
            len(body) != int.from_bytes(short or long, "big")
            or length[0] != len(offset)
            or size[0] + found.start(1) + 1 != found.end(6)
            or (time := time_of(_long(milliseconds)[0])) is None
        ):
            return None
        try:
            json = payload(body)
        except NotPayload:
            return None
        number = int.from_bytes(small or large, "big", signed=True)
        line = self._usual_line % (json, number, offset, time[1])
        return Event(number, offset.decode(), time[0], len(line), msgspec.Raw(line))

    # --- section by section -------------------------------------------------------------------------------------------

    def _decoded(self, message: bytes, at: int) -> Message:
        """The sections of a message from there, in one pass where all of its types are common."""
        decoded = Message()
        try:
            while message[at : at + 2] == _SECTION:
                value, end = amqp.DECODERS[message[at + 3]](message, at + 4)
                decoded.add(message[at + 2], value)
                at = end
        except (LookupError, TypeError, ValueError, RecursionError, amqp.Malformed, struct_error):
            return self._decoded_by_size(message)
        return decoded if at == len(message) else self._decoded_by_size(message)

    def _decoded_by_size(self, message: bytes) -> Message:
        """The same for any message: a section ends where its size says. Raises whatever the SDK's functions raise."""
        decoded = Message()
        for code, at, end in amqp.sections(message):
            if code not in UNUSED:
                decoded.add(code, self._value(message, at, end))
        return decoded

    def _value(self, message: bytes, at: int, end: int) -> Any:
        try:
            return amqp.value(message, at, end)
        except amqp.Rare:
            self.decoded_by_sdk += 1
            return amqp.value_by_sdk(message, at, end)

    def _event(self, message: Message) -> Event:
        """Of its columns, each only where it has a value."""
        columns = []
        if message.application_properties:
            columns.append(_column("PROPERTIES", variant(message.application_properties)))
        if message.properties:
            columns += [
                _column(name, text(value))
                for name, place in MESSAGE_COLUMNS.items()
                if (value := message.properties[place]) is not None
            ]
        if system_properties := _system_properties(message.annotations, message.properties):
            columns.append(_column("SYSTEM_PROPERTIES", system_properties))
        body, reason = _body(message)
        return self._line(body, reason, message.annotations, columns)

    def _line(self, body: bytes, reason: str | None, annotations: dict[Any, Any], columns: Iterable[bytes]) -> Event:
        number, offset, key = annotations.get(SEQUENCE_NUMBER), annotations.get(OFFSET), annotations.get(PARTITION_KEY)
        time = time_of(annotations.get(ENQUEUED_TIME))
        known = [body, self._partition]
        if number is not None:
            known.append(_column("SEQUENCE_NUMBER", number))
        if offset is not None:
            offset = text(offset)
            known.append(_column("OFFSET", offset))
        if time:
            known.append(b',"ENQUEUED_TIME":' + time[1])
        if key is not None:
            known.append(_column("PARTITION_KEY", text(key)))
        line = b"{%b}" % b"".join((*known, *columns))
        enqueued = time[0] if time else None
        number = number if type(number) is int else None
        return Event(number, offset, enqueued, len(line), msgspec.Raw(line), None if self._keeps else reason)

    def _undecoded(self, message: bytes, error: Exception) -> Event:
        """The event of a message that cannot be decoded: as it came, under the numbers that it shows."""
        annotations = amqp.shown(message, COLUMN_ANNOTATIONS)
        known = str(error) if isinstance(error, amqp.Malformed) else f"the Azure SDK raises {type(error).__name__}"
        reason = f"the AMQP message cannot be decoded: {known}"
        return self._line(_raw_body(message, reason), reason, annotations, ())


def _body(message: Message) -> tuple[bytes, str | None]:
    """The columns of the body, and why it cannot be PAYLOAD. AMQP value and sequence bodies are typed already: their
    JSON is built here. AMQP's null is JSON's. So each row has a body, and one without is seen to have lost it:
    Snowflake drops a field that has no column.
    """
    if not message.data:
        return b'"PAYLOAD":' + encode(variant(message.sequences or message.value)), None
    body = b"".join(message.data)
    try:
        return b'"PAYLOAD":%b' % payload(body), None
    except NotPayload as why:
        return _raw_body(body, str(why)), str(why)


def _raw_body(body: bytes, reason: str) -> bytes:
    return b'"RAW_BODY":"%b"%b' % (base64.b64encode(body), _column("DECODE_ERROR", reason))


def undecodable(partition_id: str, event: Event, reason: str) -> UndecodableEvent:
    """The error of an event that may not be stored."""
    return UndecodableEvent(
        f"Partition {partition_id}, event {event.sequence_number}, offset {event.offset}: the body cannot be PAYLOAD",
        reason,
        "Set SNOWFLAKE_ON_DECODE_ERROR=keep to store such bodies in RAW_BODY, or correct the sender.",
    )


def last_enqueued(message: bytes) -> int | None:
    """The last sequence number in the partition, as an encoded message says; None: it does not say."""
    try:
        at, end = next((at, end) for code, at, end in amqp.sections(message) if code == DELIVERY_ANNOTATIONS)
        number = amqp.value(message, at, end)[LAST_ENQUEUED]
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 (nothing hangs on it)
        return None
    return number if type(number) is int else None


def body_of(message: bytes) -> bytes | None:
    """The body as it came; None when AMQP gave a value or a sequence instead of bytes, or cannot be decoded."""
    try:
        data = [amqp.value(message, at, end) for code, at, end in amqp.sections(message) if code == DATA]
        return b"".join(data) if data else None
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 (then all of it is in the row)
        return None


def _column(name: str, value: Any) -> bytes:
    return b',"%b":%b' % (name.encode(), encode(value))


def _system_properties(annotations: dict[Any, Any], properties: list[Any] | None) -> dict[str, Any]:
    fields = _system_fields(properties) if properties else NO_FIELDS
    if fields == NO_FIELDS and COLUMN_ANNOTATIONS.issuperset(annotations):
        return {}
    named = {name: variant(value) for name, value in zip(SYSTEM_FIELDS, fields, strict=True) if value is not None}
    extra = object_of({key: annotations[key] for key in annotations if key not in COLUMN_ANNOTATIONS}, variant)
    return {ANNOTATION + key if key in named else key: value for key, value in extra.items()} | named


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

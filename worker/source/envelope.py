"""Events become rows: the envelope of thirteen columns, one row an event.

A JSON body passes into `PAYLOAD` as it came: it is checked and never built again (`worker/source/payload.py`). Any
other goes into `RAW_BODY` with the reason beside it, so that no event is refused or lost.

A column without a value has no key in the row, and is NULL in the table. An explicit null would be another value in a
VARIANT column: Snowflake stores it as a JSON null, which `IS NULL` is false of. So the body `null` is a JSON null in
`PAYLOAD`, as is an AMQP null, and no row has neither `PAYLOAD` nor `RAW_BODY`.
https://docs.snowflake.com/en/user-guide/semistructured-considerations#null-values
"""

import base64
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from math import isfinite
from operator import attrgetter
from typing import Any, Literal, TypeAlias

import msgspec
from azure.eventhub import EventData
from azure.eventhub.amqp import AmqpMessageBodyType

from shared.errors import UndecodableEvent
from worker.source.payload import NotPayload, payload

Row: TypeAlias = dict[str, Any]
Mapper: TypeAlias = Callable[[EventData], Row]

ROW_OVERHEAD_BYTES = 300
DEEPEST = 64  # containers in an AMQP value; what is deeper comes as the text of its JSON
ANNOTATION = "annotation:"  # before the name of an annotation that is the name of a field, too
NUL = "\0"
# Annotations that have a column of their own; any other (IoT Hub's device id, say) goes into SYSTEM_PROPERTIES.
# https://learn.microsoft.com/azure/event-hubs/event-hubs-amqp-protocol-guide#message-annotations
SEQUENCE_NUMBER = b"x-opt-sequence-number"
OFFSET = b"x-opt-offset"
ENQUEUED_TIME = b"x-opt-enqueued-time"
PARTITION_KEY = b"x-opt-partition-key"
COLUMN_ANNOTATIONS = frozenset((SEQUENCE_NUMBER, OFFSET, ENQUEUED_TIME, PARTITION_KEY))
SYSTEM_FIELDS = (
    "user_id",
    "to",
    "subject",
    "reply_to",
    "content_encoding",
    "absolute_expiry_time",
    "creation_time",
    "group_id",
    "group_sequence",
    "reply_to_group_id",
)

NO_SYSTEM_FIELDS = (None,) * len(SYSTEM_FIELDS)
MESSAGE_COLUMNS = ("CONTENT_TYPE", "MESSAGE_ID", "CORRELATION_ID")
# Bound once: looking a member up in an enumeration, or making a union, costs as much as a column.
DATA, VALUE = AmqpMessageBodyType.DATA, AmqpMessageBodyType.VALUE
BINARY, CONTAINERS = (bytes, bytearray, memoryview), (dict, list, tuple)

_message_fields = attrgetter("content_type", "message_id", "correlation_id")
_system_fields = attrgetter(*SYSTEM_FIELDS)
_encode = msgspec.json.Encoder(enc_hook=str).encode


def envelope(partition_id: str, on_decode_error: Literal["keep", "fail"]) -> Mapper:
    """A function from an event to its row, for one partition.

    It raises `UndecodableEvent` for a body that is not JSON with `on_decode_error="fail"`, and nothing else: values of
    any AMQP type, bytes in keys and invalid UTF-8 all have a place in the row.
    """

    def row_of(event: EventData) -> Row:
        message = event.raw_amqp_message
        row = _body(message)
        if on_decode_error == "fail" and "DECODE_ERROR" in row:
            raise _undecodable(partition_id, event, row["DECODE_ERROR"])
        row["PARTITION_ID"] = partition_id
        annotations: dict[Any, Any] = message.annotations or {}
        _add_service_columns(row, annotations)
        if message.application_properties:
            row["PROPERTIES"] = _variant(message.application_properties)
        # `is None`, not truth: the SDK's properties count themselves, attribute by attribute, to say whether they are.
        if message.properties is not None:
            _add_message_columns(row, message.properties)
        if system_properties := _system_properties(annotations, message.properties):
            row["SYSTEM_PROPERTIES"] = system_properties
        return row

    return row_of


def body_of(event: EventData) -> bytes | None:
    """The body as it came; None when AMQP gave a value or a sequence instead of bytes."""
    message = event.raw_amqp_message
    return b"".join(message.body) if message.body_type is DATA else None


def as_json(row: Row) -> str:
    """The row as text: as the SDK sends it, binary as base64."""
    return _encode(row).decode()


def size_bytes(row: Row) -> int:
    """About how many bytes of JSON a row is: its body, and a constant for the rest. To know exactly costs an encode."""
    return ROW_OVERHEAD_BYTES + len(memoryview(row.get("PAYLOAD", b""))) + len(row.get("RAW_BODY", b"")) * 4 // 3


def event_address(row: Row) -> str:
    """What a person finds its event by."""
    return f"Event {row['SEQUENCE_NUMBER']}, offset {row.get('OFFSET')}"


def sequence_numbers(rows: Sequence[Row]) -> list[int | None]:
    """The sequence numbers of a batch, None where an event has none (or what is no number)."""
    numbers = (row.get("SEQUENCE_NUMBER") for row in rows)
    return [number if type(number) is int else None for number in numbers]


def _body(message: Any) -> Row:
    """The columns of the body."""
    if message.body_type is not DATA:
        return _value_body(message)
    body = b"".join(message.body)
    try:
        return {"PAYLOAD": payload(body)}
    except NotPayload as why:
        return {"RAW_BODY": body, "DECODE_ERROR": str(why)}


def _value_body(message: Any) -> Row:
    """AMQP value and sequence bodies are typed already: their JSON is built here. AMQP's null is JSON's.

    So each row has a body, and one without is seen to have lost it: Snowflake drops a field that has no column.
    """
    body = message.body if message.body_type is VALUE else list(message.body)
    return {"PAYLOAD": msgspec.Raw(_encode(_variant(body)))}


def _add_service_columns(row: Row, annotations: dict[Any, Any]) -> None:
    if (number := annotations.get(SEQUENCE_NUMBER)) is not None:
        row["SEQUENCE_NUMBER"] = number
    if (offset := annotations.get(OFFSET)) is not None:
        row["OFFSET"] = _text(offset)
    if (enqueued := _moment(annotations.get(ENQUEUED_TIME))) is not None:
        row["ENQUEUED_TIME"] = enqueued
    if (key := annotations.get(PARTITION_KEY)) is not None:
        row["PARTITION_KEY"] = _text(key)


def _add_message_columns(row: Row, properties: Any) -> None:
    for column, value in zip(MESSAGE_COLUMNS, _message_fields(properties), strict=True):
        if value is not None:
            row[column] = _text(value)


def _system_properties(annotations: dict[Any, Any], properties: Any) -> dict[str, Any]:
    fields = NO_SYSTEM_FIELDS if properties is None else _system_fields(properties)
    if fields == NO_SYSTEM_FIELDS and COLUMN_ANNOTATIONS.issuperset(annotations):
        return {}
    named = {name: _variant(value) for name, value in zip(SYSTEM_FIELDS, fields, strict=True) if value is not None}
    extra = _object({key: annotations[key] for key in annotations if key not in COLUMN_ANNOTATIONS}, _variant)
    return {ANNOTATION + key if key in named else key: value for key, value in extra.items()} | named


def _variant(value: Any, room: int = DEEPEST) -> Any:
    """An AMQP value as JSON can carry it. Keys and values may be bytes: they are text when they are UTF-8."""
    match value:
        case None | bool() | int() | datetime():
            return value
        case float() if isfinite(value):
            return value
        case dict() if room:
            return _object(value, lambda item: _variant(item, room - 1))
        case list() | tuple() if room:
            return [_variant(item, room - 1) for item in value]
        case dict() | list() | tuple():
            return _deep_text(value)
        case _:
            return _text(value)  # NaN and infinity too: the SDK's encoder would make them null


def _deep_text(value: Any) -> str:
    """A container as the text of its JSON, built from the inside out: a function that calls itself would meet the end
    of Python's stack.
    """
    containers = [value]
    for each in containers:  # grows on the way: those inside come behind those around
        items = each.values() if isinstance(each, dict) else each
        containers += [item for item in items if isinstance(item, CONTAINERS)]
    texts: dict[int, msgspec.Raw] = {}
    for each in reversed(containers):
        texts[id(each)] = msgspec.Raw(_encode(_shallow(each, texts)))
    return bytes(texts[id(value)]).decode()


def _shallow(container: Any, texts: dict[int, msgspec.Raw]) -> Any:
    """A container with the JSON of those in it."""

    def inner(item: Any) -> Any:
        return texts.get(id(item)) or _variant(item, 0)

    return _object(container, inner) if isinstance(container, dict) else [inner(item) for item in container]


def _object(mapping: dict[Any, Any], value_of: Callable[[Any], Any]) -> dict[str, Any]:
    """A map under text. AMQP has keys of any type, and of those that are one text, all but the first say their type."""
    named: dict[str, Any] = {}
    for key, item in mapping.items():
        name = _key(key)
        while name in named:
            name += f" ({type(key).__name__})"
        named[name] = value_of(item)
    return named


def _key(key: object) -> str:
    return "" if key is None else _text(key)


def _text(value: object) -> str:
    """Text of an AMQP value. Bytes that are not UTF-8 come as base64 with a mark, and so does text with a NUL, which no
    VARIANT can hold; a lone surrogate comes as `?`.
    """
    data = bytes(value) if isinstance(value, BINARY) else str(value).encode("utf-8", "replace")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = NUL
    return "base64:" + base64.b64encode(data).decode() if NUL in text else text


def enqueued_time(event: EventData) -> datetime | None:
    """When the hub took it; None for what is no time, where the SDK's own property raises."""
    return _moment((event.raw_amqp_message.annotations or {}).get(ENQUEUED_TIME))


def _moment(milliseconds: Any) -> datetime | None:
    """The service's time; None for what is no time, which no event is refused for."""
    try:
        return None if milliseconds is None else _utc(milliseconds)
    except (TypeError, ValueError, OverflowError, OSError):
        return None


@lru_cache(maxsize=64)  # events of a batch share their moments
def _utc(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _undecodable(partition_id: str, event: EventData, reason: str) -> UndecodableEvent:
    return UndecodableEvent(
        f"Partition {partition_id}, event {event.sequence_number}, offset {event.offset}: the body cannot be PAYLOAD",
        reason,
        "Set SNOWFLAKE_ON_DECODE_ERROR=keep to store such bodies in RAW_BODY, or correct the sender.",
    )

"""The row of a message by way of the SDK's own decoder and message: what the pass over the bytes is compared with."""

from typing import Any

import msgspec
from azure.eventhub._pyamqp._decode import decode_payload
from azure.eventhub.amqp import AmqpAnnotatedMessage, AmqpMessageBodyType

from shared.eventhubs.amqp_types import install_decoders
from worker.bodies.body import Body
from worker.rows.envelope import BODIES
from worker.rows.message import COLUMN_ANNOTATIONS, SYSTEM_FIELDS, time_of
from worker.rows.variant import encode, object_of, text, variant

install_decoders()


def line_by_the_sdk(partition_id: str, encoded: bytes) -> bytes:
    """The line that the streaming SDK makes of the row. Raises whatever the Azure SDK raises."""
    message = AmqpAnnotatedMessage(message=decode_payload(memoryview(encoded)))
    annotations: dict[Any, Any] = message.annotations or {}
    row = _body(message) | {"PARTITION_ID": partition_id} | _of_the_service(annotations)
    if message.application_properties:
        row["PROPERTIES"] = variant(message.application_properties)
    named = {}
    if message.properties is not None:
        for column in ("content_type", "message_id", "correlation_id"):
            if (value := getattr(message.properties, column)) is not None:
                row[column.upper()] = text(value)
        fields = {name: getattr(message.properties, name) for name in SYSTEM_FIELDS}
        named = {name: variant(value) for name, value in fields.items() if value is not None}
    extra = object_of({key: annotations[key] for key in annotations if key not in COLUMN_ANNOTATIONS}, variant)
    if system := {"annotation:" + key if key in named else key: value for key, value in extra.items()} | named:
        row["SYSTEM_PROPERTIES"] = system
    return msgspec.json.Encoder(enc_hook=str).encode_lines([row]).removesuffix(b"\n")


def _body(message: Any) -> dict[str, Any]:
    fields = [getattr(message.properties, name, None) for name in ("content_type", "content_encoding")]
    said = ["" if field is None else text(field) for field in fields]
    if message.body_type is AmqpMessageBodyType.DATA:
        return _columns(BODIES.data(b"".join(message.body), *said))
    value = message.body if message.body_type is AmqpMessageBodyType.VALUE else list(message.body)
    if type(value) is bytes and (found := BODIES.text(value, *said)):
        return _columns(found)
    return {"PAYLOAD": msgspec.Raw(encode(variant(value)))}


def _columns(body: Body) -> dict[str, Any]:
    if body.json:
        return {"PAYLOAD": msgspec.Raw(body.json)}
    return {"RAW_BODY": body.raw} | ({} if body.reason is None else {"DECODE_ERROR": body.reason})


def _of_the_service(annotations: dict[Any, Any]) -> dict[str, Any]:
    time = time_of(annotations.get(b"x-opt-enqueued-time"))
    offset, key = annotations.get(b"x-opt-offset"), annotations.get(b"x-opt-partition-key")
    columns = {
        "SEQUENCE_NUMBER": annotations.get(b"x-opt-sequence-number"),
        "OFFSET": None if offset is None else text(offset),
        "ENQUEUED_TIME": time and time[0],
        "PARTITION_KEY": None if key is None else text(key),
    }
    return {name: value for name, value in columns.items() if value is not None}

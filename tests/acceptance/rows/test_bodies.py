"""Whatever is in an event is in its row, to the byte."""

import gzip
import json
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from azure.eventhub import EventData, EventHubProducerClient
from azure.eventhub.amqp import AmqpAnnotatedMessage
from backports import zstd

from scripts.harness.table import EVENTS
from tests.harness.pipeline import UNCHECKED, Pipeline, pipeline_of

# Event Hubs takes 1 MB a publication, properties and all:
# https://learn.microsoft.com/azure/event-hubs/event-hubs-quotas
LARGE_BYTES = 1024 * 1024 - 4096

JSON_BODIES = (
    b'{\n  "a": [1,\r\n 2],\t"b": "line\\nbreak"\n}\n',
    b"[" * 500 + b"]" * 500,
    b"123456789012345678901234567890.123456789",
    b"null",
    b'"text"',
    b"[]",
    '{"ü": "\\u2028 😀 \u2028"}'.encode(),
    json.dumps({"large": "x" * LARGE_BYTES}).encode(),
)
OTHER_BODIES = (
    b"not json",
    b'{"a": NaN}',
    b'{"a": 1} trailing',
    b'{"a": "\xff"}',
    b"\x00\xff\xfe" * 1000,
    b"[" * 501 + b"]" * 501,
    b"[" * 100_000,
    b'{"a": 1, "a": 2}',
    b'{"a": "\\u0000"}',
    b"1" * 39,
    b"1e999",
    bytes(range(256)) * (LARGE_BYTES // 256),
)


@pytest.fixture(scope="module")
def pipeline() -> Iterator[Pipeline]:
    """Every kind of body, published by the admin client and by the official producer, and moved."""
    with pipeline_of(**UNCHECKED) as made:
        for body in (*JSON_BODIES, *OTHER_BODIES):
            made.hub.append("0", [body])
        publish_encoded(made)
        made.hub.append("0", [b""])
        publish_with_properties(made)
        evsup = made.start()
        made.await_all()
        assert evsup.workers()["0"].decode_errors_total == len(OTHER_BODIES)
        assert evsup.stop() == 0
        yield made


LINES = b'{"id":1}\r\n{"id":2}\r\n'
ENCODED: tuple[tuple[dict[str, Any], object], ...] = (
    ({"data_body": gzip.compress(b'{"n":1}'), "encoding": "gzip"}, {"n": 1}),
    ({"data_body": zlib.compress(b'{"n":2}'), "encoding": "Deflate"}, {"n": 2}),
    ({"data_body": zstd.compress(gzip.compress(LINES)), "encoding": "gzip, zstd"}, [{"id": 1}, {"id": 2}]),
    ({"data_body": LINES, "type": "application/x-ndjson"}, [{"id": 1}, {"id": 2}]),
    ({"data_body": gzip.compress(b'{"n":4}')}, {"n": 4}),
    ({"data_body": '{"n":5}'.encode("utf-16")}, {"n": 5}),
    ({"value_body": '{"n":3}'}, {"n": 3}),
    ({"value_body": "text"}, "text"),
)
"""Each body as a producer sends it, and the payload that it is."""


def publish_encoded(pipeline: Pipeline) -> None:
    with EventHubProducerClient.from_connection_string(pipeline.cloud.connection_string) as producer:
        for given, _ in ENCODED:
            said = {"content_encoding": given.get("encoding"), "content_type": given.get("type")}
            body = {name: given[name] for name in given.keys() & {"data_body", "value_body"}}
            message = AmqpAnnotatedMessage(**body, properties=said)
            producer.send_batch([message], partition_id="0")


def publish_with_properties(pipeline: Pipeline) -> None:
    event = EventData(b'{"from": "the official producer"}')
    event.properties = {b"bytes key": b"bytes value", "not utf-8": b"\xff", "number": 1.5, "nan": float("nan")}
    event.properties["decimal"] = Decimal("-12345678901234.5")
    event.properties["time"] = datetime(2024, 5, 2, 9, 30, tzinfo=UTC)
    event.content_type, event.message_id, event.correlation_id = "application/json", "m-1", "c-1"
    with EventHubProducerClient.from_connection_string(pipeline.cloud.connection_string) as producer:
        producer.send_batch([event], partition_id="0", partition_key=None)


def rows(pipeline: Pipeline, columns: str) -> list[tuple[Any, ...]]:
    """In the order of the events."""
    return pipeline.snow.query(f"SELECT {columns} FROM {EVENTS} ORDER BY SEQUENCE_NUMBER")  # noqa: S608


def test_a_json_body_is_the_payload(pipeline: Pipeline) -> None:
    found = rows(pipeline, "PAYLOAD, RAW_BODY, DECODE_ERROR")[: len(JSON_BODIES)]
    for body, (payload, raw, error) in zip(JSON_BODIES, found, strict=True):
        assert (json.loads(payload), raw, error) == (json.loads(body), None, None)


def test_any_other_body_is_kept_to_the_byte_with_the_reason(pipeline: Pipeline) -> None:
    found = rows(pipeline, "PAYLOAD, RAW_BODY, DECODE_ERROR")[len(JSON_BODIES) :]
    for body, (payload, raw, error) in zip(OTHER_BODIES, found, strict=False):
        assert payload is None  # NULL, and not a VARIANT null, so that PAYLOAD IS NULL finds it
        assert bytes.fromhex(raw or "") == body
        assert error


def test_an_encoded_body_is_the_payload_that_was_encoded(pipeline: Pipeline) -> None:
    found = rows(pipeline, "PAYLOAD, RAW_BODY, DECODE_ERROR")[len(JSON_BODIES) + len(OTHER_BODIES) : -2]
    for (_, expected), (payload, raw, error) in zip(ENCODED, found, strict=True):
        assert (json.loads(payload), raw, error) == (expected, None, None)


def test_an_empty_body_is_an_empty_raw_body_and_no_error(pipeline: Pipeline) -> None:
    assert rows(pipeline, "PAYLOAD, RAW_BODY, DECODE_ERROR")[-2] == (None, "", None)
    pipeline.output("verify")


def test_properties_of_any_type_have_a_place_in_the_row(pipeline: Pipeline) -> None:
    columns = "PAYLOAD, PROPERTIES, CONTENT_TYPE, MESSAGE_ID, CORRELATION_ID, PARTITION_ID"
    payload, properties, *rest = rows(pipeline, columns)[-1]
    assert json.loads(payload) == {"from": "the official producer"}
    expected = {
        "bytes key": "bytes value",
        "not utf-8": "base64:/w==",
        "number": 1.5,
        "nan": "nan",
        "decimal": "-12345678901234.5",
        "time": "2024-05-02T09:30:00Z",
    }
    assert json.loads(properties) == expected
    assert rest == ["application/json", "m-1", "c-1", "0"]


def test_views_show_bodies_as_text_and_the_latest_event_of_a_key(pipeline: Pipeline) -> None:
    pipeline.output("init", "--views", "--key", "PAYLOAD:from")
    [(text,)] = pipeline.snow.query(f"SELECT BODY_TEXT FROM {EVENTS}_UNDECODED WHERE RAW_BODY = 'not json'::BLOB")  # noqa: S608
    assert text == "not json"
    [(payload,)] = pipeline.snow.query(f"SELECT PAYLOAD FROM {EVENTS}_LATEST")  # noqa: S608
    assert json.loads(payload) == {"from": "the official producer"}
    [(count,)] = pipeline.snow.query(f"SELECT COUNT(*) FROM {EVENTS}_RECORDS WHERE SEQUENCE_NUMBER IN (0, 1, 5)")  # noqa: S608
    assert count == 2, "an object and an array in an array are records, an empty array has none"
    assert pipeline.run("init", "--deleted", "PAYLOAD:op=d").returncode == 64


def test_with_fail_a_body_that_is_not_json_ends_the_tree_with_65_and_its_address(pipeline: Pipeline) -> None:
    pipeline.publish(10)
    pipeline.hub.append("0", [b"", b"not json"])
    facts = pipeline.hub.facts().partitions["0"]
    evsup = pipeline.start(SNOWFLAKE_ON_DECODE_ERROR="fail")
    assert evsup.wait() == 65
    assert f"Partition 0, event {facts.last_sequence_number}, offset {facts.last_offset}" in evsup.last_line
    assert "SNOWFLAKE_ON_DECODE_ERROR=keep" in evsup.last_line

"""Avro bodies with schemas of Azure Schema Registry: decoded by their ids, and left in the hub while it is away."""

import io
import json
from collections.abc import Iterator
from contextlib import ExitStack
from http import HTTPStatus
from typing import NamedTuple

import fastavro
import pytest
from azure.eventhub import EventData, EventHubProducerClient

from scripts.harness.table import EVENTS
from scripts.harness.waiting import eventually
from scripts.localcloud.schema_registry import SchemaRegistry
from scripts.localcloud.sign_in import SignIn
from tests.harness.pipeline import UNCHECKED, Pipeline, pipeline_of

SCHEMA = {"type": "record", "name": "Flight", "fields": [{"name": "n", "type": "long"}]}


class Site(NamedTuple):
    """A pipeline, and the schema registry that its settings name."""

    pipeline: Pipeline
    registry: SchemaRegistry
    sign_in: SignIn


@pytest.fixture
def site() -> Iterator[Site]:
    with ExitStack() as stack:
        pipeline = stack.enter_context(pipeline_of(**UNCHECKED))
        places = [pipeline.directory / name for name in ("registry", "sign-in")]
        for place in places:
            place.mkdir()
        registry = stack.enter_context(SchemaRegistry(places[0], pipeline.cloud.identity_key))
        sign_in = stack.enter_context(SignIn(places[1], pipeline.cloud.identity_key))
        pipeline.environment |= sign_in.managed_identity() | {
            "EVENTHUB_SCHEMA_REGISTRY": registry.namespace,
            "EVENTHUB_CA_FILE": str(registry.ca_file),
        }
        yield Site(pipeline, registry, sign_in)


def publish(pipeline: Pipeline, schema_id: str, *numbers: int, by_kafka: bool = False) -> None:
    """As the SDKs' Avro serializers do, or those for Kafka, as a reader by AMQP gets it."""
    with EventHubProducerClient.from_connection_string(pipeline.cloud.connection_string) as producer:
        for number in numbers:
            file = io.BytesIO()
            fastavro.schemaless_writer(file, fastavro.parse_schema(SCHEMA), {"n": number})
            event = EventData(file.getvalue())
            content_type = f"avro/binary+{schema_id}"
            if by_kafka:
                event.properties = {"content-type": content_type.encode()}
            else:
                event.content_type = content_type
            producer.send_batch([event], partition_id="0")


def payloads(pipeline: Pipeline) -> list[object]:
    found = pipeline.snow.query(f"SELECT PAYLOAD, DECODE_ERROR FROM {EVENTS} ORDER BY SEQUENCE_NUMBER")  # noqa: S608
    return [error if payload is None else json.loads(payload) for payload, error in found]


def test_bodies_are_decoded_by_their_schemas_and_wait_in_the_hub_while_the_registry_is_away(site: Site) -> None:
    pipeline, registry, _ = site
    first, second, unknown = registry.register(SCHEMA), registry.register(SCHEMA), "0" * 32
    assert f"schema registry {registry.namespace}" in " ".join(pipeline.check().split())
    publish(pipeline, first, 1)
    publish(pipeline, first, 24, by_kafka=True)  # whose one byte is JSON, too
    publish(pipeline, unknown, 3)
    evsup = pipeline.start()
    pipeline.await_all()
    assert payloads(pipeline) == [{"n": 1}, {"n": 24}, f"the schema registry has no Avro schema {unknown}"]
    assert registry.asked[first] == 1

    registry.refusal = HTTPStatus.SERVICE_UNAVAILABLE
    publish(pipeline, first, 4)
    publish(pipeline, second, 5)
    waits_for = evsup.until(lambda: evsup.workers()["0"].waits_for, "the worker says what it waits for")
    assert waits_for == f"The schema registry {registry.namespace} cannot be asked"
    assert f"waits  partition 0: {waits_for}" in pipeline.output("status", code=1)
    eventually(lambda: pipeline.rows() == 4, "the event before the one that waits is in the table")
    assert evsup.events("schema_registry_unavailable")

    registry.refusal = None
    pipeline.await_all()
    assert payloads(pipeline)[3:] == [{"n": 4}, {"n": 5}]
    evsup.until(lambda: evsup.workers()["0"].waits_for is None, "it waits for nothing")
    assert evsup.stop() == 0


def test_an_identity_that_may_not_read_schemas_ends_the_tree_with_77_and_nothing_is_lost(site: Site) -> None:
    pipeline, registry, _ = site
    schema_id = registry.register(SCHEMA)
    registry.refusal = HTTPStatus.FORBIDDEN
    publish(pipeline, schema_id, 1)
    evsup = pipeline.start()
    assert evsup.wait() == 77
    assert "Schema Registry Reader" in evsup.last_line

    registry.refusal = None
    with pipeline.living_tree():
        pipeline.await_all()
    assert payloads(pipeline) == [{"n": 1}]

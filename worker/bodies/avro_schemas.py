"""Which Avro schema a body has, by its content type: one of the schema registry, or the file of the settings.

A schema of the registry never changes, so it is asked for once. An id that the registry does not know may be registered
later, so it is asked for again after a while, and not for every event.
"""

from typing import Protocol

from shared.clock import Clock, monotonic
from worker.bodies.avro import AvroSchema
from worker.bodies.content_type import ContentType
from worker.bodies.payload import NotPayload

UNKNOWN_FOR_S = 60.0
MOST_UNKNOWN = 1000  # ids that are remembered: senders may make up any number of them


class Registry(Protocol):
    """What this needs of `shared.eventhubs.schema_registry.SchemaRegistry`."""

    def definition(self, schema_id: str) -> str | None:
        """The definition of a schema; None: the registry does not know it. Blocks."""


class AvroSchemas:
    """The schemas of a hub's bodies."""

    def __init__(
        self, registry: Registry | None = None, untyped: AvroSchema | None = None, clock: Clock = monotonic
    ) -> None:
        self._registry, self._clock = registry, clock
        self.untyped = untyped
        """The schema of bodies whose messages name none; None: such bodies are no Avro."""
        self._known: dict[str, AvroSchema | str] = {}
        """Schemas by their ids; a text: the registry's definition is none, and why."""
        self._unknown: dict[str, float] = {}
        """Until when an id counts as unknown."""

    def of(self, kind: ContentType) -> AvroSchema | None:
        """The schema of a body; None: it is no Avro. Raises `NotPayload`, and what the registry raises."""
        if kind.is_registered_avro:
            return self._registered(kind)
        if kind.is_avro and self.untyped is None:
            raise NotPayload("the body is Avro, its message names no schema, and EVENTHUB_AVRO_SCHEMA_FILE is not set")
        return self.untyped if kind.is_avro or kind.says_nothing else None

    def _registered(self, kind: ContentType) -> AvroSchema:
        if (schema_id := kind.schema_id) is None:
            raise NotPayload("the content type names no schema: behind avro/binary+ belong 32 hexadecimal digits")
        if self._registry is None:
            raise NotPayload("the body is Avro of a schema registry, and EVENTHUB_SCHEMA_REGISTRY is not set")
        if (known := self._known.get(schema_id)) is None:
            known = self._known[schema_id] = self._asked(self._registry, schema_id)
        if isinstance(known, str):
            raise NotPayload(known)
        return known

    def _asked(self, registry: Registry, schema_id: str) -> AvroSchema | str:
        if self._clock() < self._unknown.get(schema_id, 0.0):
            raise _unknown(schema_id)
        definition = registry.definition(schema_id)
        if definition is None:
            if len(self._unknown) >= MOST_UNKNOWN:
                self._unknown.clear()
            self._unknown[schema_id] = self._clock() + UNKNOWN_FOR_S
            raise _unknown(schema_id)
        try:
            return AvroSchema(definition)
        except ValueError as error:
            return f"the schema {schema_id} of the registry is no Avro schema: {error}"


def _unknown(schema_id: str) -> NotPayload:
    return NotPayload(f"the schema registry does not know the schema {schema_id}")

"""Which Avro schema a body has, by its content type: one of the schema registry, or the file of the settings.

A schema of the registry never changes, so it is asked for once. An id that the registry does not know may be registered
later, and what is no schema may be mended. So both are asked for again after a while, and not for every event.
"""

from typing import Protocol, TypeVar

from shared.clock import Clock, monotonic
from shared.config.formats.avro_schema import parse
from worker.bodies.avro import AvroSchema
from worker.bodies.content_type import ContentType
from worker.bodies.payload import NotPayload

REFUSED_FOR_S = 60.0
MOST_REMEMBERED = 1000  # ids of either kind: senders may make up any number of them


Answer = TypeVar("Answer")


class Registry(Protocol):
    """What this needs of `shared.eventhubs.schema_registry.SchemaRegistry`."""

    def definition(self, schema_id: str) -> str | None:
        """The definition of a schema; None: the registry has no such schema of Avro. Blocks."""


class AvroSchemas:
    """The schemas of a hub's bodies."""

    def __init__(
        self, registry: Registry | None = None, untyped: AvroSchema | None = None, clock: Clock = monotonic
    ) -> None:
        self._registry, self._clock = registry, clock
        self.untyped = untyped
        """The schema of bodies whose messages name none; None: such bodies are no Avro."""
        self._known: dict[str, AvroSchema] = {}
        """Schemas by their ids."""
        self._refused: dict[str, tuple[float, str]] = {}
        """Why there is no schema by an id, and until when the registry is not asked for it again."""

    def may_read(self, kind: ContentType) -> bool:
        """Whether a body is Avro, or is to be. Then it may begin with any bytes."""
        return kind.is_registered_avro or kind.is_avro or (kind.says_nothing and self.untyped is not None)

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
        return self._known.get(schema_id) or self._asked(self._registry, schema_id)

    def _asked(self, registry: Registry, schema_id: str) -> AvroSchema:
        until_s, reason = self._refused.get(schema_id, (0.0, ""))
        if self._clock() < until_s:
            raise NotPayload(reason)
        definition = registry.definition(schema_id)
        try:
            schema = _schema(schema_id, definition)
        except NotPayload as why:
            _remember(self._refused, schema_id, (self._clock() + REFUSED_FOR_S, str(why)))
            raise
        _remember(self._known, schema_id, schema)
        return schema


def _schema(schema_id: str, definition: str | None) -> AvroSchema:
    if definition is None:
        raise NotPayload(f"the schema registry has no Avro schema {schema_id}")
    try:
        return AvroSchema(parse(definition))
    except ValueError as error:
        raise NotPayload(f"the schema {schema_id} of the registry is no Avro schema: {error}") from None


def _remember(answers: dict[str, Answer], schema_id: str, answer: Answer) -> None:
    if len(answers) >= MOST_REMEMBERED:
        answers.clear()
    answers[schema_id] = answer

"""The schema of a body is found by its content type, asked for once, and never guessed."""

from collections import Counter
from collections.abc import Callable
from functools import partial

import pytest

from shared.config.formats.avro_schema import Primitive
from shared.errors import SchemaRegistryUnavailable
from worker.bodies.avro import AvroSchema
from worker.bodies.avro_schemas import MOST_REMEMBERED, REFUSED_FOR_S, AvroSchemas
from worker.bodies.content_type import parse
from worker.bodies.payload import NotPayload

LONG = AvroSchema(Primitive("long"))
KNOWN, BROKEN, UNKNOWN = (digit * 32 for digit in "abc")


class Registry:
    """A registry with two schemas, which counts the questions."""

    def __init__(self) -> None:
        self.schemas: dict[str, str] = {KNOWN: '"long"', BROKEN: '{"type": "object"}'}
        self.asked: Counter[str] = Counter()
        self.is_away = False

    def definition(self, schema_id: str) -> str | None:
        self.asked[schema_id] += 1
        if self.is_away:
            raise SchemaRegistryUnavailable("away")
        return self.schemas.get(schema_id)


@pytest.fixture
def registry() -> Registry:
    return Registry()


def refusal_of(find: Callable[[], object]) -> str:
    with pytest.raises(NotPayload) as found:
        find()
    return str(found.value)


@pytest.mark.parametrize("text", [f"avro/binary+{KNOWN}", f"Avro/Binary+{KNOWN.upper()}", f"avro/binary+{KNOWN}; v=1"])
def test_a_registered_schema_is_asked_for_once(registry: Registry, text: str) -> None:
    schemas = AvroSchemas(registry)
    first, again = (schemas.of(parse(text)) for _ in range(2))
    assert first is again
    assert first is not None
    assert first.json(b"\x02") == b"1"
    assert registry.asked == {KNOWN: 1}


@pytest.mark.parametrize(
    ("schema_id", "reason"),
    [
        (UNKNOWN, f"the schema registry has no Avro schema {UNKNOWN}"),
        (BROKEN, f"the schema {BROKEN} of the registry is no Avro schema: the type 'object' is not known"),
    ],
)
def test_an_answer_that_is_no_schema_is_asked_for_again_after_a_while(
    registry: Registry, schema_id: str, reason: str
) -> None:
    now_s = 0.0
    schemas, kind = AvroSchemas(registry, clock=lambda: now_s), parse(f"avro/binary+{schema_id}")
    for _ in range(3):
        assert refusal_of(lambda: schemas.of(kind)).startswith(reason)
    assert registry.asked == {schema_id: 1}
    now_s = REFUSED_FOR_S
    assert refusal_of(lambda: schemas.of(kind)).startswith(reason)
    registry.schemas[schema_id] = '"null"'
    now_s = 2 * REFUSED_FOR_S - 1
    assert refusal_of(lambda: schemas.of(kind)).startswith(reason)
    now_s += 1
    assert schemas.of(kind) is schemas.of(kind) is not None
    assert registry.asked == {schema_id: 3}


def test_ids_that_senders_make_up_take_a_bounded_memory(registry: Registry) -> None:
    schemas = AvroSchemas(registry)
    for number in range(MOST_REMEMBERED + 10):
        refusal_of(partial(schemas.of, parse(f"avro/binary+{number:032x}")))
    refusal_of(partial(schemas.of, parse(f"avro/binary+{0:032x}")))
    assert registry.asked[f"{0:032x}"] == 2, "it was forgotten"


def test_a_registry_that_is_away_is_no_reason_to_refuse_a_body(registry: Registry) -> None:
    schemas, kind = AvroSchemas(registry), parse(f"avro/binary+{KNOWN}")
    registry.is_away = True
    for _ in range(2):
        with pytest.raises(SchemaRegistryUnavailable):
            schemas.of(kind)
    registry.is_away = False
    assert schemas.of(kind) is not None


@pytest.mark.parametrize("schema_id", ["", "x" * 32, "a" * 31, "../" + "a" * 32, KNOWN + "/x"])
def test_an_id_that_is_none_is_refused_and_asked_of_nobody(registry: Registry, schema_id: str) -> None:
    assert "names no schema" in refusal_of(lambda: AvroSchemas(registry).of(parse(f"avro/binary+{schema_id}")))
    assert not registry.asked


def test_without_a_registry_a_registered_body_says_which_setting_is_missing() -> None:
    assert "EVENTHUB_SCHEMA_REGISTRY is not set" in refusal_of(lambda: AvroSchemas().of(parse(f"avro/binary+{KNOWN}")))


AVRO = pytest.mark.parametrize("text", ["avro/binary", "application/avro", "application/vnd.apache.avro; x=1"])


@AVRO
def test_without_a_file_avro_that_names_no_schema_says_which_setting_is_missing(text: str) -> None:
    assert "EVENTHUB_AVRO_SCHEMA_FILE is not set" in refusal_of(lambda: AvroSchemas().of(parse(text)))


@AVRO
def test_the_file_is_for_avro_that_names_no_schema(text: str) -> None:
    untyped = LONG
    assert AvroSchemas(untyped=untyped).of(parse(text)) is untyped


@pytest.mark.parametrize("text", ["", "application/octet-stream"])
def test_the_file_is_for_bodies_of_which_nothing_is_said(text: str) -> None:
    untyped = LONG
    assert AvroSchemas(untyped=untyped).of(parse(text)) is untyped
    assert AvroSchemas().of(parse(text)) is None


@pytest.mark.parametrize(
    "text", ["application/json", "application/x-ndjson", "text/plain", "application/json+" + KNOWN]
)
def test_what_says_something_else_is_no_avro(registry: Registry, text: str) -> None:
    assert AvroSchemas(registry, LONG).of(parse(text)) is None

"""What answers in place of a schema registry is waited out: no event is read without its schema."""

from typing import Any, NoReturn

import pytest
from azure.core.exceptions import DeserializationError

from shared.config.settings import EventHubSettings
from shared.errors import SchemaRegistryUnavailable
from shared.eventhubs.schema_registry import SchemaRegistry


class Client:
    """The SDK's client, whose answer it cannot read."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def get_schema(self, _: str) -> NoReturn:
        raise self._error


@pytest.mark.parametrize("error", [TypeError("no version"), DeserializationError("x"), KeyError("format")])
def test_an_answer_that_is_no_schema_is_waited_out(error: Exception) -> None:
    registry = SchemaRegistry(EventHubSettings(schema_registry="registry"))
    client: Any = Client(error)
    registry._client = client
    with pytest.raises(SchemaRegistryUnavailable) as found:
        registry.definition("a" * 32)
    assert found.value.why == f"it answers what is no schema ({type(error).__name__})"
    assert "registry cannot be asked" in found.value.what


def test_a_process_without_memory_says_nothing_of_the_registry() -> None:
    registry = SchemaRegistry(EventHubSettings(schema_registry="registry"))
    client: Any = Client(MemoryError())
    registry._client = client
    with pytest.raises(MemoryError):
        registry.definition("a" * 32)

"""The client of Azure Schema Registry over TLS, signed in by an identity: its answers, and what its failures mean."""

import json
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import certifi
import pytest

from scripts.localcloud.schema_registry import SchemaRegistry as LocalRegistry
from scripts.localcloud.sign_in import SignIn
from shared.config.settings import EventHubSettings
from shared.errors import ConfigurationError, EvsupError, NotPermitted, SchemaRegistryUnavailable
from shared.eventhubs.schema_registry import SchemaRegistry

KEY = "known to the hub"
SCHEMA = {"type": "record", "name": "Flight", "fields": [{"name": "n", "type": "long"}]}


@pytest.fixture
def local(tmp_path: Path) -> Iterator[LocalRegistry]:
    (tmp_path / "registry").mkdir()
    with LocalRegistry(tmp_path / "registry", KEY) as local:
        yield local


@pytest.fixture
def sign_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SignIn]:
    """The managed identity of this process."""
    (tmp_path / "sign-in").mkdir()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certifi.where())  # trusting a CA changes it
    with SignIn(tmp_path / "sign-in", KEY) as sign_in:
        for name, value in sign_in.managed_identity().items():
            monkeypatch.setenv(name, value)
        yield sign_in


def registry_at(local: LocalRegistry, **settings: str) -> SchemaRegistry:
    known = {"schema_registry": local.namespace, "ca_file": str(local.ca_file), **settings}
    return SchemaRegistry(EventHubSettings(**known))  # type: ignore[arg-type]


def failure(registry: SchemaRegistry) -> EvsupError:
    with pytest.raises(EvsupError) as found:
        registry.definition("a" * 32)
    return found.value


def test_a_schema_is_given_as_it_was_registered_and_an_unknown_id_is_none(
    local: LocalRegistry, sign_in: SignIn
) -> None:
    registry = registry_at(local)
    schema_id = local.register(SCHEMA)
    assert registry.definition(schema_id) == json.dumps(SCHEMA)
    assert registry.definition("a" * 32) is None
    assert sign_in.given.total() == 1


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (HTTPStatus.UNAUTHORIZED, NotPermitted),
        (HTTPStatus.FORBIDDEN, NotPermitted),
        (HTTPStatus.TOO_MANY_REQUESTS, SchemaRegistryUnavailable),
        (HTTPStatus.INTERNAL_SERVER_ERROR, SchemaRegistryUnavailable),
        (HTTPStatus.SERVICE_UNAVAILABLE, SchemaRegistryUnavailable),
    ],
)
def test_a_registry_that_refuses_says_whether_waiting_helps(
    local: LocalRegistry, sign_in: SignIn, status: HTTPStatus, kind: type[EvsupError]
) -> None:
    local.refusal = status
    error = failure(registry_at(local))
    assert type(error) is kind
    assert local.namespace in error.what
    assert local.asked.total() == 1, "who asks has a link to look after, and asks again"


def test_a_registry_that_is_not_there_is_waited_for(local: LocalRegistry, sign_in: SignIn) -> None:
    error = failure(registry_at(local, schema_registry="127.0.0.1:9"))
    assert type(error) is SchemaRegistryUnavailable
    assert "EVENTHUB_SCHEMA_REGISTRY" in error.fix


def test_a_certificate_that_is_not_trusted_names_the_setting(local: LocalRegistry, sign_in: SignIn) -> None:
    error = failure(registry_at(local, ca_file=certifi.where()))
    assert type(error) is ConfigurationError
    assert "EVENTHUB_CA_FILE" in error.fix


def test_an_identity_that_cannot_sign_in_is_the_reason(local: LocalRegistry, sign_in: SignIn) -> None:
    sign_in.revoked = True
    error = failure(registry_at(local))
    assert type(error) is NotPermitted
    assert "this host has no such managed identity" in error.why

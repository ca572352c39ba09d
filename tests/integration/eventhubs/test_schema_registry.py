"""The client of Azure Schema Registry over TLS, signed in by an identity: its answers, and what its failures mean."""

import gzip
import json
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import certifi
import pytest
from azure.schemaregistry import SchemaRegistryClient

from scripts.harness.waiting import BUSY_S
from scripts.localcloud.schema_registry import SchemaRegistry as LocalRegistry
from scripts.localcloud.sign_in import LIFETIME_S, SignIn
from shared.config.formats.avro_schema import MOST_BYTES
from shared.config.settings import EventHubSettings
from shared.errors import ConfigurationError, EvsupError, NotPermitted, SchemaRegistryUnavailable
from shared.eventhubs import schema_registry
from shared.eventhubs.identity import Identity
from shared.eventhubs.schema_registry import SchemaRegistry
from shared.log.secret import Secret
from tests.harness.services.connect_proxy import ConnectProxy
from tests.unit.shared.control.stores import Clock

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


def settings_at(local: LocalRegistry, **settings: str | Secret) -> EventHubSettings:
    known = {"schema_registry": local.namespace, "ca_file": str(local.ca_file), **settings}
    return EventHubSettings(**known)  # type: ignore[arg-type]


def registry_at(local: LocalRegistry, **settings: str | Secret) -> SchemaRegistry:
    return SchemaRegistry(settings_at(local, **settings))


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


def test_a_token_is_renewed_in_time_although_the_clock_was_set_back_since(
    local: LocalRegistry, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, real = Clock(), time.time
    registry = SchemaRegistry(settings_at(local), clock)
    registry.definition("a" * 32)
    assert sign_in.given.total() == 1
    monkeypatch.setattr(time, "time", lambda: real() - 2 * LIFETIME_S)
    clock.move(LIFETIME_S)
    registry.definition("a" * 32)
    assert sign_in.given.total() == 2


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


@pytest.mark.parametrize("status", [HTTPStatus.NOT_ACCEPTABLE, HTTPStatus.GONE, HTTPStatus.UNSUPPORTED_MEDIA_TYPE])
def test_a_schema_of_another_format_is_no_schema_of_avro(
    local: LocalRegistry, sign_in: SignIn, status: HTTPStatus
) -> None:
    local.refusal = status
    assert registry_at(local).definition("a" * 32) is None


def test_a_refusal_that_no_waiting_ends_is_waited_out_for_ten_minutes(local: LocalRegistry, sign_in: SignIn) -> None:
    clock = Clock()
    registry = SchemaRegistry(settings_at(local), clock)
    local.refusal = HTTPStatus.METHOD_NOT_ALLOWED
    assert type(failure(registry)) is SchemaRegistryUnavailable
    clock.move(599.0)
    assert type(failure(registry)) is SchemaRegistryUnavailable
    clock.move(1.0)
    error = failure(registry)
    assert (type(error), "EVENTHUB_BODY=raw" in error.fix) == (ConfigurationError, True)
    assert "for 10 minutes its answer is 405" in error.why
    local.refusal = None
    assert registry.definition("a" * 32) is None
    local.refusal = HTTPStatus.METHOD_NOT_ALLOWED
    assert type(failure(registry)) is SchemaRegistryUnavailable


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


def test_the_sdk_s_client_has_the_same_answer(local: LocalRegistry, sign_in: SignIn) -> None:
    schema_id = local.register(SCHEMA)
    with Identity(settings_at(local)) as identity, SchemaRegistryClient(local.namespace, identity) as sdk:
        assert registry_at(local).definition(schema_id) == sdk.get_schema(schema_id).definition


# --- answers that are none --------------------------------------------------------------------------------------------

ID = "a" * 32
USUAL = {"Content_Type": "application/json; serialization=Avro", "Schema_Id": ID}
PAGE = "text/html; charset=utf-8"
Answer = Callable[[BaseHTTPRequestHandler], None]


def answer(body: bytes, status: int = 200, **headers: str) -> Answer:
    """An answer of these bytes, with these headers beside the usual ones, or in their place."""

    def write(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in (USUAL | {"Content_Length": str(len(body))} | headers).items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return write


def endless(piece: bytes, pause_s: float = 0.0, begin: bytes = b"") -> Answer:
    """An answer that goes on for as long as somebody reads it."""

    def write(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(begin)
        while True:
            handler.wfile.write(piece)
            time.sleep(pause_s)

    return write


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nSchema-Id: " + ID.encode() + b"\r\n"


@pytest.mark.parametrize(
    ("instead", "why"),
    [
        (answer(b"<html>", Content_Type=PAGE), "something else answers in its place (200, text/html)"),
        (answer(b"<html>", 404, Content_Type=PAGE), "something else answers in its place (404, text/html)"),
        (answer(b"<html>", 403, Content_Type=PAGE), "something else answers in its place (403, text/html)"),
        (answer(gzip.compress(b'"long"'), Content_Encoding="gzip"), "something else answers in its place (200"),
        (answer(b'"long"', Schema_Id=""), "not the schema that it was asked for"),
        (answer(b'"long"', Schema_Id="b" * 32), "not the schema that it was asked for"),
        (answer(b"", 301, Location="https://127.0.0.1:9/"), "301"),
        (answer(b"", 302, Location="/$schemaGroups/$schemas/" + ID), "302"),
        (answer(b'"lo', Content_Length="100"), "IncompleteRead"),
        (endless(b"no HTTP at all\r\n"), "no HTTP at all"),
        (endless(b"X: y\r\n", begin=HEAD), "got more than 100 headers"),
    ],
)
def test_what_is_no_answer_of_a_registry_is_waited_out(
    local: LocalRegistry, sign_in: SignIn, instead: Answer, why: str
) -> None:
    local.instead = instead
    error = failure(registry_at(local))
    assert type(error) is SchemaRegistryUnavailable
    assert why in error.why


@pytest.mark.parametrize(
    "instead",
    [
        endless(b"x", 0.05, HEAD + b"\r\n"),
        endless(b"x", 0.05, HEAD + b"X: "),
        endless(b"x", 0.05),
        endless(b"1\r\nx\r\n", 0.05, HEAD + b"Transfer-Encoding: chunked\r\n\r\n"),
    ],
    ids=["body", "header", "status", "chunks"],
)
def test_an_answer_that_comes_a_byte_at_a_time_is_cut(
    local: LocalRegistry, sign_in: SignIn, instead: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema_registry, "ANSWER_S", 0.5)
    local.instead = instead
    registry, begin_s = registry_at(local), time.monotonic()
    assert "no whole answer within" in failure(registry).why
    assert time.monotonic() - begin_s < BUSY_S
    local.instead = None
    assert registry.definition(ID) is None, "it is asked again as if nothing had been"


def test_a_schema_of_any_size_takes_a_bounded_memory(local: LocalRegistry, sign_in: SignIn) -> None:
    local.instead = endless(b"x" * 100_000, begin=HEAD + b"\r\n")
    assert registry_at(local).definition(ID) == "x" * (MOST_BYTES + 1)


def test_an_id_may_have_the_dashes_of_a_guid(local: LocalRegistry, sign_in: SignIn) -> None:
    local.instead = answer(b'"long"', Schema_Id="AAAAAAAA-AAAA-AAAA-AAAA-AAAAAAAAAAAA")
    assert registry_at(local).definition(ID) == '"long"'


# --- proxies ----------------------------------------------------------------------------------------------------------


def test_the_registry_is_asked_through_the_proxy_of_the_settings(local: LocalRegistry, sign_in: SignIn) -> None:
    schema_id = local.register(SCHEMA)
    with ConnectProxy("me@corp", "a:b") as proxy:
        through = registry_at(local, proxy=Secret(f"http://me%40corp:a%3Ab@{proxy.address}"))
        assert through.definition(schema_id) == json.dumps(SCHEMA)
        assert proxy.tunnels == [local.namespace]

        refused = failure(registry_at(local, proxy=Secret(f"http://me:wrong@{proxy.address}")))
    assert type(refused) is SchemaRegistryUnavailable
    assert "407" in refused.why
    assert "wrong" not in str(refused)
    assert local.asked.total() == 1


def test_without_a_proxy_in_the_settings_that_of_the_environment_is_used(
    local: LocalRegistry, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = registry_at(local)
    with ConnectProxy("me", "secret") as proxy:
        monkeypatch.setenv("https_proxy", f"http://me:secret@{proxy.address}")
        assert registry.definition(ID) is None
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert registry.definition(ID) is None
    assert proxy.tunnels == [local.namespace]

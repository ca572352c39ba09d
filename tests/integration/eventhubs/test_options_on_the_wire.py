"""Settings of Event Hubs as the service sees them, in the frames that the SDK sends."""

import base64
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import azure.identity
import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError

from scripts.harness.waiting import PATIENCE_S, eventually
from scripts.localcloud.hub.commands import ConnectionFacts, ReceiverFacts
from scripts.localcloud.hub.process import HubProcess, HubSettings
from scripts.localcloud.place import LOOPBACK
from scripts.localcloud.signing.certificate import make_certificate
from scripts.localcloud.tls import TlsFront
from shared.clock import Deadline
from shared.config.settings import EventHubSettings
from shared.errors import ConfigurationError, NotPermitted, SourceUnavailable
from shared.eventhubs.client import SILENCE_LIMIT_S, EventHubClient
from shared.eventhubs.identity import Identity
from shared.log.secret import Secret
from tests.harness.azure_sdk import sockets
from tests.harness.azure_sdk.sources import running
from worker.rows.envelope import Envelope
from worker.source.link import Position
from worker.source.receiver import Receiver

pytestmark = pytest.mark.filterwarnings("ignore:unclosed <s:ResourceWarning")  # the SDK's, of refused connections

NAMESPACE = "ns.servicebus.windows.net"


@pytest.fixture(scope="module")
def hub() -> Iterator[HubProcess]:
    with HubProcess(HubSettings(partitions=1)) as process:
        yield process


@pytest.fixture(autouse=True)
def nothing_is_left_of_a_test(hub: HubProcess) -> Iterator[None]:
    yield
    sockets.let_go()
    hub.admin.recreate()


@pytest.fixture(scope="module")
def front(hub: HubProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsFront]:
    """The hub behind TLS, as a private endpoint of a namespace."""
    with TlsFront(tmp_path_factory.mktemp("tls"), hub.port) as made:
        yield made


@contextmanager
def source_of(hub: HubProcess, epoch: int, **changes: Any) -> Iterator[Receiver]:
    """A source that runs inside the block."""
    settings = EventHubSettings(**{"connection_string": Secret(hub.connection_string), **changes})
    source = Receiver(settings, "0", epoch, Position(None), Envelope("0", "keep").event_of)
    with running(source):
        yield source


@contextmanager
def receiving(hub: HubProcess, epoch: int, **changes: Any) -> Iterator[tuple[ReceiverFacts, ConnectionFacts]]:
    """What the hub knows of a receiver that is attached inside the block and waits for events."""
    with source_of(hub, epoch, **changes):
        yield eventually(lambda: attached(hub, epoch), f"a receiver of level {epoch} waits", PATIENCE_S)[0]


def attached(hub: HubProcess, epoch: int) -> list[tuple[ReceiverFacts, ConnectionFacts]]:
    facts = hub.admin.facts()
    receivers = facts.partitions["0"].receivers
    return [(one, facts.opened[-1]) for one in receivers if one.epoch == epoch and one.credit]


def test_the_epoch_is_the_owner_level_and_the_link_credit_grows_up_to_the_prefetch(hub: HubProcess) -> None:
    hub.admin.seed("0", 2_000)  # which show that they are small
    with source_of(hub, 7, prefetch=123) as source:

        def granted() -> bool:
            source.take()
            on_their_way = [one.credit for one, _ in attached(hub, 7)]
            assert all(credit <= 123 for credit in on_their_way)
            return any(credit > 123 // 2 for credit in on_their_way)

        for _ in range(4):  # each uses up a third, and half is given anew
            eventually(granted, "the credit is the prefetch", PATIENCE_S)
            hub.admin.append("0", [b"{}"] * 41)


@pytest.mark.parametrize("track", [True, False])
def test_the_last_enqueued_event_is_asked_for_only_when_it_is_tracked(hub: HubProcess, track: bool) -> None:
    with receiving(hub, 8 + track, track_last_enqueued=track) as (receiver, _):
        assert receiver.wants_metrics is track


def test_the_connection_says_who_we_are_and_how_long_it_may_be_silent(hub: HubProcess) -> None:
    with receiving(hub, 10) as (_, connection):
        assert connection.properties["user-agent"].startswith("evsup azsdk-python-eventhubs/")
        assert connection.idle_timeout_ms == SILENCE_LIMIT_S * 1000


# --- a private endpoint -----------------------------------------------------------------------------------------------


def behind(front: TlsFront, **changes: Any) -> EventHubSettings:
    """Settings of a namespace that is reached at the front's address."""
    endpoint = {"custom_endpoint": f"{LOOPBACK}:{front.port}", "ca_file": str(front.ca_file)}
    return EventHubSettings(**{"namespace": NAMESPACE, "name": "flights", **endpoint, "retry_total": 0, **changes})


def in_namespace(hub: HubProcess) -> Secret:
    key = f"SharedAccessKeyName={hub.settings.key_name};SharedAccessKey={hub.settings.key}"
    return Secret(f"Endpoint=sb://{NAMESPACE}/;{key};EntityPath=flights")


def test_a_custom_endpoint_is_spoken_to_in_the_name_of_the_namespace_under_the_given_ca(
    hub: HubProcess, front: TlsFront
) -> None:
    endpoint = behind(front, connection_string=in_namespace(hub))
    changes = {"custom_endpoint": endpoint.custom_endpoint, "ca_file": endpoint.ca_file}
    with receiving(hub, 11, connection_string=in_namespace(hub), **changes) as (_, connection):
        assert connection.hostname == NAMESPACE


def test_another_authority_is_a_configuration_error(hub: HubProcess, front: TlsFront, tmp_path: Path) -> None:
    other = str(make_certificate(tmp_path, LOOPBACK).ca_file)
    settings = behind(front, connection_string=in_namespace(hub), ca_file=other)
    with EventHubClient(settings) as client, pytest.raises(ConfigurationError, match="EVENTHUB_CA_FILE"):
        client.hub()


def test_a_port_that_speaks_tls_where_none_is_expected_is_a_configuration_error(
    hub: HubProcess, front: TlsFront
) -> None:
    text = hub.connection_string.replace(f":{hub.port}", f":{front.port}")
    settings = EventHubSettings(connection_string=Secret(text), retry_total=0)
    with EventHubClient(settings) as client, pytest.raises(ConfigurationError, match="the port speaks TLS"):
        client.hub()


def test_a_port_without_tls_where_some_is_expected_is_a_configuration_error(hub: HubProcess) -> None:
    endpoint = f"{LOOPBACK}:{hub.port}"
    settings = EventHubSettings(connection_string=in_namespace(hub), custom_endpoint=endpoint, retry_total=0)
    with EventHubClient(settings) as client, pytest.raises(ConfigurationError, match="UseDevelopmentEmulator"):
        client.hub()


def test_a_hub_that_is_away_is_waited_for_although_it_has_no_tls(hub: HubProcess) -> None:
    hub.admin.begin_outage()
    try:
        settings = EventHubSettings(connection_string=Secret(hub.connection_string), retry_total=0)
        with EventHubClient(settings) as client, pytest.raises(SourceUnavailable, match="refused"):
            client.hub()
    finally:
        hub.admin.end_outage()


# --- identity ---------------------------------------------------------------------------------------------------------


class Credential:
    """Stands in for DefaultAzureCredential: gives a token, or says why not, and notes that it was closed."""

    def __init__(self, error: Exception | None = None) -> None:
        self._error, self.asked, self.closed = error, 0, 0

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        assert scopes == ("https://eventhubs.azure.net//.default",)
        self.asked += 1
        if self._error:
            raise self._error
        return AccessToken("a.token.of-nobody", int(time.time()) + 3600)

    def close(self) -> None:
        self.closed += 1


ERRORS = pytest.mark.parametrize(
    "error", [None, ClientAuthenticationError("no identity here")], ids=["refused", "none"]
)


@ERRORS
def test_a_credential_that_gives_no_good_token_is_not_permitted_and_closed(
    front: TlsFront, monkeypatch: pytest.MonkeyPatch, error: Exception | None
) -> None:
    credential = Credential(error)
    monkeypatch.setattr(Identity, "has_signed_in", False)
    monkeypatch.setattr(azure.identity, "DefaultAzureCredential", lambda **_: credential)
    with pytest.raises(NotPermitted), EventHubClient(behind(front)) as client:
        client.hub()
    assert credential.asked
    assert credential.closed == 1


def test_a_receiver_closes_its_credential_when_it_is_refused(front: TlsFront, monkeypatch: pytest.MonkeyPatch) -> None:
    credential = Credential()
    monkeypatch.setattr(azure.identity, "DefaultAzureCredential", lambda **_: credential)
    source = Receiver(behind(front), "0", 12, Position(None), Envelope("0", "keep").event_of)
    source.start()
    source.join(Deadline.after(PATIENCE_S))
    with pytest.raises(NotPermitted):
        source.take()
    assert credential.closed == credential.asked == 1


# --- websockets and proxies -------------------------------------------------------------------------------------------


@contextmanager
def recorder() -> Iterator[tuple[int, list[str]]]:
    """A port that keeps the head of each HTTP request and refuses it."""
    heads: list[str] = []
    listener = socket.create_server((LOOPBACK, 0))

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with closing(client):
                heads.append(client.recv(65536).decode("ascii", "replace"))
                client.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1], heads
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def refused(settings: EventHubSettings) -> None:
    with EventHubClient(settings) as client, pytest.raises(SourceUnavailable):
        client.hub()


def test_websockets_are_asked_of_the_custom_endpoint(hub: HubProcess, tmp_path: Path) -> None:
    with recorder() as (port, heads), TlsFront(tmp_path, port) as front:
        refused(behind(front, connection_string=in_namespace(hub), transport="amqp_websocket"))
    assert heads[0].startswith("GET /$servicebus/websocket")
    assert "Sec-WebSocket-Protocol: AMQPWSB10" in heads[0]


def test_a_proxy_is_asked_for_the_namespace_with_its_user_and_password(hub: HubProcess) -> None:
    with recorder() as (port, heads):
        proxy = Secret(f"http://me:secret@{LOOPBACK}:{port}")
        refused(EventHubSettings(connection_string=in_namespace(hub), proxy=proxy, retry_total=0))
    assert heads[0].startswith(f"CONNECT {NAMESPACE}:443 HTTP/1.1")
    assert f"Proxy-Authorization: Basic {base64.b64encode(b'me:secret').decode()}" in heads[0]

"""Every way in which DefaultAzureCredential signs in, and every refusal, at a hub that answers like the real one."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from azure.eventhub import EventData, EventDataBatch, EventHubProducerClient
from azure.eventhub.amqp import AmqpAnnotatedMessage
from azure.eventhub.exceptions import EventHubError

from scripts.harness.waiting import PATIENCE_S, eventually
from scripts.localcloud.hub.process import HubProcess, HubSettings
from scripts.localcloud.place import LOOPBACK
from scripts.localcloud.sign_in import SignIn
from scripts.localcloud.tls import TlsFront
from shared import ca_bundle
from shared.clock import Deadline
from shared.config.settings import EventHubSettings
from shared.errors import ConfigurationError, EvsupError, NotPermitted, SourceUnavailable
from shared.eventhubs.client import EventHubClient
from shared.eventhubs.identity import Identity
from shared.log.secret import Secret
from tests.harness.azure_sdk import sockets
from tests.harness.azure_sdk.sources import running
from tests.harness.services.ports import free_port
from worker.rows.envelope import Envelope
from worker.rows.event import Event
from worker.source.link import Position
from worker.source.receiver import Receiver

pytestmark = pytest.mark.filterwarnings("ignore:unclosed <s:ResourceWarning")  # the SDK's, of refused connections

NAMESPACE = "ns.servicebus.windows.net"
OTHER_TENANT = "11111111-2222-3333-4444-555555555555"


@pytest.fixture(scope="module")
def hub() -> Iterator[HubProcess]:
    with HubProcess(HubSettings(partitions=2)) as process:
        yield process


@pytest.fixture(scope="module")
def front(hub: HubProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsFront]:
    with TlsFront(tmp_path_factory.mktemp("tls"), hub.port) as made:
        yield made


@pytest.fixture
def sign_in(hub: HubProcess, tmp_path: Path) -> Iterator[SignIn]:
    with SignIn(tmp_path, hub.settings.identity_key) as made:
        yield made


@pytest.fixture(autouse=True)
def alone(hub: HubProcess, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No identity in the environment, no earlier sign-in, and a hub without faults."""
    for name in ("TENANT_ID", "CLIENT_ID", "CLIENT_SECRET", "FEDERATED_TOKEN_FILE", "AUTHORITY_HOST"):
        monkeypatch.delenv(f"AZURE_{name}", raising=False)
    monkeypatch.setattr(Identity, "has_signed_in", False)
    monkeypatch.setenv(ca_bundle.VARIABLE, "")
    yield
    sockets.let_go()
    hub.admin.heal()
    hub.admin.recreate()


def with_identity(front: TlsFront, sign_in: SignIn, tmp_path: Path) -> EventHubSettings:
    """Settings of a namespace behind a private link; one file holds both authorities."""
    authorities = tmp_path / "authorities.pem"
    authorities.write_bytes(front.ca_file.read_bytes() + sign_in.ca_file.read_bytes())
    return EventHubSettings(
        namespace=NAMESPACE,
        name="flights",
        custom_endpoint=f"{LOOPBACK}:{front.port}",
        ca_file=str(authorities),
        retry_total=0,
    )


def with_key(hub: HubProcess) -> EventHubSettings:
    return EventHubSettings(connection_string=Secret(hub.connection_string), retry_total=0)


def told(monkeypatch: pytest.MonkeyPatch, environment: Mapping[str, str]) -> None:
    for name, text in environment.items():
        monkeypatch.setenv(name, text)


def refused(settings: EventHubSettings) -> EvsupError:
    with pytest.raises(EvsupError) as failed, EventHubClient(settings) as client:
        client.hub()
    return failed.value


@contextmanager
def received(settings: EventHubSettings, partition: str = "0") -> Iterator[Receiver]:
    source = Receiver(settings, partition, 1, Position(None), Envelope(partition, "keep").event_of)
    with running(source):
        yield source


def end_of(source: Receiver) -> EvsupError:
    """The error that ends a source, waited for."""
    source.join(Deadline.after(PATIENCE_S))
    with pytest.raises(EvsupError) as failed:
        source.take()
    return failed.value


# --- identities -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["managed identity", "virtual machine", "client secret", "workload"])
def test_every_identity_signs_in_and_receives(
    hub: HubProcess, front: TlsFront, sign_in: SignIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    environments = {
        "managed identity": sign_in.managed_identity(),
        "virtual machine": sign_in.virtual_machine(),
        "client secret": sign_in.client_secret(),
        "workload": sign_in.workload(tmp_path / "token"),
    }
    told(monkeypatch, environments[way])
    hub.admin.seed("0", 3)
    settings = with_identity(front, sign_in, tmp_path)
    with EventHubClient(settings) as client:
        assert client.partition("0").last == 2
    with received(settings) as source:
        assert eventually(source.take, "events come", PATIENCE_S)
    assert set(sign_in.given) == {way}


REFUSALS: dict[str, tuple[type[EvsupError], str]] = {
    "a wrong secret": (NotPermitted, "AZURE_CLIENT_SECRET"),
    "a wrong tenant": (NotPermitted, "AZURE_TENANT_ID"),
    "a managed identity that was taken away": (NotPermitted, "EVENTHUB_MANAGED_IDENTITY_CLIENT_ID"),
    "a managed identity endpoint that is away": (SourceUnavailable, "sign-in service"),
    "a federated token of another": (NotPermitted, "AZURE_FEDERATED_TOKEN_FILE"),
    "a sign-in host that is away": (SourceUnavailable, "sign-in service"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_an_identity_that_is_refused_says_what_to_change(
    front: TlsFront, sign_in: SignIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    nobody = f"{LOOPBACK}:{free_port()}"
    environments = {
        "a wrong secret": sign_in.client_secret("another"),
        "a wrong tenant": sign_in.client_secret(tenant=OTHER_TENANT),
        "a managed identity that was taken away": sign_in.managed_identity(),
        "a managed identity endpoint that is away": {
            "IDENTITY_ENDPOINT": f"http://{nobody}/msi/token",
            "IDENTITY_HEADER": "x",
        },
        "a federated token of another": sign_in.workload(tmp_path / "token"),
        "a sign-in host that is away": sign_in.client_secret() | {"AZURE_AUTHORITY_HOST": f"https://{nobody}"},
    }
    told(monkeypatch, environments[case])
    (tmp_path / "token").write_text("of somebody else")
    sign_in.revoked = case == "a managed identity that was taken away"
    becomes, fix = REFUSALS[case]
    error = refused(with_identity(front, sign_in, tmp_path))
    assert type(error) is becomes
    assert fix in error.fix
    assert "Event hub 'flights' cannot be read" in error.what


def test_a_sign_in_whose_certificate_is_not_trusted_is_a_configuration_error(
    front: TlsFront, sign_in: SignIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told(monkeypatch, sign_in.client_secret())
    settings = with_identity(front, sign_in, tmp_path)
    Path(settings.ca_file or "").write_bytes(front.ca_file.read_bytes())
    error = refused(settings)
    assert type(error) is ConfigurationError
    assert "EVENTHUB_CA_FILE" in error.fix


def test_an_identity_without_the_role_is_told_its_name(
    hub: HubProcess, front: TlsFront, sign_in: SignIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told(monkeypatch, sign_in.managed_identity())
    hub.admin.set_gate(claims=["Send"])
    with received(with_identity(front, sign_in, tmp_path)) as source:
        error = end_of(source)
    assert type(error) is NotPermitted
    assert "'Listen' claim(s) are required" in error.why
    assert "Azure Event Hubs Data Receiver" in error.fix


def test_the_error_of_an_expired_token_names_both_clocks(
    front: TlsFront, sign_in: SignIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told(monkeypatch, sign_in.managed_identity())
    sign_in.lifetime_s = -3600
    error = refused(with_identity(front, sign_in, tmp_path))
    assert type(error) is NotPermitted
    assert "the clock of this host is ahead: it says" in error.why
    assert "given at" in error.why


# --- the namespace ----------------------------------------------------------------------------------------------------

GATES: dict[str, tuple[dict[str, Any], type[EvsupError], str]] = {
    "the firewall": ({"firewall": True}, NotPermitted, "the firewall of"),
    "no keys": ({"keys": False}, NotPermitted, "local authentication is disabled"),
    "a disabled hub": ({"active": False}, ConfigurationError, "the event hub is disabled"),
    "no claim": ({"claims": []}, NotPermitted, "401"),
}


@pytest.mark.parametrize("case", GATES)
def test_a_namespace_that_refuses_everybody_says_why(hub: HubProcess, case: str) -> None:
    gate, becomes, why = GATES[case]
    hub.admin.set_gate(**gate)
    error = refused(with_key(hub))
    assert type(error) is becomes
    assert why in error.why


def test_a_hub_that_is_disabled_while_events_move_ends_the_receiver(hub: HubProcess) -> None:
    hub.admin.seed("0", 1)
    with received(with_key(hub)) as source:
        eventually(source.take, "an event comes", PATIENCE_S)
        hub.admin.set_gate(active=False)
        error = end_of(source)
    assert type(error) is ConfigurationError
    assert "the event hub is disabled" in error.why


def test_an_unknown_partition_is_a_configuration_error_wherever_it_is_asked_for(hub: HubProcess) -> None:
    with EventHubClient(with_key(hub)) as client, pytest.raises(ConfigurationError, match="no such partition"):
        client.partition("9")
    with received(with_key(hub), "9") as source:
        error = end_of(source)
    assert type(error) is ConfigurationError
    assert "no such partition" in error.why


# --- the stand-in is as strict as the service -------------------------------------------------------------------------


def producer(hub: HubProcess) -> EventHubProducerClient:
    return EventHubProducerClient.from_connection_string(hub.connection_string, retry_total=0)


def test_a_policy_without_send_sends_nothing(hub: HubProcess) -> None:
    hub.admin.set_gate(claims=["Listen"])
    with producer(hub) as client, pytest.raises(EventHubError, match=r"'Send' claim\(s\) are required"):
        client.send_event(EventData("x"), partition_id="0")


def test_a_message_that_is_too_large_is_rejected_and_the_link_goes_on(hub: HubProcess) -> None:
    with producer(hub) as client:
        client.send_event(EventData("before"), partition_id="0")
        with pytest.raises(EventHubError, match="exceeds the limit"):
            client.send_event(EventData(b"x" * 1_100_000), partition_id="0")
        connections = hub.admin.facts().connections
        client.send_event(EventData("after"), partition_id="0")
        assert hub.admin.facts().connections == connections
    assert hub.admin.facts().partitions["0"].count == 2


@pytest.mark.parametrize("track", [True, False])
def test_delivery_annotations_of_a_publisher_reach_readers_beside_those_of_the_hub(
    hub: HubProcess, track: bool
) -> None:
    annotations = {"theirs": "kept", "last_enqueued_sequence_number": 7}
    with producer(hub) as client:
        batch: EventDataBatch = client.create_batch(partition_id="0")
        batch.add(AmqpAnnotatedMessage(data_body=b"{}", delivery_annotations=annotations))
        client.send_batch(batch)
    settings = EventHubSettings(connection_string=Secret(hub.connection_string), track_last_enqueued=track)
    found: list[Any] = []

    def keep(message: bytes) -> Event:
        found.append(EventData.from_bytes(message).raw_amqp_message.delivery_annotations)
        return Envelope("0", "keep").event_of(message)

    source = Receiver(settings, "0", 1, Position(None), keep)
    with running(source):
        taken = eventually(source.take, "the event comes", PATIENCE_S)
    assert found[0][b"theirs"] == b"kept"
    assert taken is not None
    assert (taken.last_enqueued and taken.last_enqueued.number) == (0 if track else None)


def test_events_in_small_frames_over_a_long_line_arrive_whole(hub: HubProcess) -> None:
    hub.admin.seed("0", 20, body_bytes=5_000)
    hub.admin.send_small_frames(512)
    hub.admin.slow_down(0.05)
    rows: list[Any] = []
    with received(with_key(hub)) as source:

        def all_there() -> bool:
            if batch := source.take():
                rows.extend(batch.events)
            return len(rows) == 20

        eventually(all_there, "20 events come", PATIENCE_S)
    assert [row.sequence_number for row in rows] == list(range(20))
    assert hub.admin.fired("latency")

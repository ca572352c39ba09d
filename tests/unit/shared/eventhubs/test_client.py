"""The Azure SDK's client as the settings make it, and its errors translated into ours."""

import threading
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, ClassVar

import azure.identity
import pytest
from azure.eventhub import EventHubConsumerClient, TransportType
from azure.eventhub._pyamqp.error import TokenAuthFailure
from azure.eventhub._transport._pyamqp_transport import PyamqpTransport
from azure.eventhub.exceptions import ConnectError, ConnectionLostError
from msgspec import structs

from shared.clock import monotonic
from shared.config.settings import EventHubSettings
from shared.errors import (
    ConfigurationError,
    DataRefused,
    EvsupError,
    NotPermitted,
    OwnershipLost,
    SourceUnavailable,
)
from shared.eventhubs.client import (
    QUESTIONS_AT_ONCE,
    QUESTIONS_OF_A_START,
    EventHubClient,
    access,
    consumer_group,
    sdk_options,
)
from shared.eventhubs.errors import translate
from shared.log.secret import Secret
from shared.model import ConsumerGroup, HubFacts, LastEnqueued
from tests.unit.plain_settings import eventhub

GROUP = ConsumerGroup("ns.servicebus.windows.net", "flights", "$Default")


class Credentials:
    """Stands in for a credential class of azure-identity; notes with what each was made and how many were closed."""

    def __init__(self) -> None:
        self.made: list[dict[str, Any]] = []
        self.closed = 0

    def __call__(self, **arguments: Any) -> "Credentials":
        self.made.append(arguments)
        return self

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def default(monkeypatch: pytest.MonkeyPatch) -> Credentials:
    monkeypatch.setattr(azure.identity, "DefaultAzureCredential", credentials := Credentials())
    return credentials


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch) -> Credentials:
    monkeypatch.setattr(azure.identity, "AzureCliCredential", credentials := Credentials())
    return credentials


def test_identity_is_the_default_credential_with_the_users_managed_identity(
    default: Credentials, cli: Credentials
) -> None:
    EventHubClient(eventhub(managed_identity_client_id="abc")).close()
    assert default.made == [{"managed_identity_client_id": "abc"}]
    assert not cli.made


def test_the_azure_cli_is_asked_only_when_the_settings_say_so(default: Credentials, cli: Credentials) -> None:
    EventHubClient(eventhub(identity="azure_cli")).close()
    assert len(cli.made) == 1
    assert not default.made


def test_a_connection_string_needs_no_identity(default: Credentials) -> None:
    text = "Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKeyName=k;SharedAccessKey=a2V5;EntityPath=flights"
    client = EventHubClient(EventHubSettings(connection_string=Secret(text)))
    client.close()
    assert not default.made
    assert client.group == GROUP


def test_a_hub_that_has_said_what_it_is_is_not_asked_for_its_partitions_again(
    default: Credentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def answer(question: str, result: object) -> None:
        def say(_: object) -> object:
            asked.append(question)
            return result

        monkeypatch.setattr(EventHubConsumerClient, question, say)

    answer("get_eventhub_properties", {"partition_ids": ["0", "1"], "created_at": datetime.now(UTC)})
    answer("get_partition_ids", ["0", "1"])
    with EventHubClient(eventhub()) as client:
        assert client.sdk.get_partition_ids() == ["0", "1"]
        client.hub()
        assert client.sdk.get_partition_ids() == ["0", "1"]
    assert asked == ["get_partition_ids", "get_eventhub_properties"]


def test_a_credential_is_closed_with_its_client_also_after_a_failure(default: Credentials) -> None:
    def fail() -> None:
        raise LookupError

    with pytest.raises(LookupError), EventHubClient(eventhub()):
        fail()
    assert default.closed == 1


def test_a_credential_is_closed_when_no_client_comes_about(default: Credentials) -> None:
    with pytest.raises(ValueError, match="sometimes"):
        EventHubClient(eventhub(), load_balancing_strategy="sometimes")
    assert default.closed == 1


def test_every_option_reaches_the_sdk() -> None:
    settings = eventhub(
        retry_total=7,
        retry_mode="fixed",
        retry_backoff_factor=0.5,
        retry_backoff_max=9.0,
        load_balancing_interval=3.0,
        ownership_expiration=30.0,
        load_balancing_strategy="balanced",
        transport="amqp_websocket",
        custom_endpoint="10.0.0.4:5671",
        ca_file="/ca.pem",
        proxy=Secret("http://m%40e:s%3Acr%2Fet%25@proxy.example:3129"),
    )
    expected = {
        "retry_total": 7,
        "retry_mode": "fixed",
        "retry_backoff_factor": 0.5,
        "retry_backoff_max": 9.0,
        "load_balancing_interval": 3.0,
        "partition_ownership_expiration_interval": 30.0,
        "load_balancing_strategy": "balanced",
        "transport_type": TransportType.AmqpOverWebsocket,
        "custom_endpoint_address": "sb://10.0.0.4:5671",
        "connection_verify": "/ca.pem",
        "http_proxy": {
            "proxy_hostname": "proxy.example",
            "proxy_port": 3129,
            "username": "m@e",
            "password": "s:cr/et%",
        },
    }
    options = sdk_options(settings)
    assert {name: options[name] for name in expected} == expected


def test_many_partitions_are_asked_for_at_once_and_the_hub_is_not_asked_again(
    default: Credentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    everybody = threading.Barrier(QUESTIONS_AT_ONCE)

    def answer(partition_id: str) -> dict[str, Any]:
        everybody.wait(10)
        numbers = {"beginning_sequence_number": 0, "last_enqueued_sequence_number": int(partition_id)}
        enqueued = datetime.fromtimestamp(1000 + int(partition_id), UTC)
        return {**numbers, "is_empty": False, "last_enqueued_offset": "o", "last_enqueued_time_utc": enqueued}

    with EventHubClient(eventhub()) as client:
        monkeypatch.setattr(client.sdk, "get_partition_properties", answer)
        monkeypatch.setattr(client.sdk, "get_eventhub_properties", None)
        ids = [str(number) for number in range(2 * QUESTIONS_AT_ONCE)]
        facts = client.partitions(ids, HubFacts(tuple(ids), 1.0))
    ends = {each: found.last_enqueued for each, found in facts.items()}
    assert ends == {each: LastEnqueued(int(each), 1000.0 + int(each)) for each in ids}


class Questions:
    """Stands for the SDK's client for runtime information; the first `failures` of all raise `failure`."""

    made: ClassVar[list["Questions"]] = []
    failures: ClassVar[int] = 0
    failure: ClassVar[Exception] = ConnectionResetError()

    def __init__(self, *_: object, **__: object) -> None:
        self.made.append(self)
        self.asked = self.closed = 0

    def open(self, connection: object = None) -> None:
        """Nothing has to be opened."""

    def client_ready(self) -> bool:
        """At once."""
        return True

    def mgmt_request(self, *_: object, **__: object) -> tuple[int, bytes, SimpleNamespace]:
        """An answer for the hub, and for any partition."""
        self.asked += 1
        if Questions.failures:
            Questions.failures -= 1
            raise Questions.failure
        names = (b"begin_sequence_number", b"last_enqueued_sequence_number", b"last_enqueued_time_utc")
        texts = {b"name": b"h", b"partition": b"0", b"last_enqueued_offset": b"o", b"is_partition_empty": False}
        hub = {b"created_at": 1, b"partition_count": 1, b"partition_ids": [b"0"]}
        return 200, b"OK", SimpleNamespace(value=dict.fromkeys(names, 1) | texts | hub)

    def close(self) -> None:
        """Count it."""
        self.closed += 1


@pytest.fixture
def questions(monkeypatch: pytest.MonkeyPatch) -> list[Questions]:
    monkeypatch.setattr(Questions, "made", [])
    monkeypatch.setattr(Questions, "failures", 0)
    monkeypatch.setattr(Questions, "failure", ConnectionResetError())
    monkeypatch.setattr(PyamqpTransport, "create_mgmt_client", Questions)
    return Questions.made


CONNECTED = EventHubSettings(
    connection_string=Secret("Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKeyName=k;SharedAccessKey=a2V5"),
    name="flights",
    retry_total=1,
    retry_backoff_factor=0.0,
)
HUB = HubFacts(("0",), 1.0)


def test_many_questions_share_connections_that_are_closed_with_the_client(questions: list[Questions]) -> None:
    with EventHubClient(CONNECTED) as client:
        client.partitions([str(number) for number in range(3 * QUESTIONS_AT_ONCE)], HUB)
        assert sum(each.asked for each in questions) == 3 * QUESTIONS_AT_ONCE
        assert len(questions) <= QUESTIONS_AT_ONCE
        assert not any(each.closed for each in questions)
    assert [each.closed for each in questions] == [1] * len(questions)


def test_what_a_worker_asks_at_its_start_goes_over_one_connection(questions: list[Questions]) -> None:
    before_s = monotonic()
    with EventHubClient(CONNECTED) as client:
        facts = client.partition("0")
        assert [(each.asked, each.closed) for each in questions] == [(QUESTIONS_OF_A_START, 0)]
    assert facts.read_s is not None
    assert before_s <= facts.read_s <= monotonic()


def test_a_single_question_keeps_no_connection(questions: list[Questions]) -> None:
    with EventHubClient(CONNECTED) as client:
        client.partition("0", HUB)
        assert [each.closed for each in questions] == [1]


def test_a_connection_that_broke_is_not_asked_again(questions: list[Questions]) -> None:
    Questions.failures = 1
    with EventHubClient(CONNECTED) as client:
        client.partitions(["0"], HUB)
        assert [(each.asked, each.closed) for each in questions] == [(1, 1), (1, 0)]


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (TokenAuthFailure(401, b"InvalidSignature: The token has an invalid signature."), NotPermitted),
        (TokenAuthFailure(404, b"The messaging entity could not be found."), ConfigurationError),
        (ConnectionResetError(), SourceUnavailable),
    ],
)
def test_a_refusal_that_the_sdk_retries_for_longer_than_we_wait_is_said(
    questions: list[Questions], failure: Exception, expected: type[EvsupError]
) -> None:
    Questions.failure, Questions.failures = failure, 9
    patient = structs.replace(CONNECTED, retry_backoff_factor=60.0)
    with EventHubClient(patient) as client, pytest.raises(expected) as caught:
        client.partition("0", HUB, limit_s=1.0)
    assert ("no answer for 1 s" in str(caught.value)) is (expected is SourceUnavailable)


def test_a_partition_that_does_not_answer_holds_up_no_other(
    default: Credentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()

    def answer(partition_id: str) -> dict[str, Any]:
        if partition_id == "1":
            released.wait(10)
        numbers = {"beginning_sequence_number": 0, "last_enqueued_sequence_number": 0}
        enqueued = datetime.fromtimestamp(1000, UTC)
        return {**numbers, "is_empty": False, "last_enqueued_offset": "o", "last_enqueued_time_utc": enqueued}

    with EventHubClient(eventhub()) as client:
        monkeypatch.setattr(client.sdk, "get_partition_properties", answer)
        answers = client.ask_partitions(["0", "1", "2"], HUB, limit_s=1.0)
        assert [answers[each].result(10).last for each in ("0", "2")] == [0, 0]
        with pytest.raises(SourceUnavailable, match="Partition 1 cannot be read"):
            answers["1"].result(10)
    released.set()


def test_an_event_that_cannot_be_read_is_named_with_what_to_do(
    default: Credentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise ConnectionLostError("Receiver 'nil' with a higher epoch '5' already exists.")

    with EventHubClient(eventhub()) as client:
        monkeypatch.setattr(client.sdk, "first_event", refused)
        with pytest.raises(OwnershipLost, match="Event 5 of partition 0"):
            client.at_or_after("0", 5, owner_level=4)


def test_a_custom_endpoint_alone_does_not_switch_to_websockets() -> None:
    options = sdk_options(eventhub(custom_endpoint="10.0.0.4:5671"))
    assert options["transport_type"] is TransportType.Amqp


def test_the_group_is_named_by_the_settings() -> None:
    assert consumer_group(eventhub()) == GROUP


def test_a_hub_without_a_partition_is_refused_and_one_named_twice_is_one(
    default: Credentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    properties = {"partition_ids": [], "created_at": datetime(2026, 1, 1, tzinfo=UTC)}
    with EventHubClient(eventhub()) as client:
        monkeypatch.setattr(client.sdk, "get_eventhub_properties", lambda: properties)
        with pytest.raises(DataRefused, match="names no partition"):
            client.hub()
        properties["partition_ids"] = ["0", "b", "0"]
        assert client.hub().partition_ids == ("0", "b")


@pytest.mark.parametrize("name", ["", "../../etc/cron.d/x", "0\n", "0/1", "\x1b[2K", "p" * 51, "é"])
def test_a_hub_whose_partition_could_not_be_part_of_a_file_s_name_is_refused(
    default: Credentials, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    properties = {"partition_ids": ["0", name], "created_at": datetime(2026, 1, 1, tzinfo=UTC)}
    with EventHubClient(eventhub()) as client:
        monkeypatch.setattr(client.sdk, "get_eventhub_properties", lambda: properties)
        with pytest.raises(DataRefused, match="names a partition"):
            client.hub()
        properties["partition_ids"] = ["0", "31"]
        assert client.hub().partition_ids == ("0", "31")


@pytest.mark.parametrize(
    ("ends", "expected"), [("99999999999", 99999999999.0), ("999999999999", None), ("never", None)]
)
def test_an_error_of_a_signature_without_a_sensible_end_is_still_told(ends: str, expected: float | None) -> None:
    signature = f"SharedAccessSignature sr=ns&sig=x&se={ends}&skn=k"
    text = f"Endpoint=sb://ns.servicebus.windows.net/;SharedAccessSignature={signature};EntityPath=flights"
    found = access(EventHubSettings(connection_string=Secret(text)))
    assert found.expires_s == expected
    assert type(translate(ConnectError("amqp:internal-error"), "what", found)) is SourceUnavailable

"""A connection string of Event Hubs, and what people paste in its place."""

import pytest

from shared.config.environment import load
from tests.unit.shared.config.configurations import (
    CONNECTION_STRING,
    complete,
    fault_text,
    loaded,
)


def connected(text: str, **changes: str) -> dict[str, str]:
    return complete(EVENTHUB_NAMESPACE="", EVENTHUB_NAME="", EVENTHUB_CONNECTION_STRING=text, **changes)


def test_a_connection_string_is_enough_without_namespace_and_name() -> None:
    assert fault_text(connected(CONNECTION_STRING)) == ""


def test_an_emulator_s_connection_string_is_one() -> None:
    text = "Endpoint=sb://localhost:5672;SharedAccessKeyName=a;SharedAccessKey=b;UseDevelopmentEmulator=true;"
    assert fault_text(connected(text) | {"EVENTHUB_NAME": "flights"}) == ""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("canary", "Key=Value pairs"),
        ("SharedAccessKeyName=a;SharedAccessKey=canary", "has no Endpoint"),
        ("Endpoint=https://ns.servicebus.windows.net;SharedAccessKeyName=a;SharedAccessKey=canary", "sb://"),
        ("Endpoint=sb://:1;SharedAccessKeyName=a;SharedAccessKey=canary", "the host is missing"),
        ("Endpoint=sb://ns;SharedAccessKey=canary", "go together"),
        ("Endpoint=sb://ns;SharedAccessKeyName=canary", "has neither"),
        ("Endpoint=sb://ns;SharedAccessSignature=canary;SharedAccessKeyName=a;SharedAccessKey=canary", "has both"),
        ("Endpoint=sb://ns;sharedaccesskey=canary;SharedAccessKeyName=a", "is spelt SharedAccessKey"),
        ("Endpoint=sb://ns;SharedAccessKey=canary;SharedAccessKey=canary", "twice"),
        ("Endpoint=sb://ns;SharedAccessKeyName=a;SharedAccessKey=canary;UseDevelopmentEmulator=True", "small letters"),
    ],
)
def test_a_broken_connection_string_is_explained_without_quoting_it(text: str, reason: str) -> None:
    said = fault_text(connected(text) | {"EVENTHUB_NAME": "flights"})
    assert reason in said
    assert "canary" not in said


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f'"{CONNECTION_STRING}"', "stands in quotes"),
        (f"EVENTHUB_CONNECTION_STRING={CONNECTION_STRING}", "begins with its own name"),
        ('org.apache.kafka.common.security.plain.PlainLoginModule required password="canary";', "after password="),
        ('{"primaryConnectionString": "Endpoint=sb://ns/;SharedAccessKey=canary"}', "value of primaryConnectionString"),
        ("@Microsoft.KeyVault(SecretUri=https://canary)", "nothing has resolved"),
        ("${CANARY}", "nothing has resolved"),
        ("DefaultEndpointsProtocol=https;AccountName=a;AccountKey=canary", "belongs to Azure Storage"),
        ("BlobEndpoint=https://a.blob.core.windows.net/;SharedAccessSignature=sv=canary", "belongs to Azure Storage"),
        ("HostName=h.azure-devices.net;DeviceId=d;SharedAccessKey=canary", "'Built-in endpoints'"),
        ("AccountEndpoint=https://x.documents.azure.com:443/;AccountKey=canary", "belongs to Cosmos DB"),
        ("Endpoint=https://x.azconfig.io;Id=a;Secret=canary", "belongs to App Configuration"),
        ("Endpoint=https://x.service.signalr.net;AccessKey=canary;Version=1.0", "belongs to SignalR"),
        ("endpoint=https://x.communication.azure.com/;accesskey=canary", "belongs to Communication Services"),
        ("InstrumentationKey=canary;IngestionEndpoint=https://x", "belongs to Application Insights"),
        ("x.redis.cache.windows.net:6380,password=canary,ssl=True", "belongs to a Redis cache"),
        ("postgresql://u:canary@h/db", "belongs to a database"),
        ("Server=tcp:x.database.windows.net,1433;Initial Catalog=d;Password=canary", "belongs to a database"),
        ("sb://ns.servicebus.windows.net/", "is an address alone"),
        ("SharedAccessSignature sr=x&sig=canary&se=1&skn=a", "without the namespace"),
        (CONNECTION_STRING.replace(";", "; "), "a space or a line break"),
        (CONNECTION_STRING.replace(";", ";\n"), "a space or a line break"),
        (CONNECTION_STRING.replace("=sb", "\\u003dsb"), "has escaped"),
        (CONNECTION_STRING.replace(".net/", ".net:9093/"), "must not name a port"),
        (CONNECTION_STRING.replace(".net/", ".net/flights"), "goes into EntityPath"),
        (CONNECTION_STRING.replace("sb://", "sb://me@"), "must not name a user"),
        (CONNECTION_STRING.replace("EntityPath=", "EntityPath=a/b"), "EntityPath: an event hub's name"),
        (CONNECTION_STRING.replace("c2VjcmV0", "c4nary" * 7 + "A"), "lacks its last character"),
        (CONNECTION_STRING.replace("c2VjcmV0", "c4nary%3D"), "percent-encoded"),
        (CONNECTION_STRING.replace("c2VjcmV0", "<key>"), "is a placeholder"),
        (CONNECTION_STRING.replace("c2VjcmV0", "YourKey"), "is a placeholder"),
        (CONNECTION_STRING.replace("c2VjcmV0", "SAS_KEY_VALUE"), "UseDevelopmentEmulator=true is missing"),
    ],
)
def test_what_was_pasted_instead_of_a_connection_string_is_named_without_quoting_it(text: str, reason: str) -> None:
    said = " ".join(fault_text(connected(text) | {"EVENTHUB_NAME": "flights"}).split())
    assert reason in said
    assert "canary" not in said.lower()
    assert "c4nary" not in said


@pytest.mark.parametrize(
    "host",
    [
        "ns",
        "localhost",
        "ns..servicebus.windows.net",
        "n_s.servicebus.windows.net",
        "ns.privatelink.servicebus.windows.net",
    ],
)
def test_an_endpoint_that_no_cloud_can_have_is_a_fault(host: str) -> None:
    text = fault_text(connected(CONNECTION_STRING.replace("ns.servicebus.windows.net", host)))
    assert "1 fault\n" in text
    assert "EVENTHUB_CUSTOM_ENDPOINT" in text


@pytest.mark.parametrize("host", ["ns.servicebus.windows.com", "ns.eventhub.local.azurestack.external", "10.0.0.4"])
def test_an_endpoint_of_a_cloud_that_is_not_known_is_pointed_out(host: str) -> None:
    (warning,) = load(environ=connected(CONNECTION_STRING.replace("ns.servicebus.windows.net", host))).warnings
    assert f"{host}, which is in none of Azure's clouds" in warning


def test_a_transport_in_the_connection_string_is_pointed_out() -> None:
    text = f"{CONNECTION_STRING};TransportType=AmqpWebSockets"
    (warning,) = load(environ=connected(text)).warnings
    assert "set EVENTHUB_TRANSPORT=amqp_websocket" in warning
    assert load(environ=connected(text, EVENTHUB_TRANSPORT="amqp_websocket")).warnings == ()


def test_a_hub_and_a_policy_may_be_called_yours() -> None:
    text = CONNECTION_STRING.replace("=listen", "=your-policy").replace("=flights", "=yourhub")
    assert fault_text(connected(text)) == ""


def test_event_hub_and_entity_path_must_agree() -> None:
    assert "differs from the EntityPath" in fault_text(connected(CONNECTION_STRING) | {"EVENTHUB_NAME": "trains"})
    assert fault_text(connected(CONNECTION_STRING) | {"EVENTHUB_NAME": "Flights"}) == ""


def test_a_connection_string_without_entity_path_needs_the_event_hub() -> None:
    assert "EVENTHUB_NAME" in fault_text(connected(CONNECTION_STRING.removesuffix(";EntityPath=flights")))


def test_a_connection_string_overrides_identity_with_a_warning() -> None:
    result = loaded(EVENTHUB_CONNECTION_STRING=CONNECTION_STRING, EVENTHUB_NAMESPACE="other.servicebus.windows.net")
    assert result.warnings == ("EVENTHUB_NAMESPACE is not used: EVENTHUB_CONNECTION_STRING names another namespace",)


def test_a_managed_identity_with_the_azure_cli_is_a_contradiction() -> None:
    client = "00000000-0000-0000-0000-000000000000"
    assert fault_text(complete(EVENTHUB_MANAGED_IDENTITY_CLIENT_ID=client)) == ""
    text = fault_text(complete(EVENTHUB_MANAGED_IDENTITY_CLIENT_ID=client, EVENTHUB_IDENTITY="azure_cli"))
    assert "contradicts EVENTHUB_IDENTITY=azure_cli" in text

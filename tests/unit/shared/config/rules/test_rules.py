"""What goes together, and what this version refuses."""

from pathlib import Path

import pytest
from msgspec import inspect

from shared.config.environment import load
from shared.config.rules.not_yet import NOT_YET
from shared.config.variables import VARIABLES, Variable
from supervisor.ownership.trust import trust_window_s
from tests.unit.shared.config.configurations import (
    CONNECTION_STRING,
    PASSPHRASE,
    KeyKind,
    complete,
    fault_text,
    key,
    loaded,
)


@pytest.fixture(autouse=True)
def _empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def connected(text: str, **changes: str) -> dict[str, str]:
    return complete(EVENTHUB_NAMESPACE="", EVENTHUB_NAME="", EVENTHUB_CONNECTION_STRING=text, **changes)


def with_one_wrong_character(pem: str, line: int) -> str:
    lines = pem.splitlines()
    lines[line] = lines[line][:20] + ("A" if lines[line][20] != "A" else "B") + lines[line][21:]
    return "\n".join(lines)


def keyed(path: Path, text: str, **changes: str) -> dict[str, str]:
    path.write_text(text)
    path.chmod(0o600)
    return complete(SNOWFLAKE_PRIVATE_KEY="", SNOWFLAKE_PRIVATE_KEY_FILE=str(path), **changes)


# Of these the smallest number means something: no wait, the shortest drain.
SMALL_NUMBERS = (
    "EVENTHUB_MAX_WAIT_TIME",
    "EVENTHUB_RETRY_BACKOFF_FACTOR",
    "EVSUP_DRAIN_TIMEOUT",
    "EVENTHUB_RETRY_BACKOFF_MAX",
)
QUARANTINE, WAREHOUSE = {"SNOWFLAKE_ON_REJECT": "quarantine"}, {"SNOWFLAKE_WAREHOUSE": "WH"}


def test_a_complete_environment_has_no_fault_and_no_warning() -> None:
    assert loaded().warnings == ()
    assert loaded(**QUARANTINE, **WAREHOUSE).warnings == ()


@pytest.mark.parametrize(
    ("changes", "variable", "reason"),
    [
        ({"EVENTHUB_NAMESPACE": ""}, "EVENTHUB_NAMESPACE", "or set EVENTHUB_CONNECTION_STRING"),
        ({"EVENTHUB_NAME": ""}, "EVENTHUB_NAME", "is required"),
        ({"EVENTHUB_NAME": "a b"}, "EVENTHUB_NAME", "letters, digits"),
        ({"EVENTHUB_CONSUMER_GROUP": "trac\N{KELVIN SIGN}"}, "EVENTHUB_CONSUMER_GROUP", "$Default"),
        ({"SNOWFLAKE_ROLE": "my-role"}, "SNOWFLAKE_ROLE", """Example: SNOWFLAKE_ROLE='"my-role"'"""),
        ({"SNOWFLAKE_ROLE": "my'role"}, "SNOWFLAKE_ROLE", """Example: SNOWFLAKE_ROLE='"My Table"'"""),
        ({"EVENTHUB_CONSUMER_GROUP": "$Defualt"}, "EVENTHUB_CONSUMER_GROUP", "$Default"),
        ({"EVENTHUB_NAMESPACE": "sb://ns.servicebus.windows.net/"}, "EVENTHUB_NAMESPACE", "host name alone"),
        ({"EVENTHUB_NAMESPACE": "ns.servicebus.window.net"}, "EVENTHUB_NAMESPACE", "host name alone"),
        ({"EVENTHUB_NAMESPACE": "ns"}, "EVENTHUB_NAMESPACE", "EVENTHUB_NAMESPACE=ns.servicebus.windows.net"),
        (
            {"EVENTHUB_STARTING_POSITION": "0001-01-01T00:00:00+14:00"},
            "EVENTHUB_STARTING_POSITION",
            "before the year 1",
        ),
        (
            {"EVENTHUB_OWNERSHIP_EXPIRATION": "4.9", "EVENTHUB_LOAD_BALANCING_INTERVAL": "1"},
            "EVENTHUB_OWNERSHIP_EXPIRATION",
            "from 5 to",
        ),
        ({"EVENTHUB_STARTING_POSITION": "5"}, "EVENTHUB_STARTING_POSITION", "must be -1"),
        ({"EVENTHUB_STARTING_POSITION": "latest"}, "EVENTHUB_STARTING_POSITION", "@latest"),
        ({"EVENTHUB_STARTING_POSITION": "2026-01-31T00:00:00"}, "EVENTHUB_STARTING_POSITION", "without a time zone"),
        ({"EVENTHUB_OWNERSHIP_EXPIRATION": "30"}, "EVENTHUB_OWNERSHIP_EXPIRATION", "must exceed 3 ×"),
        ({"EVENTHUB_LOAD_BALANCING_INTERVAL": "20"}, "EVENTHUB_OWNERSHIP_EXPIRATION", "= 60 seconds"),
        ({"EVENTHUB_RETRY_BACKOFF_FACTOR": "200"}, "EVENTHUB_RETRY_BACKOFF_FACTOR", "RETRY_BACKOFF_MAX"),
        ({"EVENTHUB_PROXY": "https://proxy:3128"}, "EVENTHUB_PROXY", "http://"),
        ({"EVENTHUB_PROXY": "http://proxy"}, "EVENTHUB_PROXY", "must name the port"),
        ({"EVENTHUB_PROXY": "http://proxy:99999"}, "EVENTHUB_PROXY", "1 to 65535"),
        ({"EVENTHUB_CUSTOM_ENDPOINT": "sb://10.0.0.4"}, "EVENTHUB_CUSTOM_ENDPOINT", "HOST:PORT"),
        ({"EVENTHUB_CA_FILE": "nowhere.pem"}, "EVENTHUB_CA_FILE", "no such file"),
        ({"EVENTHUB_MANAGED_IDENTITY_CLIENT_ID": "me"}, "EVENTHUB_MANAGED_IDENTITY_CLIENT_ID", "UUID"),
        ({"SNOWFLAKE_ACCOUNT": "https://a-b.snowflakecomputing.com:443"}, "SNOWFLAKE_ACCOUNT", "SNOWFLAKE_URL"),
        ({"SNOWFLAKE_ACCOUNT": "a b"}, "SNOWFLAKE_ACCOUNT", "ORGANIZATION-ACCOUNT"),
        ({"SNOWFLAKE_DATABASE": "EVENTS.PUBLIC"}, "SNOWFLAKE_DATABASE", "a variable each"),
        ({"SNOWFLAKE_SCHEMA": "1st"}, "SNOWFLAKE_SCHEMA", "not beginning with a digit"),
        ({"SNOWFLAKE_TABLE": 'a"b'}, "SNOWFLAKE_TABLE", "double quote"),
        ({"SNOWFLAKE_TABLE": '"a"b"'}, "SNOWFLAKE_TABLE", "double quote"),
        ({"SNOWFLAKE_TABLE": "T" * 256}, "SNOWFLAKE_TABLE", "longer than 255"),
        ({"SNOWFLAKE_TABLE": "T; DROP TABLE U"}, "SNOWFLAKE_TABLE", "must be letters"),
        ({"SNOWFLAKE_PIPE": "a pipe"}, "SNOWFLAKE_PIPE", "must be letters"),
        ({"CONTROL_SNOWFLAKE_SCHEMA": "a-b"}, "CONTROL_SNOWFLAKE_SCHEMA", "must be letters"),
        ({"SNOWFLAKE_URL": "http://a-b.snowflakecomputing.com"}, "SNOWFLAKE_URL", "https://HOST:PORT"),
        ({"SNOWFLAKE_URL": "https://"}, "SNOWFLAKE_URL", "the host is missing"),
        ({"SNOWFLAKE_URL": "https://u@h"}, "SNOWFLAKE_URL", "https://HOST:PORT"),
        ({"SNOWFLAKE_URL": "https://u:p@h"}, "SNOWFLAKE_URL", "must not hold a credential"),
        ({"CONTROL_SQLITE_PATH": "postgresql://u:p@h/db"}, "CONTROL_SQLITE_PATH", "must not hold a credential"),
        ({"SNOWFLAKE_PRIVATE_KEY": ""}, "SNOWFLAKE_PRIVATE_KEY_FILE", "or set SNOWFLAKE_PRIVATE_KEY"),
        ({"SNOWFLAKE_STREAMING_PROPERTIES": '{"url": "x"}'}, "SNOWFLAKE_STREAMING_PROPERTIES", "SNOWFLAKE_URL"),
        ({"CONTROL_STORE": "postgres"}, "CONTROL_POSTGRES_DSN", "is required"),
        ({"CONTROL_STORE": "snowflake"}, "SNOWFLAKE_WAREHOUSE", "is required"),
        (QUARANTINE, "SNOWFLAKE_WAREHOUSE", "is required with SNOWFLAKE_ON_REJECT=quarantine"),
        (
            QUARANTINE | WAREHOUSE | {"SNOWFLAKE_TABLE": "T" * 245},
            "SNOWFLAKE_TABLE",
            "_QUARANTINE has to fit behind it",
        ),
        (QUARANTINE | WAREHOUSE | {"SNOWFLAKE_TABLE": "T" * 256}, "SNOWFLAKE_TABLE", "longer than 255"),
        ({"CONTROL_OWNERSHIP_MODE": "local_single_consumer_smoke"}, "CONTROL_OWNERSHIP_MODE", "snowflake alone"),
        ({"CONTROL_SQLITE_PATH": "/"}, "CONTROL_SQLITE_PATH", "is a directory"),
        ({"CONTROL_SQLITE_PATH": "/dev/null"}, "CONTROL_SQLITE_PATH", "is a pipe or a device"),
        ({"EVENTHUB_PREFETCH": '"300"'}, "EVENTHUB_PREFETCH", "stands in quotes"),
        ({"EVENTHUB_CA_FILE": '"ca.pem"'}, "EVENTHUB_CA_FILE", "stands in quotes"),
        ({"SNOWFLAKE_STREAMING_PROPERTIES": """'{"a": "b"}'"""}, "SNOWFLAKE_STREAMING_PROPERTIES", "in quotes"),
        ({"EVSUP_DRAIN_TIMEOUT": "30000"}, "EVSUP_DRAIN_TIMEOUT", "at most 3600"),
        ({"EVSUP_STATE_DIR": "/" + "d" * 90}, "EVSUP_STATE_DIR", "too long for a Unix socket"),
        ({"EVSUP_HTTP_ADDRESS": "127.0.0.1"}, "EVSUP_HTTP_ADDRESS", "must be IP:PORT alone"),
        ({"EVSUP_HTTP_ADDRESS": ":9464"}, "EVSUP_HTTP_ADDRESS", "the host is missing"),
        ({"EVSUP_HTTP_ADDRESS": "::1:9464"}, "EVSUP_HTTP_ADDRESS", "the port must be a number"),
        ({"EVSUP_HTTP_ADDRESS": "127.0.0.1:0"}, "EVSUP_HTTP_ADDRESS", "from 1 to 65535"),
        ({"EVSUP_HTTP_ADDRESS": "localhost:9464"}, "EVSUP_HTTP_ADDRESS", "not a name"),
        ({"EVSUP_HTTP_ADDRESS": "http://127.0.0.1:9464"}, "EVSUP_HTTP_ADDRESS", "must be IP:PORT alone"),
        ({"EVSUP_HTTP_ADDRESS": "127.0.0.1:9464/metrics"}, "EVSUP_HTTP_ADDRESS", "must be IP:PORT alone"),
    ],
)
def test_one_wrong_setting_is_one_fault(changes: dict[str, str], variable: str, reason: str) -> None:
    text = fault_text(complete(**changes))
    assert "1 fault\n" in text
    assert f"\n  {variable}" in text
    assert " ".join(reason.split()) in " ".join(text.split())


@pytest.mark.parametrize("position", ["-1", "@latest", "2026-01-31T00:00:00Z", "2026-01-31T01:00:00+01:00"])
def test_a_starting_position_says_where(position: str) -> None:
    assert loaded(EVENTHUB_STARTING_POSITION=position).settings.eventhub.starting_position == position


def test_a_starting_position_of_zero_is_refused() -> None:
    text = fault_text(complete(EVENTHUB_STARTING_POSITION="0"))
    assert "would skip the first event" in " ".join(text.split())
    assert "Example: EVENTHUB_STARTING_POSITION=-1" in text


def test_a_max_wait_time_of_zero_is_allowed() -> None:
    assert loaded(EVENTHUB_MAX_WAIT_TIME="0").settings.eventhub.max_wait_time == 0


@pytest.mark.parametrize("cloud", ["usgovcloudapi.net", "chinacloudapi.cn"])
def test_sovereign_clouds_are_azure_too(cloud: str) -> None:
    assert fault_text(complete(EVENTHUB_NAMESPACE=f"ns.servicebus.{cloud}")) == ""


NUMBERS = [each for each in VARIABLES.values() if isinstance(each.kind, inspect.IntType | inspect.FloatType)]


@pytest.mark.parametrize("text", ["99999999999999999999", "1e308", "-1", "1e-308"])
@pytest.mark.parametrize("variable", NUMBERS, ids=lambda variable: variable.name)
def test_a_number_beyond_all_sense_is_refused_by_every_setting(variable: Variable, text: str) -> None:
    if text == "1e-308" and variable.name in SMALL_NUMBERS:
        return
    assert f"{variable.name} = " in fault_text(complete(**{variable.name: text}))


def test_the_shortest_lease_leaves_a_worker_the_time_to_start() -> None:
    shortest = VARIABLES["EVENTHUB_OWNERSHIP_EXPIRATION"].kind
    assert isinstance(shortest, inspect.FloatType)
    assert shortest.ge is not None
    assert trust_window_s(shortest.ge) >= 3.0


@pytest.mark.parametrize("interval", ["20", "700", "1100"])
def test_the_lease_that_a_fault_proposes_is_itself_a_valid_one(interval: str) -> None:
    text = fault_text(complete(EVENTHUB_LOAD_BALANCING_INTERVAL=interval))
    proposed = text.partition("Example: EVENTHUB_OWNERSHIP_EXPIRATION=")[2].split()[0]
    changes = {"EVENTHUB_LOAD_BALANCING_INTERVAL": interval, "EVENTHUB_OWNERSHIP_EXPIRATION": proposed}
    assert fault_text(complete(**changes)) == ""


def test_a_commit_timeout_shorter_than_snowflake_needs_is_pointed_out() -> None:
    assert "less than Snowflake usually takes" in " ".join(loaded(SNOWFLAKE_COMMIT_TIMEOUT="4").warnings)


def test_a_malformed_interval_makes_no_second_fault_of_the_expiration() -> None:
    text = fault_text(complete(EVENTHUB_LOAD_BALANCING_INTERVAL="often", EVENTHUB_OWNERSHIP_EXPIRATION="20"))
    assert "1 fault\n" in text


# --- connection string ------------------------------------------------------------------------------------------------


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
        ('org.apache.kafka.common.security.plain.PlainLoginModule required password="canary";', "behind password="),
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


# --- private key ------------------------------------------------------------------------------------------------------


def test_both_sources_of_the_key_at_once_are_refused(tmp_path: Path) -> None:
    environ = keyed(tmp_path / "key.p8", key()) | {"SNOWFLAKE_PRIVATE_KEY": key()}
    assert "drop one of the two" in fault_text(environ)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("ec", "not an RSA key"),
        ("weak", "has 1024 bits"),
        ("public", "the private one is needed"),
    ],
)
def test_a_key_that_snowflake_refuses_is_refused_first(kind: KeyKind, reason: str, tmp_path: Path) -> None:
    assert reason in fault_text(keyed(tmp_path / "key.pem", key(kind)))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a password", "is not PEM"),
        (key()[:300], "ends before its last line"),
        (key().replace(key().splitlines()[7], ""), "part of it is missing or changed"),
        (with_one_wrong_character(key(), line=3), "part of it is missing or changed"),
        (with_one_wrong_character(key(), line=12), "part of it is missing or changed"),
        (with_one_wrong_character(key(), line=24), "part of it is missing or changed"),
        ("\N{SNOWMAN}", "is not PEM"),
        (key().replace(key().splitlines()[3], "abc…"), "'\\u2026' in line 4"),
        (key().replace("-----BEGIN", "—BEGIN"), "five hyphens at each end"),
        (key() + key(), "more than one private key"),
        ("/etc/evsup/rsa_key.p8", "belongs in SNOWFLAKE_PRIVATE_KEY_FILE"),
        ("ssh-rsa AAAAB3 me@here", "a public key of OpenSSH"),
        ("PuTTY-User-Key-File-3: ssh-rsa", "in PuTTY's format"),
        ('{"type": "service_account"}', "is JSON"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blb\n-----END OPENSSH PRIVATE KEY-----", "ssh-keygen -p -m PKCS8"),
        ("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----", "is a certificate"),
    ],
)
def test_a_damaged_key_is_refused_without_quoting_it(text: str, reason: str, tmp_path: Path) -> None:
    said = fault_text(keyed(tmp_path / "key.pem", text))
    assert reason in " ".join(said.split())
    assert key()[200:220] not in said


def test_a_key_file_must_be_a_readable_file(tmp_path: Path) -> None:
    environ = complete(SNOWFLAKE_PRIVATE_KEY="")
    assert "no such file" in fault_text(environ | {"SNOWFLAKE_PRIVATE_KEY_FILE": "nowhere"})
    assert "is a directory" in fault_text(environ | {"SNOWFLAKE_PRIVATE_KEY_FILE": str(tmp_path)})
    assert "cannot be read: File name too long" in fault_text(environ | {"SNOWFLAKE_PRIVATE_KEY_FILE": "n" * 300})
    assert "is a pipe or a device" in fault_text(environ | {"SNOWFLAKE_PRIVATE_KEY_FILE": "/dev/null"})


def test_an_encrypted_key_needs_its_passphrase(tmp_path: Path) -> None:
    environ = keyed(tmp_path / "key.p8", key("encrypted"))
    assert "SNOWFLAKE_PRIVATE_KEY_PASSPHRASE\n      is required" in fault_text(environ)
    assert "does not open" in fault_text(environ | {"SNOWFLAKE_PRIVATE_KEY_PASSPHRASE": "wrong"})
    assert fault_text(environ | {"SNOWFLAKE_PRIVATE_KEY_PASSPHRASE": PASSPHRASE}) == ""


def test_a_key_file_that_others_can_read_is_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "key.p8"
    environ = keyed(path, key())
    path.chmod(0o644)
    (warning,) = loaded(**environ).warnings
    assert f"chmod 600 {path}" in warning


# --- names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pipe", ["FLIGHTS-STREAMING", "flights-streaming", "MY_PIPE", '"My Pipe"'])
def test_a_default_pipe_may_be_named_outright(pipe: str) -> None:
    assert loaded(SNOWFLAKE_PIPE=pipe).settings.snowflake.pipe_name == pipe


@pytest.mark.parametrize(
    ("table", "pipe"),
    [
        ("FLIGHTS", "FLIGHTS-STREAMING"),
        ("flights", "FLIGHTS-STREAMING"),
        ('"My ""own"" table"', 'My "own" table-STREAMING'),
    ],
)
def test_the_default_pipe_has_the_table_s_stored_name(table: str, pipe: str) -> None:
    assert loaded(SNOWFLAKE_TABLE=table).settings.snowflake.pipe_name == pipe


# --- control store ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dsn", ["postgresql://u:p@h/db?sslmode=verify-full", "host=h password='a b'"])
def test_any_libpq_dsn_will_do(dsn: str) -> None:
    assert fault_text(complete(CONTROL_STORE="postgres", CONTROL_POSTGRES_DSN=dsn)) == ""


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://u:canary@[::1/db",
        "canary",
        "host=h passwort=canary",
        "postgresql://u:canary%ff@h/db",
        "postgresql://u:can@ary@h/db",
        "postgresql://u:can/ary@h/db",
    ],
)
def test_a_broken_dsn_is_explained_without_quoting_it(dsn: str) -> None:
    text = fault_text(complete(CONTROL_STORE="postgres", CONTROL_POSTGRES_DSN=dsn))
    assert "not a libpq connection string" in text
    assert "canary" not in text


def test_a_dsn_without_its_store_is_a_warning() -> None:
    (warning,) = loaded(CONTROL_POSTGRES_DSN="postgresql://h/db").warnings
    assert warning == "CONTROL_POSTGRES_DSN is not used: CONTROL_STORE=sqlite"


# --- process ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["127.0.0.1:9464", "[::1]:9464"])
def test_http_on_the_loopback_is_nobody_s_concern(address: str) -> None:
    assert loaded(EVSUP_HTTP_ADDRESS=address).warnings == ()


@pytest.mark.parametrize("address", ["0.0.0.0:9464", "[::]:9464", "10.0.0.4:9464"])
def test_http_that_others_can_reach_is_a_warning(address: str) -> None:
    (warning,) = loaded(EVSUP_HTTP_ADDRESS=address).warnings
    assert address in warning
    assert "without authentication" in warning


# --- not in this version ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("SNOWFLAKE_ROW_FORMAT", "columns"),
        ("SNOWFLAKE_CHANNELS_PER_PARTITION", "2"),
    ],
)
def test_what_is_not_built_is_refused_and_never_ignored(variable: str, text: str) -> None:
    said = fault_text(complete(**{variable: text}))
    assert f"{variable} = '{text}'" in said
    assert "not available in this version" in said
    assert variable in {row.variable for row in NOT_YET}

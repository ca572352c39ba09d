"""What goes together, and what this version refuses."""

from pathlib import Path

import pytest
from msgspec import inspect

from shared.config.rules.process import CA_BUNDLES
from shared.config.variables import VARIABLES, Variable
from supervisor.ownership.trust import trust_window_s
from tests.unit.shared.config.configurations import (
    complete,
    fault_text,
    loaded,
)

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
        ({"EVENTHUB_SCHEMA_REGISTRY": "ns"}, "EVENTHUB_SCHEMA_REGISTRY", "host name alone"),
        ({"EVENTHUB_SCHEMA_REGISTRY": "https://ns.servicebus.windows.net"}, "EVENTHUB_SCHEMA_REGISTRY", "name alone"),
        ({"EVENTHUB_SCHEMA_REGISTRY": "ns.servicebus.windows.net/x"}, "EVENTHUB_SCHEMA_REGISTRY", "host name alone"),
        ({"EVENTHUB_SCHEMA_REGISTRY": "ns.example:0"}, "EVENTHUB_SCHEMA_REGISTRY", "the port must be"),
        ({"EVSUP_MAPPER": "flights.mapper"}, "EVSUP_MAPPER", "package.module:function"),
        ({"EVSUP_MAPPER": "os:system('x')"}, "EVSUP_MAPPER", "package.module:function"),
        ({"EVENTHUB_AVRO_SCHEMA_FILE": "none.avsc"}, "EVENTHUB_AVRO_SCHEMA_FILE", "there is no such file"),
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
            "_QUARANTINE has to fit after it",
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
        ({"EVSUP_HTTP_HOSTS": "*"}, "EVSUP_HTTP_HOSTS", "each without a port or a *"),
        ({"EVSUP_HTTP_HOSTS": "a.example, .b.example"}, "EVSUP_HTTP_HOSTS", "must be names of hosts"),
        ({"EVSUP_HTTP_HOSTS": "a.example:9464"}, "EVSUP_HTTP_HOSTS", "without a port or a *"),
        ({"EVSUP_HTTP_HOSTS": "a.example b.example"}, "EVSUP_HTTP_HOSTS", "with commas between"),
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


def test_names_of_hosts_are_used_with_an_address_alone() -> None:
    names = {"EVSUP_HTTP_HOSTS": "a.example , B.example,"}
    used = loaded(EVSUP_HTTP_ADDRESS="127.0.0.1:9464", **names)
    assert (used.settings.process.http_names, used.warnings) == (("a.example", "B.example"), ())
    (warning,) = loaded(**names).warnings
    assert warning == "EVSUP_HTTP_HOSTS is not used without EVSUP_HTTP_ADDRESS"


@pytest.mark.parametrize("address", ["0.0.0.0:9464", "[::]:9464", "10.0.0.4:9464"])
def test_http_that_others_can_reach_is_a_warning(address: str) -> None:
    (warning,) = loaded(EVSUP_HTTP_ADDRESS=address).warnings
    assert address in warning
    assert "without authentication" in warning


@pytest.mark.parametrize("variable", CA_BUNDLES)
def test_a_bundle_of_the_environment_that_is_not_there_is_named_before_a_library_fails_with_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str
) -> None:
    for each in CA_BUNDLES:
        monkeypatch.delenv(each, raising=False)
    for path in (tmp_path / "nowhere.crt", Path("/dev/null")):
        monkeypatch.setenv(variable, str(path))
        assert f"{variable}\n      " in fault_text(complete())
    for path in (tmp_path, Path(__file__)):
        monkeypatch.setenv(variable, str(path))
        assert loaded().warnings == ()


def test_of_two_bundles_of_the_environment_the_one_that_is_used_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", __file__)
    monkeypatch.setenv("CURL_CA_BUNDLE", "/nowhere")
    assert loaded().warnings == ()


# --- a column for each key --------------------------------------------------------------------------------------------


def test_a_column_for_each_key_needs_the_columns_to_be_seen() -> None:
    assert loaded(SNOWFLAKE_ROW_FORMAT="columns").settings.snowflake.row_format == "columns"
    said = fault_text(complete(SNOWFLAKE_ROW_FORMAT="columns", SNOWFLAKE_CHECK_COLUMNS="false"))
    assert "SNOWFLAKE_CHECK_COLUMNS = 'false'" in said


def test_what_is_said_of_unknown_keys_and_has_no_effect_is_a_warning() -> None:
    (warning,) = loaded(SNOWFLAKE_ON_UNKNOWN_KEY="evolve").warnings
    assert "SNOWFLAKE_ROW_FORMAT=columns" in warning
    assert loaded(SNOWFLAKE_ON_UNKNOWN_KEY="evolve", SNOWFLAKE_ROW_FORMAT="columns").warnings == ()


# --- Avro -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is no JSON"),
        ("{", "is no JSON"),
        ('"nothing"', "is no Avro schema"),
        ('{"type": "record"}', 'is no Avro schema: "name" is missing ($): add it'),
        (
            '{"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}, {"name": "a", "type": "int"}]}',
            "is no Avro schema: the record 'R' has the field 'a' twice ($.fields[1]): rename one",
        ),
    ],
)
def test_a_file_that_is_no_avro_schema_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "a.avsc").write_text(text)
    assert reason in " ".join(fault_text(complete(EVENTHUB_AVRO_SCHEMA_FILE="a.avsc")).split())


def test_what_decodes_avro_is_not_used_with_raw_bodies(tmp_path: Path) -> None:
    (tmp_path / "a.avsc").write_text('"long"')
    (warning,) = loaded(EVENTHUB_BODY="raw", EVENTHUB_AVRO_SCHEMA_FILE="a.avsc").warnings
    assert "EVENTHUB_AVRO_SCHEMA_FILE is not used" in warning
    assert (
        loaded(EVENTHUB_AVRO_SCHEMA_FILE="a.avsc", EVENTHUB_SCHEMA_REGISTRY="ns.servicebus.windows.net").warnings == ()
    )

"""The SDK's environment and properties, and what is found when Snowflake cannot be reached."""

import socket
from pathlib import Path

import pytest

from shared.errors import ConfigurationError, SinkUnavailable
from shared.log.secret import Secret
from shared.snowflake import tls_probe
from shared.snowflake.tables import address
from tests.unit.plain_settings import snowflake
from tests.unit.shared.config.configurations import PASSPHRASE, key
from worker.sink.channel import Channel
from worker.sink.sdk import client_properties, prepare_environment, probe

SECRETS = {"private_key": Secret(key("encrypted")), "private_key_passphrase": Secret(PASSPHRASE)}


def test_the_sdk_logs_to_stderr_and_serves_no_metrics() -> None:
    environ = {"SS_LOG_TARGET": "stdout", "SS_ENABLE_METRICS": "true"}
    prepare_environment(snowflake(), environ)
    assert environ == {
        "SS_LOG_TARGET": "stderr",
        "SS_LOG_LEVEL": "warn",
        "SS_ENABLE_METRICS": "false",
        "SS_PROCESS_INFO_REFRESH_DURATION_MS": "1000",
    }


def test_a_log_level_of_the_operator_stays() -> None:
    environ = {"SS_LOG_LEVEL": "debug"}
    prepare_environment(snowflake(), environ)
    assert environ["SS_LOG_LEVEL"] == "debug"


def test_a_ca_file_is_added_to_the_systems() -> None:
    environ: dict[str, str] = {}
    prepare_environment(snowflake(ca_file="/etc/ssl/ca.pem"), environ)
    assert environ["SSL_CERT_FILE"] == "/etc/ssl/ca.pem"
    assert environ["SSL_CERT_DIR"] == "/etc/ssl/certs"


@pytest.mark.parametrize("version", ["1.4.0", "1.6.2"])
def test_a_ca_file_is_refused_with_an_sdk_that_would_pass_over_it(
    monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda _: version)
    with pytest.raises(ConfigurationError, match=f"SNOWFLAKE_CA_FILE cannot be used: .*{version}"):
        prepare_environment(snowflake(ca_file="/etc/ssl/ca.pem"), {})
    prepare_environment(snowflake(), {})


@pytest.mark.parametrize("version", ["1.7.0", "1.10.1", "2.0.0rc1"])
def test_a_ca_file_is_taken_with_an_sdk_that_reads_it(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda _: version)
    prepare_environment(snowflake(ca_file="/etc/ssl/ca.pem"), {})


def test_properties_leave_out_what_is_not_set() -> None:
    assert client_properties(snowflake(**SECRETS)) == {
        "mem_throttle_by_process": "false",
        "account": "myorg-myaccount",
        "user": "EVSUP",
        "url": "https://myorg-myaccount.snowflakecomputing.com:443",
        "private_key": key(),
    }


def test_a_key_file_that_is_gone_since_the_start_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no such file"):
        client_properties(snowflake(private_key_file=str(tmp_path / "key.p8")))


def test_properties_of_the_operator_override_ours() -> None:
    extra = {"mem_throttle_by_process": "true", "role": "OTHER"}
    properties = client_properties(snowflake(role="EVSUP_ROLE", streaming_properties=extra, **SECRETS))
    assert properties["role"] == "OTHER"
    assert properties["mem_throttle_by_process"] == "true"


def test_client_credentials_are_given_to_the_sdk_which_renews_its_tokens() -> None:
    oauth = {
        "oauth_client_id": "evsup",
        "oauth_client_secret": Secret("c4nary"),
        "oauth_token_endpoint": "https://login.example.com/token",
    }
    properties = client_properties(snowflake(role="LOADER", **oauth))
    assert "private_key" not in properties
    assert properties == properties | {
        "authorization_type": "OAUTH",
        "oauth_client_id": "evsup",
        "oauth_client_secret": "c4nary",
        "oauth_token_endpoint": "https://login.example.com/token",
        "oauth_scope": "session:role:LOADER",
    }


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (None, ("myorg-myaccount.snowflakecomputing.com", 443)),
        ("https://localhost:8443", ("localhost", 8443)),
        ("https://myorg-my_account.snowflakecomputing.com", ("myorg-my-account.snowflakecomputing.com", 443)),
        ("https://snow_flake.example.com", ("snow_flake.example.com", 443)),
        ("https://acme.privatelink.snowflakecomputing.com", ("acme.privatelink.snowflakecomputing.com", 443)),
    ],
)
def test_the_address_is_the_accounts_or_the_one_that_is_set(url: str | None, expected: tuple[str, int]) -> None:
    assert address(snowflake(url=url)) == expected


@pytest.mark.parametrize("listens", [False, True])
def test_a_port_where_nobody_answers_is_an_unavailable_sink(monkeypatch: pytest.MonkeyPatch, listens: bool) -> None:
    monkeypatch.delenv("HTTPS_PROXY", raising=False)
    monkeypatch.delenv("https_proxy", raising=False)
    monkeypatch.setattr(tls_probe, "TIMEOUT_S", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        if listens:
            silent.listen()
        with pytest.raises(SinkUnavailable, match=f"127.0.0.1:{port}"):
            probe(snowflake(url=f"https://127.0.0.1:{port}"))


@pytest.mark.parametrize("host", ["a..b", ".", "x" * 64])
def test_a_host_that_cannot_exist_is_a_fault_of_the_setting(host: str) -> None:
    with pytest.raises(ConfigurationError, match="SNOWFLAKE_ACCOUNT or SNOWFLAKE_URL"):
        probe(snowflake(url=f"https://{host}:443"))


def test_neither_settings_nor_a_channel_show_a_secret() -> None:
    settings = snowflake(**SECRETS)
    shown = f"{settings!r} {Channel(settings, 'C')!r} {vars(Channel(settings, 'C'))!r}"
    assert "KEY" not in shown
    assert PASSPHRASE not in shown

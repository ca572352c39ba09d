"""The channel's adapter: what the SDK raises, how rows go in, and how a channel is left."""

import socket
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from shared.errors import (
    Bug,
    ChannelGone,
    ConfigurationError,
    DataRefused,
    EvsupError,
    NotSignedIn,
    SinkUnavailable,
)
from shared.ipc.messages import ChannelStatus
from shared.log.secret import Secret
from shared.snowflake import handshake
from shared.snowflake.tables import address
from tests.unit.plain_settings import snowflake
from tests.unit.shared.config.configurations import PASSPHRASE, key
from tests.unit.worker.sink.streaming_sdk import from_source
from worker.sink import channel as sink
from worker.sink.channel import (
    PASSING,
    SATURATED,
    Channel,
    Saturated,
    client_properties,
    prepare_environment,
    translated,
)

ROWS = [{"SEQUENCE_NUMBER": number} for number in (5, 6, 7)]
SECRETS = {"private_key": Secret(key("encrypted")), "private_key_passphrase": Secret(PASSPHRASE)}


class SdkError(Exception):
    """Stands for `StreamingIngestError`, whose package starts native threads."""

    def __init__(self, code: str, text: str = "it failed") -> None:
        super().__init__(text)
        self.error_code = SimpleNamespace(value=code)


def codes_of_the_installed_sdk() -> list[str]:
    return sorted(code.value for code in from_source("streaming_ingest_error", "StreamingIngestErrorCode"))


OTHER_THAN_UNAVAILABLE: dict[str, type[EvsupError]] = {
    "ChannelNotFound": ChannelGone,
    "AuthTokenError": NotSignedIn,
    "SfApiAuthError": NotSignedIn,
    "SfApiNotFoundError": ConfigurationError,
    "SfApiUserError": ConfigurationError,
    "ConfigError": ConfigurationError,
    "InvalidArgument": ConfigurationError,
}


@pytest.mark.parametrize("code", [*codes_of_the_installed_sdk(), "SomethingNewer"])
def test_every_error_code_of_the_sdk_is_one_of_our_errors(code: str) -> None:
    error = translated(SdkError(code), "Rows cannot be appended", snowflake())
    assert type(error) is OTHER_THAN_UNAVAILABLE.get(code, SinkUnavailable)
    assert "it failed" in error.why
    assert error.fix


def test_a_code_that_the_sdk_does_not_know_is_a_failed_sink_and_said_once() -> None:
    fatal = from_source("streaming_ingest_error", "StreamingIngestErrorCode").FATAL
    raised = from_source("streaming_ingest_error", "StreamingIngestError")(
        fatal, "Unknown error code 'QuotaExceeded': no more rows today", 500, "Internal Server Error"
    )
    error = translated(raised, "Rows cannot be appended", snowflake())
    assert type(error) is SinkUnavailable
    assert error.why.startswith("Fatal: Unknown error code 'QuotaExceeded': no more rows today")


def test_the_codes_that_are_told_apart_exist() -> None:
    assert {*OTHER_THAN_UNAVAILABLE, *SATURATED, "InvalidChannelError"} <= set(codes_of_the_installed_sdk())


@pytest.mark.parametrize("error", [TimeoutError("late"), ConnectionRefusedError("no"), OSError("disk")])
def test_an_error_of_the_system_is_a_failed_sink(error: Exception) -> None:
    assert type(translated(error, "", snowflake())) is SinkUnavailable


@pytest.mark.parametrize("error", [ValueError("Failed to serialize rows to JSON"), TypeError("int"), KeyError("x")])
def test_an_error_without_a_code_is_our_bug(error: Exception) -> None:
    assert type(translated(error, "", snowflake())) is Bug


def test_a_credential_in_an_error_is_masked() -> None:
    error = translated(SdkError("Fatal", "Authorization: Bearer abc.def.ghi"), "", snowflake())
    assert "abc.def.ghi" not in str(error)


PAYLOAD_TOO_LARGE = "Error: HTTP request failed for API insert_rows. HTTP 413, error_code=PAYLOAD_TOO_LARGE, message=no"


def test_a_row_that_no_request_takes_is_refused_with_its_address_and_what_to_change() -> None:
    channel = channel_with(SdkChannel(None, SdkError("InvalidChannelError", PAYLOAD_TOO_LARGE)))
    channel.append([{"SEQUENCE_NUMBER": 5, "OFFSET": "77", "RAW_BODY": b"\xff" * 5_000_000}], 5, 5)
    with pytest.raises(DataRefused, match="SNOWFLAKE_STREAMING_PROPERTIES") as refused:
        channel.status()
    assert refused.value.what == "Event 5, offset 77: its row is larger than a request to Snowflake may be"


REQUEST = "url=https://a/rows?startOffsetToken={}&endOffsetToken={}&continuationToken=1_1"


@pytest.mark.parametrize(
    ("committed", "request_of", "said"),
    [
        ("4", REQUEST.format(6, 6), "Event 6, offset 60: its row is"),
        ("4", REQUEST.format(3, 5), "Event 5, offset 50: its row is"),
        ("4", REQUEST.format(8, 8), "Event 8: its row is"),
        ("4", REQUEST.format(8, 9), "Events 8 to 9: their rows together are"),
        ("4", "", "Event 5, offset 50; Event 6, offset 60; Event 7, offset 70: the row of one of them is"),
        ("6", "", "Event 7, offset 70: its row is"),
    ],
)
def test_of_the_rows_in_flight_those_in_the_request_that_was_too_large_are_named(
    committed: str, request_of: str, said: str
) -> None:
    refusal = SdkError("InvalidChannelError", f"{PAYLOAD_TOO_LARGE}, {request_of}")
    sdk = SdkChannel(None, None, None, None, refusal)
    sdk.token = committed
    channel = channel_with(sdk)
    for number in (5, 6, 7):
        row = {"SEQUENCE_NUMBER": number, "OFFSET": f"{number}0", "RAW_BODY": b"\xff" * 5_000_000}
        channel.append([row], number, number)
    channel.status()
    with pytest.raises(DataRefused) as refused:
        channel.status()
    assert refused.value.what == f"{said} larger than a request to Snowflake may be"


def test_without_such_a_row_and_its_request_one_that_is_too_large_is_a_failed_sink() -> None:
    channel = channel_with(SdkChannel(None, SdkError("InvalidChannelError", PAYLOAD_TOO_LARGE)))
    channel.append(ROWS, 5, 7)
    with pytest.raises(SinkUnavailable):
        channel.status()


def test_whoever_waits_for_a_status_has_asked_for_one_however_late_it_is() -> None:
    sdk = SdkChannel()
    channel = channel_with(sdk)
    assert channel.await_status(lambda one: one.token == 7, 0.0) == ChannelStatus(7, 0)
    assert channel.await_status(lambda one: one.token == 8, 0.0) is None
    assert sdk.calls == [("get_channel_status",)] * 2


def test_bytes_that_are_no_text_are_refused_by_a_pipe_that_takes_text_alone() -> None:
    sdk = SdkChannel()
    channel = channel_with(sdk)
    channel._takes_utf8_alone = True
    channel.append([{"SEQUENCE_NUMBER": 5, "RAW_BODY": "é".encode(), "DECODE_ERROR": "no"}, *ROWS[1:]], 5, 7)
    assert len(sdk.calls) == 1
    with pytest.raises(DataRefused, match=r"the pipe takes BINARY as UTF-8 text.*SNOWFLAKE_PIPE") as refused:
        channel.append([{"SEQUENCE_NUMBER": 8, "OFFSET": "9", "RAW_BODY": b"\xff", "DECODE_ERROR": "no"}], 8, 8)
    assert refused.value.what.startswith("Event 8, offset 9:")
    assert len(sdk.calls) == 1


class SdkChannel:
    """Records the calls of a channel; raises what it is told to."""

    token = "7"

    def __init__(self, *errors: Exception | None) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self._errors = list(errors)

    def append_rows(self, rows: Sequence[Any], start: str, end: str) -> None:
        self._record("append_rows", rows, start, end)

    def get_channel_status(self) -> object:
        self._record("get_channel_status")
        return SimpleNamespace(status_code="SUCCESS", latest_committed_offset_token=self.token, rows_error_count=0)

    def initiate_flush(self) -> None:
        self._record("initiate_flush")

    def close(self, **options: object) -> None:
        self._record("close", options)

    def _record(self, *call: object) -> None:
        error = self._errors.pop(0) if self._errors else None
        if error:
            self.calls.append((call[0], "refused"))
            raise error
        self.calls.append(call)


class PreviewChannel:
    """A channel of an SDK that has no `append_rows`."""

    def __init__(self, *errors: Exception | None) -> None:
        self.taken: list[tuple[int, str]] = []
        self._errors = list(errors)

    def append_row(self, row: dict[str, int], token: str) -> None:
        error = self._errors.pop(0) if self._errors else None
        if error:
            raise error
        self.taken.append((row["SEQUENCE_NUMBER"], token))


def channel_with(sdk: object, client: object = None) -> Channel:
    channel = Channel(snowflake(), "EVSUP_FLIGHTS_0")
    channel._channel, channel._client = sdk, client
    return channel


def test_an_append_carries_its_tokens_as_text() -> None:
    sdk = SdkChannel()
    channel_with(sdk).append(tuple(ROWS), 5, 7)
    assert sdk.calls == [("append_rows", ROWS, "5", "7")]


@pytest.mark.parametrize("code", sorted(SATURATED))
def test_a_saturated_sdk_is_no_failure(code: str) -> None:
    channel = channel_with(SdkChannel(SdkError(code)))
    with pytest.raises(Saturated, match="it failed"):
        channel.append(ROWS, 5, 7)
    channel.append(ROWS, 5, 7)


@pytest.mark.parametrize("code", sorted(PASSING))
def test_a_status_that_the_service_cannot_give_for_now_is_asked_for_again(code: str) -> None:
    assert channel_with(SdkChannel(SdkError(code))).status() is None


@pytest.mark.parametrize("code", sorted(SATURATED))
def test_a_flush_that_fails_is_a_failed_sink(code: str) -> None:
    with pytest.raises(SinkUnavailable):
        channel_with(SdkChannel(SdkError(code))).flush_soon()


def test_without_append_rows_each_row_carries_its_own_number() -> None:
    sdk = PreviewChannel()
    channel = channel_with(sdk)
    channel.append(ROWS, 5, 7)
    channel.append(ROWS[:1], 5, 5)
    assert sdk.taken == [(5, "5"), (6, "6"), (7, "7"), (5, "5")]


def test_without_append_rows_a_retry_repeats_no_row_that_was_taken() -> None:
    sdk = PreviewChannel(None, SdkError("ReceiverSaturated"), None, SdkError("ReceiverSaturated"))
    channel = channel_with(sdk)
    for _ in range(2):
        with pytest.raises(Saturated):
            channel.append(ROWS, 5, 7)
    channel.append(ROWS, 5, 7)
    assert [number for number, _ in sdk.taken] == [5, 6, 7]


def test_a_status_is_read_and_a_flush_only_begun() -> None:
    sdk = SdkChannel()
    status = channel_with(sdk).status()
    assert status is not None
    assert status.token == 7
    channel_with(sdk).flush_soon()
    assert [call[0] for call in sdk.calls] == ["get_channel_status", "initiate_flush"]


@pytest.mark.parametrize("error", [None, SdkError("InvalidChannelError"), TimeoutError()])
def test_an_abandoned_channel_is_closed_once_without_a_flush(error: Exception | None) -> None:
    sdk, client = SdkChannel(error), SdkChannel(error)
    channel_with(sdk, client).abandon()
    assert [call[0] for call in sdk.calls] == [call[0] for call in client.calls] == ["close"]
    if error is None:
        assert sdk.calls == [("close", {"wait_for_flush": False})]
        assert client.calls == [("close", {"wait_for_flush": False, "timeout_seconds": 0})]


def test_a_channel_that_never_opened_can_be_abandoned() -> None:
    Channel(snowflake(), "C").abandon()


# --- environment and properties ---------------------------------------------------------------------------------------


def test_the_sdk_logs_to_stderr_and_serves_no_metrics() -> None:
    environ = {"SS_LOG_TARGET": "stdout", "SS_ENABLE_METRICS": "true"}
    prepare_environment(snowflake(), environ)
    assert environ == {"SS_LOG_TARGET": "stderr", "SS_LOG_LEVEL": "warn", "SS_ENABLE_METRICS": "false"}


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
    monkeypatch.setattr(sink, "version", lambda _: version)
    with pytest.raises(ConfigurationError, match=f"SNOWFLAKE_CA_FILE cannot be used: .*{version}"):
        prepare_environment(snowflake(ca_file="/etc/ssl/ca.pem"), {})
    prepare_environment(snowflake(), {})


@pytest.mark.parametrize("version", ["1.7.0", "1.10.1", "2.0.0rc1"])
def test_a_ca_file_is_taken_with_an_sdk_that_reads_it(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.setattr(sink, "version", lambda _: version)
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


def test_of_the_properties_the_operator_has_the_last_word() -> None:
    extra = {"mem_throttle_by_process": "true", "role": "OTHER"}
    properties = client_properties(snowflake(role="EVSUP_ROLE", streaming_properties=extra, **SECRETS))
    assert properties["role"] == "OTHER"
    assert properties["mem_throttle_by_process"] == "true"


def test_client_credentials_are_the_sdks_to_renew() -> None:
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


def test_neither_settings_nor_a_channel_show_a_secret() -> None:
    settings = snowflake(**SECRETS)
    shown = f"{settings!r} {Channel(settings, 'C')!r} {vars(Channel(settings, 'C'))!r}"
    assert "KEY" not in shown
    assert PASSPHRASE not in shown


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
    monkeypatch.setattr(handshake, "TIMEOUT_S", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        if listens:
            silent.listen()
        with pytest.raises(SinkUnavailable, match=f"127.0.0.1:{port}"):
            Channel(snowflake(url=f"https://127.0.0.1:{port}"), "C").probe()


@pytest.mark.parametrize("host", ["a..b", ".", "x" * 64])
def test_a_host_that_can_be_no_name_is_a_fault_of_the_setting(host: str) -> None:
    with pytest.raises(ConfigurationError, match="SNOWFLAKE_ACCOUNT or SNOWFLAKE_URL"):
        sink.probe(snowflake(url=f"https://{host}:443"))

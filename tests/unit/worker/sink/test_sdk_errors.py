"""What the SDK raises, and which code of the service means what."""

import pytest

from shared.errors import (
    Bug,
    ChannelGone,
    ConfigurationError,
    EvsupError,
    LimitReached,
    NotSignedIn,
    OwnershipLost,
    SinkUnavailable,
)
from shared.ipc.messages import ChannelStatus
from tests.unit.plain_settings import snowflake
from tests.unit.worker.sink.stand_ins import SdkError
from tests.unit.worker.sink.streaming_sdk import from_source
from worker.sink.channel_status import verify
from worker.sink.sdk_errors import SATURATED, translate

# --- codes of the SDK -------------------------------------------------------------------------------------------------


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
    error = translate(SdkError(code), "Rows cannot be appended", snowflake())
    assert type(error) is OTHER_THAN_UNAVAILABLE.get(code, SinkUnavailable)
    assert "it failed" in error.why
    assert error.fix


@pytest.mark.parametrize(
    ("code", "status", "request_of", "is_account"),
    [
        ("SfApiUserError", 404, "get_subdomain_name", True),
        ("SfApiAuthError", 403, "get_subdomain_name", True),
        ("SfApiAuthError", 401, "get_subdomain_name", False),
        ("SfApiUserError", 404, "open_channel", False),
        ("SfApiAuthError", 403, "open_channel", False),
    ],
)
def test_what_an_account_refuses_before_any_table_is_named_is_the_account(
    code: str, status: int, request_of: str, *, is_account: bool
) -> None:
    text = f"{code}: HTTP request failed for API {request_of}. HTTP {status}, error_code=X, message=no, url=https://a/"
    fix = translate(SdkError(code, text), "The channel cannot be opened", snowflake()).fix
    assert ("SNOWFLAKE_ACCOUNT" in fix) == is_account
    assert not (is_account and "GRANT INSERT" in fix)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_of_what_is_in_between_and_says_nothing_of_a_table(status: int) -> None:
    text = f"HTTP request failed with a non-retryable error for API open_channel. HTTP {status}, error_code=, message="
    error = translate(SdkError("SfApiUserError", text), "The channel cannot be opened", snowflake())
    assert type(error) is SinkUnavailable
    assert "network between" in error.fix


@pytest.mark.parametrize(
    ("inner", "kind"),
    [
        ("Failed to decode JWT token: Error(InvalidToken)", SinkUnavailable),
        (
            "Failed to refresh scoped token. Token is empty, scoped_token_refresh_url: https://h/oauth/token",
            SinkUnavailable,
        ),
        ("HTTP request failed with a non-retryable error for API refresh_scoped_token. HTTP 404", SinkUnavailable),
        ("HTTP request failed with a non-retryable error for API refresh_scoped_token. HTTP 400", NotSignedIn),
        ("HTTP request failed with an authentication error for API refresh_scoped_token. HTTP 401", NotSignedIn),
    ],
)
def test_a_page_in_place_of_a_token_refuses_no_key(inner: str, kind: type[EvsupError]) -> None:
    """What SDK 1.9.1 says of a proxy's page, of an empty answer and of each status."""
    text = f"Fail to create authorization token for C with error={inner} (HTTP 401 Unauthorized)"
    error = translate(SdkError("AuthTokenError", text), "The channel cannot be opened", snowflake())
    assert type(error) is kind
    assert ("SNOWFLAKE_URL" in error.fix) == (kind is SinkUnavailable)


def test_a_code_that_the_sdk_does_not_know_is_a_failed_sink_and_named_once() -> None:
    fatal = from_source("streaming_ingest_error", "StreamingIngestErrorCode").FATAL
    raised = from_source("streaming_ingest_error", "StreamingIngestError")(
        fatal, "Unknown error code 'QuotaExceeded': no more rows today", 500, "Internal Server Error"
    )
    error = translate(raised, "Rows cannot be appended", snowflake())
    assert type(error) is SinkUnavailable
    assert error.why.startswith("Fatal: Unknown error code 'QuotaExceeded': no more rows today")


def test_the_codes_that_are_told_apart_exist() -> None:
    assert {*OTHER_THAN_UNAVAILABLE, *SATURATED, "InvalidChannelError"} <= set(codes_of_the_installed_sdk())


@pytest.mark.parametrize("error", [TimeoutError("late"), ConnectionRefusedError("no"), OSError("disk")])
def test_an_error_of_the_system_is_a_failed_sink(error: Exception) -> None:
    assert type(translate(error, "", snowflake())) is SinkUnavailable


@pytest.mark.parametrize("error", [ValueError("Failed to serialize rows to JSON"), TypeError("int"), KeyError("x")])
def test_an_error_without_a_code_is_our_bug(error: Exception) -> None:
    assert type(translate(error, "", snowflake())) is Bug


def test_a_limit_of_the_host_is_no_bug() -> None:
    for error in (MemoryError(), RuntimeError("can't start new thread")):
        assert type(translate(error, "", snowflake())) is LimitReached


def test_a_credential_in_an_error_is_masked() -> None:
    error = translate(SdkError("Fatal", "Authorization: Bearer abc.def.ghi"), "", snowflake())
    assert "abc.def.ghi" not in str(error)


@pytest.mark.parametrize(
    ("inner", "expected"),
    [
        ("HTTP request failed with an authentication error for API refresh_scoped_token. HTTP 401", NotSignedIn),
        ("HTTP request failed with a retryable error for API refresh_scoped_token. HTTP 503", SinkUnavailable),
    ],
)
def test_a_channel_that_ended_with_its_key_is_a_refused_key_and_not_an_outage(
    inner: str, expected: type[EvsupError]
) -> None:
    text = (
        "Channel C is in an invalid state. Inner Error: Client C is in an invalid state. Inner Error: Fail to create"
        f' authorization token for C with error=Failed to refresh scoped token: AuthTokenError {{ message: "{inner}" }}'
    )
    error = translate(SdkError("InvalidChannelError", text), "Rows cannot be appended", snowflake())
    assert type(error) is expected
    assert inner in error.why
    assert (error.why == inner) == (expected is NotSignedIn), "the reason alone, without what it made invalid"


# --- codes of the service ---------------------------------------------------------------------------------------------

CODES: dict[str, type[EvsupError]] = {
    "STALE_CONTINUATION_TOKEN_SEQUENCER": OwnershipLost,
    "ERR_CHANNEL_HAS_INVALID_CLIENT_SEQUENCER": OwnershipLost,
    "ERR_DATABASE_DOES_NOT_EXIST_OR_NOT_AUTHORIZED": ConfigurationError,
    "ERR_SCHEMA_DOES_NOT_EXIST_OR_NOT_AUTHORIZED": ConfigurationError,
    "ERR_PIPE_DOES_NOT_EXIST_OR_NOT_AUTHORIZED": ConfigurationError,
    "ERR_TABLE_DOES_NOT_EXIST_NOT_AUTHORIZED": ConfigurationError,
    "ERR_CHANNEL_HAS_INVALID_ROW_SEQUENCER": SinkUnavailable,
    "ERR_CHANNEL_MUST_BE_REOPENED": SinkUnavailable,
    "ERR_CHANNEL_MUST_BE_REOPENED_DUE_TO_ROW_SEQ_GAP": SinkUnavailable,
    "ERR_CHANNEL_DOES_NOT_EXIST_OR_NOT_AUTHORIZED": ChannelGone,
    "ERR_CHANNEL_NO_LONGER_EXISTS": ChannelGone,
    "STALE_PIPE_CACHE": SinkUnavailable,
    "ERR_OF_A_LATER_YEAR": SinkUnavailable,
    "ACTIVE": SinkUnavailable,
}


@pytest.mark.parametrize("code", CODES)
def test_a_status_with_this_code_ends_the_worker(code: str) -> None:
    with pytest.raises(EvsupError) as raised:
        verify("3", ChannelStatus(5, 0, code), 4, 9, 0)
    assert type(raised.value) is CODES[code]
    assert code in raised.value.why
    assert raised.value.fix


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("status", [400, 409])
def test_an_append_refused_with_this_code_ends_the_worker_likewise(code: str, status: int) -> None:
    text = f"Channel C is in an invalid state. Inner Error: HTTP {status}, error_code={code}, message=it failed"
    error = translate(SdkError("InvalidChannelError", text), "Rows cannot be appended", snowflake())
    assert type(error) is CODES[code]
    assert code in error.why
    assert error.fix


@pytest.mark.parametrize("code", CODES)
def test_only_a_lost_channel_does_not_exist(code: str) -> None:
    assert ChannelStatus(None, 0, code).exists == (CODES[code] is not ChannelGone)

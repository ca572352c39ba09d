"""The channel's adapter: how rows go in, what its status says, and how a channel is left."""

import msgspec
import pytest

from shared.errors import ConfigurationError, DataRefused, EvsupError, OwnershipLost, SinkUnavailable
from shared.ipc.messages import ChannelStatus
from tests.unit.plain_settings import snowflake
from tests.unit.worker.rows.events import event, event_of
from tests.unit.worker.sink.stand_ins import PreviewChannel, SdkChannel, SdkClient, SdkError, opened
from worker.rows.event import Event
from worker.sink.channel import Channel, Saturated, read_statuses
from worker.sink.sdk_errors import PASSING, SATURATED
from worker.sink.sdk_log import Requests

EVENTS = [event_of(event(b"{}", number)) for number in (5, 6, 7)]
PAYLOAD_TOO_LARGE = "Error: HTTP request failed for API insert_rows. HTTP 413, error_code=PAYLOAD_TOO_LARGE, message=no"


def test_a_row_that_no_request_takes_is_refused_with_its_address_and_what_to_change() -> None:
    channel = opened(SdkChannel(None, SdkError("InvalidChannelError", PAYLOAD_TOO_LARGE)))
    channel.append([event_of(event(b"\xff" * 5_000_000, 5))], 5, 5)
    with pytest.raises(DataRefused, match="SNOWFLAKE_STREAMING_PROPERTIES") as refused:
        channel.status()
    assert refused.value.what == "Event 5, offset 123: its row is larger than a request to Snowflake may be"


FAILED_REQUEST = "| WARN | Failed to execute the request at u for api=insert_rows u HTTP 403, error_code=1, url=u"


def test_a_request_that_failed_is_a_reason_until_the_token_moves() -> None:
    requests, sdk = Requests(), SdkChannel()
    channel = Channel(snowflake(), "EVSUP_FLIGHTS_0", requests, new_client=lambda *_: SdkClient(sdk))
    channel.open(0)
    channel.status()
    requests.read(FAILED_REQUEST)
    channel.status()
    assert "HTTP 403" in channel.delay_reason()
    sdk.token = "8"
    channel.status()
    assert not channel.delay_reason()
    requests.read(FAILED_REQUEST)
    channel.open(0)
    assert not channel.failed_request, "it was of the channel before"


REQUEST = "url=https://a/rows?startOffsetToken={}&endOffsetToken={}&continuationToken=1_1"


@pytest.mark.parametrize(
    ("committed", "request_of", "said"),
    [
        ("4", REQUEST.format(6, 6), "Event 6, offset 123: its row is"),
        ("4", REQUEST.format(3, 5), "Event 5, offset 123: its row is"),
        ("4", REQUEST.format(8, 8), "Event 8: its row is"),
        ("4", REQUEST.format(8, 9), "Events 8 to 9: their rows together are"),
        ("4", "", "Event 5, offset 123; Event 6, offset 123; Event 7, offset 123: the row of one of them is"),
        ("6", "", "Event 7, offset 123: its row is"),
    ],
)
def test_of_the_rows_in_flight_those_in_the_request_that_was_too_large_are_named(
    committed: str, request_of: str, said: str
) -> None:
    refusal = SdkError("InvalidChannelError", f"{PAYLOAD_TOO_LARGE}, {request_of}")
    sdk = SdkChannel(None, None, None, None, refusal)
    sdk.token = committed
    channel = opened(sdk)
    for number in (5, 6, 7):
        channel.append([event_of(event(b"\xff" * 5_000_000, number))], number, number)
    channel.status()
    with pytest.raises(DataRefused) as refused:
        channel.status()
    assert refused.value.what == f"{said} larger than a request to Snowflake may be"


def test_without_such_a_row_and_its_request_one_that_is_too_large_is_a_failed_sink() -> None:
    channel = opened(SdkChannel(None, SdkError("InvalidChannelError", PAYLOAD_TOO_LARGE)))
    channel.append(EVENTS, 5, 7)
    with pytest.raises(SinkUnavailable):
        channel.status()


def test_a_wait_for_a_status_reads_at_least_one() -> None:
    sdk = SdkChannel()
    channel = opened(sdk)
    assert channel.await_status(lambda one: one.token == 7, 0.0) == ChannelStatus(7, 0)
    assert channel.await_status(lambda one: one.token == 8, 0.0) is None
    assert sdk.calls == [("get_channel_status",)] * 2


def test_bytes_that_are_no_text_are_refused_by_a_pipe_that_takes_text_alone() -> None:
    sdk = SdkChannel()
    channel = opened(sdk, SdkClient(sdk, binary="BinaryInputFormat.UTF8"))
    channel.append([event_of(event("é".encode(), 5)), *EVENTS[1:]], 5, 7)
    [(_, rows, _, _)] = sdk.calls
    assert rows[0]["RAW_BODY"] == "é".encode(), "the SDK writes it in the form of the pipe"
    assert msgspec.json.encode(rows[1]) == bytes(EVENTS[1].row)
    with pytest.raises(DataRefused, match=r"the pipe takes BINARY as UTF-8 text.*SNOWFLAKE_PIPE") as refused:
        channel.append([event_of(event(b"\xff", 8))], 8, 8)
    assert refused.value.what.startswith("Event 8, offset 123:")
    assert len(sdk.calls) == 1


@pytest.mark.parametrize("form", ["UTF8", "HEX", "BASE64"])
def test_where_keys_have_columns_a_row_is_sent_as_it_is_in_whatever_form_the_pipe_takes_bytes(form: str) -> None:
    sdk = SdkChannel()
    channel = opened(sdk, SdkClient(sdk, binary=f"BinaryInputFormat.{form}"), row_format="columns")
    row = msgspec.Raw(b'{"RAW_BODY":"no base64!","_EVSUP":{}}')
    channel.append([Event(5, "123", None, len(bytes(row)), row)], 5, 5)
    assert sdk.calls == [("append_rows", [row], "5", "5")]


def test_an_append_carries_its_tokens_as_text() -> None:
    sdk = SdkChannel()
    opened(sdk).append(tuple(EVENTS), 5, 7)
    assert sdk.calls == [("append_rows", [each.row for each in EVENTS], "5", "7")]


@pytest.mark.parametrize("code", sorted(SATURATED))
def test_a_saturated_sdk_is_no_failure(code: str) -> None:
    channel = opened(SdkChannel(SdkError(code)))
    with pytest.raises(Saturated, match="it failed"):
        channel.append(EVENTS, 5, 7)
    channel.append(EVENTS, 5, 7)


@pytest.mark.parametrize("code", sorted(PASSING))
def test_a_status_that_the_service_cannot_give_for_now_is_asked_for_again(code: str) -> None:
    assert opened(SdkChannel(SdkError(code))).status() is None


@pytest.mark.parametrize("code", sorted(SATURATED))
def test_a_flush_that_fails_is_a_failed_sink(code: str) -> None:
    with pytest.raises(SinkUnavailable):
        opened(SdkChannel(SdkError(code))).flush_soon()


def test_without_append_rows_each_row_carries_its_own_number() -> None:
    sdk = PreviewChannel()
    channel = opened(sdk)
    channel.append(EVENTS, 5, 7)
    channel.append(EVENTS[:1], 5, 5)
    assert sdk.taken == [(5, "5"), (6, "6"), (7, "7"), (5, "5")]


def test_without_append_rows_a_retry_repeats_no_row_that_was_taken() -> None:
    sdk = PreviewChannel(None, SdkError("ReceiverSaturated"), None, SdkError("ReceiverSaturated"))
    channel = opened(sdk)
    for _ in range(2):
        with pytest.raises(Saturated):
            channel.append(EVENTS, 5, 7)
    channel.append(EVENTS, 5, 7)
    assert [number for number, _ in sdk.taken] == [5, 6, 7]


def test_a_status_is_read_and_a_flush_only_begun() -> None:
    sdk = SdkChannel()
    status = opened(sdk).status()
    assert status is not None
    assert status.token == 7
    opened(sdk).flush_soon()
    assert [call[0] for call in sdk.calls] == ["get_channel_status", "initiate_flush"]


@pytest.mark.parametrize("error", [None, SdkError("InvalidChannelError"), TimeoutError()])
def test_an_abandoned_channel_is_closed_once_without_a_flush(error: Exception | None) -> None:
    sdk = SdkChannel(error)
    client = SdkClient(sdk, close_error=error)
    opened(sdk, client).abandon()
    assert [call[0] for call in sdk.calls] == ["close"]
    assert client.closed == [{"wait_for_flush": False, "timeout_seconds": 0}]
    if error is None:
        assert sdk.calls == [("close", {"wait_for_flush": False})]


def test_another_open_abandons_the_one_before() -> None:
    sdk = SdkChannel()
    client = SdkClient(sdk)
    channel = opened(sdk, client)
    assert channel.open(2) == ChannelStatus(7, 0)
    assert [call[0] for call in sdk.calls] == ["close"]
    assert client.opened == ["EVSUP_FLIGHTS_0", channel.name]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("ERR_CHANNEL_MUST_BE_REOPENED", SinkUnavailable),
        ("ERR_CHANNEL_HAS_INVALID_CLIENT_SEQUENCER", OwnershipLost),
        ("ERR_PIPE_DOES_NOT_EXIST_OR_NOT_AUTHORIZED", ConfigurationError),
    ],
)
def test_a_channel_that_opens_invalid_is_refused_by_its_code(code: str, kind: type[EvsupError]) -> None:
    client = SdkClient(SdkChannel())
    client.opens_with = code
    with pytest.raises(EvsupError, match=f"was opened and is not valid: .*{code}") as refused:
        opened(None, client)
    assert type(refused.value) is kind


@pytest.mark.parametrize("sdk", [SdkChannel(), None])
def test_whether_a_channel_exists_is_asked_without_an_open(sdk: SdkChannel | None) -> None:
    client = SdkClient(sdk)
    channel = Channel(snowflake(), "EVSUP_FLIGHTS_0", new_client=lambda *_: client)
    assert channel.exists(0) is (sdk is not None)
    assert (client.asked, client.opened) == ([["EVSUP_FLIGHTS_0"]], [])
    assert client.closed, "no second client stays"


def test_many_channels_are_asked_for_in_several_calls() -> None:
    client, names = SdkClient(SdkChannel()), [f"C_{number}" for number in range(250)]
    assert list(read_statuses(snowflake(), names, lambda *_: client)) == names
    assert [len(asked) for asked in client.asked] == [100, 100, 50]


def test_a_channel_that_never_opened_can_be_abandoned() -> None:
    Channel(snowflake(), "C").abandon()

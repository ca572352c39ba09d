"""What a channel's status says, in any SDK's layout, and when it stops a worker."""

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import Bug, ChannelGone, DataRefused, EvsupError, OwnershipLost, RowsRejected, SinkUnavailable
from shared.ipc.messages import ChannelStatus
from tests.unit.worker.sink.streaming_sdk import from_source
from worker.sink.channel_status import (
    LONGEST_MESSAGE,
    is_before,
    is_older,
    read_status,
    rejected,
    unsettled_events,
    verify,
)

CURRENT = {
    "channel_name": "C",
    "status_code": "SUCCESS",
    "latest_committed_offset_token": "17",
    "latest_offset_token": "17",
    "rows_inserted_count": 18,
    "rows_parsed_count": 20,
    "rows_error_count": 2,
    "last_error_message": "bad row",
    "last_error_offset_token_upper_bound": "9",
}


def status(**fields: Any) -> SimpleNamespace:
    return SimpleNamespace(**fields)


def least(**token: Any) -> SimpleNamespace:
    """Nothing but what has to be there."""
    return status(status_code="SUCCESS", rows_error_count=0, **token)


def without(*names: str, **changes: Any) -> SimpleNamespace:
    return status(**{name: value for name, value in CURRENT.items() if name not in names} | changes)


@pytest.mark.parametrize(
    ("layout", "expected"),
    [
        (status(**CURRENT), ChannelStatus(17, 2, "SUCCESS", "bad row", "9")),
        (without("latest_offset_token"), ChannelStatus(17, 2, "SUCCESS", "bad row", "9")),
        (without("latest_committed_offset_token"), ChannelStatus(17, 2, "SUCCESS", "bad row", "9")),
        (without("status_code", channel_status_code="ERR"), ChannelStatus(17, 2, "ERR", "bad row", "9")),
        (without("rows_error_count", rows_error=3), ChannelStatus(17, 3, "SUCCESS", "bad row", "9")),
        (
            without("last_error_offset_token_upper_bound", last_error_offset_upper_bound="8"),
            ChannelStatus(17, 2, "SUCCESS", "bad row", "8"),
        ),
        (
            without(last_error_message="x" * 100_000),
            ChannelStatus(17, 2, "SUCCESS", "x" * LONGEST_MESSAGE, "9"),
        ),
        (least(latest_offset_token=None), ChannelStatus(None, 0)),
        (least(latest_committed_offset_token="0"), ChannelStatus(0, 0)),
        (least(latest_committed_offset_token=""), ChannelStatus(None, 0)),
        (without(rows_error_count=None, status_code=None), ChannelStatus(17, 0, "SUCCESS", "bad row", "9")),
        (
            without(latest_committed_offset_token=None, latest_offset_token="5"),
            ChannelStatus(None, 2, "SUCCESS", "bad row", "9"),
        ),
    ],
)
def test_every_layout_of_the_status_is_understood(layout: object, expected: ChannelStatus) -> None:
    assert read_status(layout) == expected


def test_the_installed_sdk_has_the_names_that_are_read() -> None:
    made = from_source("channel_status", "ChannelStatus")(
        "D", "S", "P", "C", "ERR_X", "17", 0, 18, 20, 2, "9", "bad row", None, None, 0
    )
    assert read_status(made) == ChannelStatus(17, 2, "ERR_X", "bad row", "9")


@pytest.mark.parametrize(
    ("names", "lacks"),
    [
        (("latest_committed_offset_token", "latest_offset_token"), "offset token"),
        (("rows_error_count",), "count of rejected rows"),
        (("status_code",), "status code"),
    ],
)
def test_an_attribute_that_a_newer_sdk_renamed_is_never_taken_for_a_fresh_channel_or_for_success(
    names: tuple[str, ...], lacks: str
) -> None:
    with pytest.raises(Bug, match=f"A SimpleNamespace of the streaming SDK has no {lacks}"):
        read_status(without(*names, renamed="17"))


@pytest.mark.parametrize("token", ["abc", "1.5", "-1", " 7", "7 ", "0x1f", "1_000", "١٢", "²", "p0:17", "NULL"])
def test_a_token_that_is_no_sequence_number_is_refused(token: str) -> None:
    with pytest.raises(DataRefused, match="not a sequence number"):
        read_status(status(latest_committed_offset_token=token))


def test_a_long_foreign_token_is_not_repeated_in_full() -> None:
    with pytest.raises(DataRefused) as refused:
        read_status(status(latest_committed_offset_token="x" * 10_000))
    assert len(refused.value.why) < 100


@pytest.mark.parametrize(
    ("token", "durable", "appended"),
    [(None, None, None), (None, None, 5), (0, None, 5), (5, 5, 5), (5, 4, 9), (9, 4, 9), (4, 4, 9)],
)
def test_a_healthy_channel_passes(token: int | None, durable: int | None, appended: int | None) -> None:
    verify("3", ChannelStatus(token, 3), durable, appended, 3)


@pytest.mark.parametrize(
    ("status", "durable", "appended", "error", "says"),
    [
        (ChannelStatus(5, 0, "ERR_CHANNEL_MUST_BE_REOPENED"), 4, 9, SinkUnavailable, "ERR_CHANNEL_MUST_BE_REOPENED"),
        (ChannelStatus(5, 0, "success"), 4, 9, SinkUnavailable, "success"),
        (
            ChannelStatus(5, 0, "ERR_CHANNEL_DOES_NOT_EXIST_OR_NOT_AUTHORIZED"),
            4,
            9,
            ChannelGone,
            "ERR_CHANNEL_DOES_NOT_EXIST",
        ),
        (ChannelStatus(5, 1), 4, 9, RowsRejected, "rejected 1 row"),
        (ChannelStatus(4, 1), 4, 9, RowsRejected, "rejected 1 row"),
        (ChannelStatus(3, 0), 4, 9, DataRefused, "from 4 to 3"),
        (ChannelStatus(None, 0), 4, 9, DataRefused, "from 4 to None"),
        (ChannelStatus(None, 0), 0, 9, DataRefused, "from 0 to None"),
        (ChannelStatus(10, 0), 4, 9, OwnershipLost, "token is 10"),
        (ChannelStatus(10, 0), None, 9, OwnershipLost, "token is 10"),
        (ChannelStatus(0, 0), None, None, OwnershipLost, "token is 0"),
    ],
)
def test_what_is_wrong_with_a_channel_stops_the_worker(
    status: ChannelStatus, durable: int | None, appended: int | None, error: type[EvsupError], says: str
) -> None:
    with pytest.raises(error) as raised:
        verify("3", status, durable, appended, 0)
    assert type(raised.value) is error
    assert says in str(raised.value)
    assert raised.value.fix


def test_rejected_rows_are_named_with_their_message_and_bound() -> None:
    with pytest.raises(RowsRejected) as raised:
        verify("3", ChannelStatus(9, 12, "SUCCESS", "Numeric value 'x' is not recognized", "8"), 4, 9, 10)
    assert raised.value.what == "Snowflake rejected 2 rows"
    assert "Numeric value 'x' is not recognized" in raised.value.why
    assert "sequence number 8" in raised.value.why
    assert "`evsup checkpoints set --partition 3 --rejected-rows 12`" in raised.value.fix


def test_the_events_among_which_rejected_rows_are_include_those_before_the_checkpoint() -> None:
    with pytest.raises(RowsRejected, match="they are among events 3 to 9"):
        verify("3", ChannelStatus(9, 1, last_error_up_to="8"), 8, 9, 0, unsettled_from=3)
    for nothing in (unsettled_events(None, 9), unsettled_events(3, None), unsettled_events(10, 9)):
        assert "among" not in rejected("3", ChannelStatus(9, 1), 0, nothing).why
    older = rejected("3", ChannelStatus(9, 1, last_error_up_to="2"), 0, unsettled_events(3, 9))
    assert "at or before sequence number 2" in older.why
    assert "among" not in older.why, "Snowflake names another one"


@pytest.mark.parametrize(("named", "expected"), [("2", True), ("3", False), (None, False), ("", False), ("x", False)])
def test_a_rejected_row_that_is_named_before_the_events_is_recognized(named: str | None, expected: bool) -> None:
    assert is_before(ChannelStatus(9, 1, last_error_up_to=named), range(3, 10)) is expected
    assert not is_before(ChannelStatus(9, 1, last_error_up_to=named), range(0))


@pytest.mark.parametrize(
    ("status", "durable", "expected"),
    [
        (ChannelStatus(4, 3), 4, False),
        (ChannelStatus(5, 3), 4, False),
        (ChannelStatus(None, 3), None, False),
        (ChannelStatus(0, 3), 0, False),
        (ChannelStatus(3, 3), 4, True),
        (ChannelStatus(None, 3), 0, True),
        (ChannelStatus(4, 2), 4, True),
        (ChannelStatus(5, 2), 4, True),
        (ChannelStatus(3, 4), 4, False),  # rows were rejected
        (ChannelStatus(3, 2, "ERR_CHANNEL_MUST_BE_REOPENED"), 4, False),
    ],
)
def test_a_status_is_older_when_its_token_or_its_count_goes_back(
    status: ChannelStatus, durable: int | None, expected: bool
) -> None:
    assert is_older(status, durable, 3) is expected


@given(st.none() | st.integers(0, 9), st.none() | st.integers(0, 9), st.none() | st.integers(0, 9))
def test_a_token_that_passes_lies_between_durable_and_appended(
    token: int | None, durable: int | None, appended: int | None
) -> None:
    try:
        verify("3", ChannelStatus(token, 0), durable, appended, 0)
    except (DataRefused, OwnershipLost):
        return
    if token is None:
        assert durable is None
    else:
        assert appended is not None
        assert (durable or 0) <= token <= appended


def test_the_latency_that_snowflake_names_is_read_in_seconds() -> None:
    made = from_source("channel_status", "ChannelStatus")(
        "D", "S", "P", "C", "SUCCESS", "17", 0, 18, 20, 0, None, None, None, 250, 0
    )
    assert read_status(made).latency_s == 0.25

"""What Snowflake says of a channel, and whether it fits what this worker knows."""

from datetime import timedelta
from typing import Any

from shared.counted import counted
from shared.errors import Bug, DataRefused, OwnershipLost, RowsRejected
from shared.ipc.messages import ChannelStatus
from shared.resume import accept_command, counted_back
from worker.sink.sdk_errors import invalid_channel

SUCCESS = "SUCCESS"
OLDER_LIMIT_S = 10.0  # how long a status may be older than one before: it may come from a cache, and is asked again
LONGEST_MESSAGE = 1000  # characters; a command asks for the statuses of all channels at once
# In every version of the SDK each attribute has one of these names. When it has none, nothing may be assumed.
TOKEN_NAMES = ("latest_committed_offset_token", "latest_offset_token")
COUNT_NAMES = ("rows_error_count", "rows_error")
CODE_NAMES = ("status_code", "channel_status_code")


def read_status(status: Any) -> ChannelStatus:
    """The SDK's status as ours, of any version of the SDK: attributes were renamed and added between them.

    Raises `DataRefused` when the token is not a number, so not one of ours, and `Bug` when an attribute is missing: to
    take that for "no token" would read every event in the table again, and to take it for "no error" would hide every
    rejected row.
    """
    return ChannelStatus(
        _parsed(_required(status, "offset token", TOKEN_NAMES)),
        int(_required(status, "count of rejected rows", COUNT_NAMES) or 0),
        str(_required(status, "status code", CODE_NAMES) or SUCCESS),
        (_first(status, "last_error_message") or "")[:LONGEST_MESSAGE] or None,
        _first(status, "last_error_offset_token_upper_bound", "last_error_offset_upper_bound"),
        _seconds(_first(status, "server_avg_processing_latency")),
    )


def is_older(status: ChannelStatus, durable: int | None, errors_before: int) -> bool:
    """Whether a status is older than one before, as a cache may give it: neither token nor count ever goes back.

    The arguments are those of `verify`. A status with a higher count is not older, whatever its token: rows were
    rejected.
    """
    if status.status_code != SUCCESS or status.rows_error_count > errors_before:
        return False
    return status.rows_error_count < errors_before or _is_back(status.token, durable)


def verify(
    partition_id: str,
    status: ChannelStatus,
    durable: int | None,
    appended: int | None,
    errors_before: int,
    unsettled_from: int | None = None,
) -> None:
    """Raise unless the channel is valid, moves forward, is ours alone and rejected nothing.

    `durable` is the token of the last status, `appended` the highest sequence number that this worker appended, tried
    to append, or resumed after, `errors_before` the count of rejected rows in the last checkpoint, `unsettled_from` the
    first event whose row may have been rejected since (`worker.sink.unsettled`).
    """
    # The code first: token and count of a channel that is another opener's are no news of our rows.
    if status.status_code != SUCCESS:
        raise invalid_channel("The channel is not valid any more", f"status {status.status_code}")
    # Rejected rows before the token: it passes them, and looks as if all were well.
    if status.rows_error_count > errors_before:
        raise rejected(partition_id, status, errors_before, unsettled_events(unsettled_from, status.token))
    if status.rows_error_count < errors_before:
        raise counted_back(partition_id, status.rows_error_count, errors_before)
    if _is_back(status.token, durable):
        raise DataRefused(
            "The channel's committed token moved back",
            f"from {durable} to {status.token}",
            "Somebody dropped or reset the channel. Run `evsup check`: it names the command that resolves this.",
        )
    # The last means against a second writer, should its open not have made this channel invalid.
    if status.token is not None and (appended is None or status.token > appended):
        raise OwnershipLost(
            "Another writer uses the channel",
            f"its token is {status.token}, this worker appended only up to {appended}",
            "The partition has a new owner; nothing needs to be done.",
        )


def unsettled_events(unsettled_from: int | None, token: int | None) -> range:
    """The events among which the rejected rows are; empty when that is not known."""
    if unsettled_from is None or token is None:
        return range(0)
    return range(unsettled_from, max(unsettled_from, token + 1))


def rejected(partition_id: str, status: ChannelStatus, errors_before: int, numbers: range) -> RowsRejected:
    """The error for rows that Snowflake rejected. They are among `numbers`, unless the status names an event before."""
    is_known = bool(numbers) and not is_before(status, numbers)
    known = f"; they are among events {numbers[0]} to {numbers[-1]}" if is_known else ""
    return RowsRejected(
        f"Snowflake rejected {counted(status.rows_error_count - errors_before, 'row')}",
        f"{status.last_error or 'no message was given'}; the last of them at or before sequence number"
        f" {status.last_error_up_to or 'unknown'}{known}",
        "Find them in the table's error table (ERROR_LOGGING), correct the table or the sender, then run"
        f" `{accept_command(partition_id, status.rows_error_count)}` to go on without them.",
    )


def is_before(status: ChannelStatus, numbers: range) -> bool:
    """Whether the last rejected row that the status names is before these events."""
    named = status.last_error_up_to or ""
    return named.isascii() and named.isdigit() and bool(numbers) and int(named) < numbers[0]


def _is_back(token: int | None, durable: int | None) -> bool:
    return durable is not None and (token is None or token < durable)


def _required(status: Any, what: str, names: tuple[str, ...]) -> Any:
    if not any(hasattr(status, name) for name in names):
        raise Bug(f"A {type(status).__name__} of the streaming SDK has no {what}", ", ".join(dir(status)))
    return _first(status, *names)


def _first(status: Any, *names: str) -> Any:
    return next((getattr(status, name) for name in names if hasattr(status, name)), None)


def _seconds(latency: timedelta | None) -> float | None:
    return None if latency is None else latency.total_seconds()


def _parsed(token: str | None) -> int | None:
    if token is None or token == "":
        return None
    if not token.isascii() or not token.isdigit():
        raise DataRefused(
            "The channel's committed token is not a sequence number",
            repr(token[:80]),
            "Another program writes to this channel, or one with another layout of tokens did. Choose another"
            " SNOWFLAKE_CHANNEL_PREFIX.",
        )
    return int(token)

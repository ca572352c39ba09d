"""What Snowflake says of a channel, and whether it fits what this worker knows."""

from dataclasses import dataclass
from typing import Any

from shared.errors import Bug, DataRefused, OwnershipLost, RowsRejected
from shared.resume import counted_back
from worker.sink.channel_codes import CHANNEL_GONE, invalid_channel

SUCCESS = "SUCCESS"
OLDER_LIMIT_S = 10.0  # a status that is older than one before may come from a cache: for so long it is asked again
COUNT_LIMIT_S = 60.0  # for so long a count of rejected rows is waited for that does not fit what else is known
# Each has one of these names in every version of the SDK, and nothing may be assumed of one that is not there.
TOKEN_NAMES = ("latest_committed_offset_token", "latest_offset_token")
COUNT_NAMES = ("rows_error_count", "rows_error")
CODE_NAMES = ("status_code", "channel_status_code")


@dataclass(frozen=True, slots=True)
class Progress:
    """One look at a channel's status."""

    token: int | None
    """Committed offset token: the sequence number up to which every row was taken or counted as an error."""
    rows_error_count: int
    """Rows that Snowflake did not take, since the channel was created; reopening does not reset it."""
    status_code: str = SUCCESS
    last_error: str | None = None
    last_error_up_to: str | None = None

    @property
    def channel_exists(self) -> bool:
        """False when the status says that Snowflake has no such channel."""
        return CHANNEL_GONE not in self.status_code


def read_progress(status: Any) -> Progress:
    """A `ChannelStatus` of any SDK version: attributes were renamed and added between them.

    Raises `DataRefused` when the token is not a number, so not one of ours, and `Bug` when there is no such attribute:
    "no token" would mean a fresh channel, and everything in the table would come again; "no error" would hide every
    row that is rejected.
    """
    return Progress(
        _parsed(_required(status, "offset token", TOKEN_NAMES)),
        int(_required(status, "count of rejected rows", COUNT_NAMES) or 0),
        str(_required(status, "status code", CODE_NAMES) or SUCCESS),
        _first(status, "last_error_message"),
        _first(status, "last_error_offset_token_upper_bound", "last_error_offset_upper_bound"),
    )


def is_older(progress: Progress, durable: int | None, errors_before: int) -> bool:
    """Whether a status is older than one seen before, as a cache may give it: neither token nor count ever go back.

    Arguments as of `verify`. One with a higher count is not, whatever its token: rows were rejected.
    """
    if progress.status_code != SUCCESS or progress.rows_error_count > errors_before:
        return False
    return progress.rows_error_count < errors_before or _is_back(progress.token, durable)


def verify(
    partition_id: str,
    progress: Progress,
    durable: int | None,
    appended: int | None,
    errors_before: int,
    unsettled_from: int | None = None,
) -> None:
    """Raise unless the channel is healthy, moves forward, is ours alone and rejected nothing.

    `durable` is the token seen last, `appended` the highest sequence number this worker appended (or resumed after),
    `errors_before` the error count of the last checkpoint, `unsettled_from` the first event that may have been rejected
    since (`worker.sink.unsettled`).
    """
    if progress.status_code != SUCCESS:
        raise invalid_channel("The channel is not valid any more", f"status {progress.status_code}")
    if progress.rows_error_count > errors_before:
        raise rejected(partition_id, progress, errors_before, among(unsettled_from, progress.token))
    if progress.rows_error_count < errors_before:
        raise counted_back(partition_id, progress.rows_error_count, errors_before)
    if _is_back(progress.token, durable):
        raise DataRefused(
            "The channel's committed token moved back",
            f"from {durable} to {progress.token}",
            "Somebody dropped or reset the channel. Run `evsup check`: it names the command that resolves this.",
        )
    if progress.token is not None and (appended is None or progress.token > appended):
        raise OwnershipLost(
            "Another writer uses the channel",
            f"its token is {progress.token}, this worker appended only up to {appended}",
            "The partition has a new owner; nothing needs to be done.",
        )


def among(unsettled_from: int | None, token: int | None) -> range:
    """The events among which rejected rows are; empty: not known."""
    if unsettled_from is None or token is None:
        return range(0)
    return range(unsettled_from, max(unsettled_from, token + 1))


def rejected(partition_id: str, progress: Progress, errors_before: int, numbers: range) -> RowsRejected:
    """The error for rows that Snowflake counted and did not take; they are among `numbers` unless it names others."""
    is_known = bool(numbers) and not is_before(progress, numbers)
    known = f"; they are among events {numbers[0]} to {numbers[-1]}" if is_known else ""
    return RowsRejected(
        f"Snowflake rejected {progress.rows_error_count - errors_before} rows",
        f"{progress.last_error or 'no message was given'}; the last of them at or before sequence number"
        f" {progress.last_error_up_to or 'unknown'}{known}",
        "Find them in the table's error table (ERROR_LOGGING), correct the table or the sender, then run `evsup"
        f" checkpoints set --partition {partition_id} --rejected-rows {progress.rows_error_count}` to go on without"
        " them.",
    )


def is_before(progress: Progress, numbers: range) -> bool:
    """Whether the last rejected row that Snowflake names is before these events."""
    named = progress.last_error_up_to or ""
    return named.isascii() and named.isdigit() and bool(numbers) and int(named) < numbers[0]


def _is_back(token: int | None, durable: int | None) -> bool:
    return durable is not None and (token is None or token < durable)


def _required(status: Any, what: str, names: tuple[str, ...]) -> Any:
    if not any(hasattr(status, name) for name in names):
        raise Bug(f"A {type(status).__name__} of the streaming SDK has no {what}", ", ".join(dir(status)))
    return _first(status, *names)


def _first(status: Any, *names: str) -> Any:
    return next((getattr(status, name) for name in names if hasattr(status, name)), None)


def _parsed(token: str | None) -> int | None:
    if token is None or token == "":
        return None
    if not token.isascii() or not token.isdigit():
        raise DataRefused(
            "The channel's committed token is not a sequence number",
            repr(token[:80]),
            "Another program writes to this channel, or an older layout of tokens: choose another"
            " SNOWFLAKE_CHANNEL_PREFIX.",
        )
    return int(token)

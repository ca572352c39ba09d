"""The Snowpipe Streaming channel of a partition."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from shared.clock import Deadline
from shared.config.settings import SnowflakeSettings
from shared.errors import DataRefused, EvsupError
from shared.ipc.messages import ChannelStatus
from shared.log.logger import get_logger
from shared.log.secret import mask
from shared.snowflake.channel_name import of_generation
from worker.rows.event import Event
from worker.sink import sdk
from worker.sink.channel_status import SUCCESS, read_status
from worker.sink.large_rows import LargeRows
from worker.sink.sdk_errors import PASSING, SATURATED, code_of, invalid_channel, translate
from worker.sink.sdk_log import Requests

STATUSES_AT_ONCE = 100  # channels that one call asks for; the SDK knows ERR_GET_CHANNEL_STATUS_BATCH_TOO_MANY_CHANNELS
REFRESH_S = 1.0  # the SDK refreshes its cache of statuses so often

# The pipe says in which form it takes the bytes of a BINARY column, and the SDK writes them so: BASE64, HEX or UTF8.
# https://docs.snowflake.com/en/sql-reference/binary-input-output
RAW_BODY, BASE64, UTF8 = "RAW_BODY", "BASE64", "UTF8"
TAKES_UTF8_ALONE = "the pipe takes BINARY as UTF-8 text"
OTHER_FORMAT = (
    "Leave SNOWFLAKE_PIPE unset, for the default pipe takes BASE64; or give the pipe the binary format BASE64 or HEX."
)

NewClient = Callable[[SnowflakeSettings, str], Any]

_columns = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
log = get_logger()


class Saturated(Exception):
    """The SDK took nothing of this append. The same rows have to be appended again, a little later."""


class Channel:
    """One channel of one pipe. What may block says so, and for how long.

    `name` is that of its first generation until `open`. `new_client` makes the SDK's client.
    """

    def __init__(
        self,
        settings: SnowflakeSettings,
        name: str,
        requests: Requests | None = None,
        new_client: NewClient = sdk.new_client,
    ) -> None:
        self._settings, self.name, self._first_name, self._new_client = settings, name, name, new_client
        self._requests = requests or Requests()
        self._client: Any = None
        self._channel: Any = None
        self._has_bytes = settings.row_format == "envelope"  # else they are text within a VARIANT
        self._binary_format: str | None = None
        """In which the pipe takes bytes; None: in BASE64, as they are in a row."""
        self._large = LargeRows()
        self._token: int | None = None
        self._taken = 0
        """Rows that `append_row` took of an append before the SDK was saturated."""

    def probe(self) -> None:
        """Raise within seconds when Snowflake does not answer."""
        sdk.probe(self._settings)

    def open(self, generation: int) -> ChannelStatus:
        """Open the channel of a generation and return its status. Snowflake discards what a former owner has in flight.

        Blocks up to 120 s while rows of the former owner are uncommitted, then takes the channel over by force:
        https://docs.snowflake.com/en/release-notes/clients-drivers/snowpipe-streaming-sdk-2026
        """
        # First, and not left to the garbage collector, which would have the channel of an open before flush its rows.
        self.abandon()
        self._taken, self._large = 0, LargeRows()
        self._requests.forget_failure()  # of the channel before
        self.name = of_generation(self._first_name, generation)
        try:
            status = self._open()
        except Exception as error:
            raise translate(error, f"Channel {self.name} cannot be opened", self._settings) from error
        if status.status_code != SUCCESS:  # rows would be taken and thrown away
            raise invalid_channel(f"Channel {self.name} was opened and is not valid", f"status {status.status_code}")
        return status

    def exists(self, generation: int) -> bool:
        """Whether Snowflake has the channel of a generation. Opens none: an open creates what does not exist."""
        name = of_generation(self._first_name, generation)
        return read_statuses(self._settings, [name], self._new_client)[name].exists

    def append(self, events: Sequence[Event], start: int, end: int) -> None:
        """Hand the rows of events to the SDK, which sends them on its own threads. Returns at once.

        Raises `Saturated` when the SDK did not take them: the next append has to be of the same rows. Raises
        `DataRefused` for bytes that the pipe has no form for, and a sink error when the channel is not valid any more.
        """
        # Before the append: the SDK sends on a thread of its own, and may refuse a row before this call returns.
        self._large.append(events, start)
        try:
            self._append(events, str(start), str(end))
        except Exception as error:
            if code_of(error) in SATURATED:
                raise Saturated(mask(str(error))) from error
            raise self._translate(error, "Rows cannot be appended") from error

    def status(self) -> ChannelStatus | None:
        """The channel's status, from a cache that the SDK refreshes about once a second. Blocks up to that long.

        None when the service cannot answer for now: ask again, and mind how long nothing was committed.
        """
        try:
            status = read_status(self._channel.get_channel_status())
        except Exception as error:
            if code_of(error) in PASSING:
                log.warning("status_unavailable", reason=mask(str(error)))
                return None
            raise self._translate(error, "The channel's status cannot be read") from error
        self._large.commit(status.token)
        if status.token != self._token:  # what failed before has passed
            self._token = status.token
            self._requests.forget_failure()
        return status

    def await_status(self, is_expected: Callable[[ChannelStatus], bool], limit_s: float) -> ChannelStatus | None:
        """Read the status once a second, and at least once, until one is as expected; None when none was in time."""
        deadline = Deadline.after(limit_s)
        while True:
            status = self.status()
            if status is not None and is_expected(status):
                return status
            if deadline.passed():
                return None
            time.sleep(REFRESH_S)

    @property
    def throttled(self) -> int:
        """How many requests Snowflake has refused with 429, over all opens."""
        return self._requests.throttled

    @property
    def failed_request(self) -> str:
        """The request to Snowflake that failed last, as a part of a sentence; empty: none did since the open."""
        return self._requests.failed_request

    def delay_reason(self) -> str:
        """Why commits may take long, as a part of a sentence; empty when nothing is known."""
        return self._requests.delay_reason

    def flush_soon(self) -> None:
        """Have the SDK send what it has buffered, without waiting for it."""
        try:
            self._channel.initiate_flush()
        except Exception as error:
            raise translate(error, "The channel cannot be flushed", self._settings) from error

    def abandon(self) -> None:
        """Close channel and client without a flush, before another open.

        A channel that is garbage-collected flushes without a timeout, which hangs on a server that does not answer, and
        writes rows after the fence. So it is closed here. A worker that ends leaves by `os._exit`, which runs no
        finalizer.
        """
        if self._channel:
            _close(self._channel, wait_for_flush=False)
        if self._client:
            _close(self._client, wait_for_flush=False, timeout_seconds=0)

    def _open(self) -> ChannelStatus:
        self._client = self._new_client(self._settings, f"{self.name}_{os.getpid()}")
        # Private to the SDK, and nothing else says it. Where a version lacks it, BASE64: default pipes take that.
        form = str(getattr(self._client, "_binary_input_format", BASE64)).rsplit(".", 1)[-1]
        self._binary_format = form if form != BASE64 and self._has_bytes else None
        if self._binary_format == UTF8 and self._settings.on_decode_error == "keep":
            log.warning("raw_body_limited", pipe=self._settings.pipe_name, reason=TAKES_UTF8_ALONE, fix=OTHER_FORMAT)
        # Without a token, although the SDK takes one: a process that was stopped past its lease just before this line
        # would set back the next owner's.
        self._channel, status = self._client.open_channel(self.name)
        return read_status(status)

    def _append(self, events: Sequence[Event], start: str, end: str) -> None:
        if hasattr(self._channel, "append_rows"):
            rows = _columns_of(events, self._binary_format) if self._binary_format else [each.row for each in events]
            self._channel.append_rows(rows, start, end)
            return
        for event in events[self._taken :]:  # a preview SDK without append_rows: the row's own number is its token
            [row] = _columns_of([event], self._binary_format) if self._has_bytes else [_columns(event.row)]
            self._channel.append_row(row, str(event.sequence_number))
            self._taken += 1
        self._taken = 0

    def _translate(self, error: Exception, what: str) -> EvsupError:
        """As `translate`; names the event whose row was too large to be sent."""
        return self._large.refusal(error) or translate(error, what, self._settings)


def read_statuses(
    settings: SnowflakeSettings, names: Sequence[str], new_client: NewClient = sdk.new_client
) -> dict[str, ChannelStatus]:
    """The status of each channel, without opening one, which would take it from its owner.

    A channel that does not exist has a status, too (`ChannelStatus.exists`). Blocks for as long as the SDK tries. Many
    are asked for in several calls: Snowflake has an error for too many in one, and no page gives the number.
    https://docs.snowflake.com/en/user-guide/snowpipe-streaming/snowpipe-streaming-high-performance-rest-api
    """
    try:
        client = new_client(settings, f"evsup_reader_{os.getpid()}")
        statuses = {
            name: read_status(status)
            for first in range(0, len(names), STATUSES_AT_ONCE)
            for name, status in client.get_channel_statuses(list(names[first : first + STATUSES_AT_ONCE])).items()
        }
    except Exception as error:
        raise translate(error, "The channels' statuses cannot be read", settings) from error
    _close(client, wait_for_flush=False, timeout_seconds=0)
    return statuses


def _columns_of(events: Sequence[Event], form: str | None) -> list[dict[str, Any]]:
    """Rows whose bytes the SDK writes in the pipe's form. Raises when the pipe has no form for them."""
    rows: list[dict[str, Any]] = []
    for event in events:
        row: dict[str, Any] = _columns(event.row)
        if RAW_BODY in row:
            row[RAW_BODY] = msgspec.json.decode(row[RAW_BODY], type=bytes)
            if form == UTF8 and not _is_utf8(row[RAW_BODY]):
                raise DataRefused(
                    f"{event.address}: its RAW_BODY cannot be sent",
                    f"{TAKES_UTF8_ALONE}, and the body is not UTF-8: {_reason(row)}",
                    OTHER_FORMAT,
                )
        rows.append(row)
    return rows


def _reason(row: Mapping[str, msgspec.Raw]) -> str:
    """What the row says of its body; a mapper may have left that out."""
    return str(msgspec.json.decode(row["DECODE_ERROR"])) if "DECODE_ERROR" in row else "a mapper gave it"


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def _close(closable: Any, **options: object) -> None:
    try:
        closable.close(**options)
    except Exception as error:  # noqa: BLE001 (an invalid channel cannot be closed; nothing is lost by that)
        log.debug("close_failed", reason=mask(str(error)))

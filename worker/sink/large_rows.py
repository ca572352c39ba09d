"""Rows in flight that may be larger than a request to Snowflake, to name the one that a request was refused for.

A request takes 4 MB after compression. The SDK uploads a larger row as a file, unless its properties forbid that.
https://docs.snowflake.com/en/user-guide/snowpipe-streaming/snowpipe-streaming-high-performance-limitations
"""

import re
from collections.abc import Sequence

from shared.errors import DataRefused
from shared.log.secret import mask
from worker.rows.event import Event

REQUEST_BYTES, TOO_LARGE = 4 * 1024 * 1024, "HTTP 413"
TOKENS = re.compile(r"startOffsetToken=(\d+)&endOffsetToken=(\d+)")  # the SDK's error shows the URL of its request


class LargeRows:
    """Their addresses by sequence number.

    The dictionary is replaced, never changed: statuses are read on another thread than rows are appended.
    """

    def __init__(self) -> None:
        self._addresses: dict[int, str] = {}
        self._committed = -1

    def append(self, events: Sequence[Event], start: int) -> None:
        """Note an append if it is of a large row, which is always alone in its append."""
        if len(events) == 1 and events[0].size_bytes > REQUEST_BYTES:
            self._addresses = self._in_flight() | {start: events[0].address}

    def commit(self, token: int | None) -> None:
        """Forget the rows up to the committed token."""
        self._committed = -1 if token is None else token

    def refusal(self, error: Exception) -> DataRefused | None:
        """The error for a request that was too large; None when `error` has another reason.

        It names the event or, where that is not known, the events.
        """
        reason = str(error)
        named = self._named(TOKENS.search(reason)) if TOO_LARGE in reason else ""
        if not named:
            return None
        return DataRefused(
            f"{named} larger than a request to Snowflake may be",
            mask(" ".join(reason.split())),
            "Take the properties that keep the streaming SDK from uploading files (max_rowset_payload_size_mb and its"
            " companions) out of SNOWFLAKE_STREAMING_PROPERTIES: by default it uploads such a row as a file.",
        )

    def _named(self, tokens: re.Match[str] | None) -> str:
        """The start of a sentence that names what is too large in the request with these tokens; empty: not known.

        A row that was not noted as large can be, too: an event's properties count as well.
        """
        in_flight = self._in_flight()
        numbers = range(int(tokens[1]), int(tokens[2]) + 1) if tokens else in_flight
        large = [address for number, address in in_flight.items() if number in numbers]
        if large:
            return f"{'; '.join(large)}: {'its row is' if len(large) == 1 else 'the row of one of them is'}"
        if not tokens:
            return ""
        if len(numbers) == 1:
            return f"Event {tokens[1]}: its row is"
        return f"Events {tokens[1]} to {tokens[2]}: their rows together are"

    def _in_flight(self) -> dict[int, str]:
        return {number: address for number, address in self._addresses.items() if number > self._committed}

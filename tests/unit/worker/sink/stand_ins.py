"""Stand-ins of the streaming SDK's classes, whose package starts native threads."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import msgspec

from tests.unit.plain_settings import snowflake
from worker.sink.channel import Channel


class SdkError(Exception):
    """Stands for `StreamingIngestError`."""

    def __init__(self, code: str, text: str = "it failed") -> None:
        super().__init__(text)
        self.error_code = SimpleNamespace(value=code)


def sdk_status(token: str | None, code: str = "SUCCESS") -> object:
    """Stands for `ChannelStatus`."""
    return SimpleNamespace(status_code=code, latest_committed_offset_token=token, rows_error_count=0)


class SdkChannel:
    """Stands for `StreamingIngestChannel`: records its calls; raises the errors of a test, one a call."""

    token = "7"

    def __init__(self, *errors: Exception | None) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self._errors = list(errors)

    def append_rows(self, rows: Sequence[Any], start: str, end: str) -> None:
        self._record("append_rows", rows, start, end)

    def get_channel_status(self) -> object:
        self._record("get_channel_status")
        return sdk_status(self.token)

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

    def append_row(self, row: dict[str, Any], token: str) -> None:
        error = self._errors.pop(0) if self._errors else None
        if error:
            raise error
        self.taken.append((msgspec.json.decode(row["SEQUENCE_NUMBER"]), token))


class SdkClient:
    """Stands for `StreamingIngestClient`, of a pipe that takes BINARY in a form; it has one channel, or none."""

    def __init__(self, channel: object = None, binary: str = "BASE64", close_error: Exception | None = None) -> None:
        self._channel, self._binary_input_format, self._close_error = channel, binary, close_error
        self.opens_with = "SUCCESS"
        self.opened: list[str] = []
        self.asked: list[list[str]] = []
        self.closed: list[dict[str, object]] = []

    def open_channel(self, name: str) -> tuple[object, object]:
        self.opened.append(name)
        return self._channel, sdk_status("7", self.opens_with)

    def get_channel_statuses(self, names: list[str]) -> dict[str, object]:
        self.asked.append(names)
        gone = sdk_status(None, "ERR_CHANNEL_DOES_NOT_EXIST_OR_NOT_AUTHORIZED")
        return {name: sdk_status("7") if self._channel else gone for name in names}

    def close(self, **options: object) -> None:
        self.closed.append(options)
        if self._close_error:
            raise self._close_error


def opened(channel: object, client: SdkClient | None = None, **settings: object) -> Channel:
    """A channel of ours that was opened, with `channel` as the SDK's."""
    made = Channel(snowflake(**settings), "EVSUP_FLIGHTS_0", new_client=lambda *_: client or SdkClient(channel))
    made.open(0)
    return made

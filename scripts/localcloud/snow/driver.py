"""The real streaming SDK in a process of its own, driven call by call.

The SDK reads its trust store and log target once, at import, so a process can speak to one local service only.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import IO, Any, Self

SDK_ERROR = "StreamingIngestError"
STOP_TIMEOUT_S = 10.0


class SdkError(Exception):
    """What the SDK raised in the driver: the class's name, and for its own errors the code and HTTP status."""

    def __init__(self, kind: str, message: str, code: str | None, http_status: int | None) -> None:
        super().__init__(f"{kind} {code} {http_status}: {message}")
        self.kind = kind
        self.code = code
        self.http_status = http_status


class SdkDriver:
    """A context manager around the process. `properties` are the SDK client's, the URL and the key among them; its log
    goes to `log`, if anywhere.
    """

    def __init__(self, ca_file: str, properties: Mapping[str, str], log: IO[bytes] | None = None) -> None:
        self._properties = dict(properties)
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log or subprocess.DEVNULL,
            env={**os.environ, "SSL_CERT_FILE": ca_file, "SSL_CERT_DIR": "", "SS_LOG_TARGET": "stderr"},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def client(self, pipe: tuple[str, str, str], name: str = "one", **properties: str) -> None:
        """Make a client of this name for a pipe (database, schema, pipe)."""
        self._call("client", name=name, pipe=list(pipe), properties={**self._properties, **properties})

    def open(self, channel: str, client: str = "one") -> dict[str, Any]:
        """Open a channel; give its status."""
        return dict(self._call("open", client=client, channel=channel))

    def append(
        self,
        channel: str,
        rows: Sequence[Mapping[str, Any]],
        tokens: tuple[str, str],
        client: str = "one",
    ) -> None:
        """Append rows with their first and last offset token."""
        self._call("append", client=client, channel=channel, rows=list(rows), start=tokens[0], end=tokens[1])

    def status(self, channel: str, client: str = "one") -> dict[str, Any]:
        """Give the channel's status, up to a second old."""
        return dict(self._call("status", client=client, channel=channel))

    def push(self, channel: str, client: str = "one") -> None:
        """Send what is buffered now, and do not wait for it; by itself the SDK waits up to a second for more."""
        self._call("push", client=client, channel=channel)

    def flush(self, channel: str, timeout_s: int, client: str = "one") -> None:
        """Wait until the server has accepted what was appended."""
        self._call("flush", client=client, channel=channel, timeout=timeout_s)

    def close(self, channel: str, client: str = "one") -> None:
        """Close a channel without waiting for a flush."""
        self._call("close", client=client, channel=channel)

    def stop(self) -> None:
        """End the process; what is buffered is lost."""
        self._process.kill()
        self._process.wait(STOP_TIMEOUT_S)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _call(self, verb: str, **arguments: object) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([verb, arguments]).encode() + b"\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SdkError("ProcessExit", f"the driver ended with {self._process.wait()}", None, None)
        result, error = json.loads(line)
        if error is not None:
            raise SdkError(**error)
        return result


class _Session:
    """The driver's side: clients and channels by name."""

    def __init__(self) -> None:
        self._clients: dict[str, Any] = {}
        self._channels: dict[tuple[str, str], Any] = {}

    def do_client(self, name: str, pipe: list[str], properties: dict[str, str]) -> None:
        from snowflake.ingest.streaming import StreamingIngestClient

        self._clients[name] = StreamingIngestClient(name, *pipe, properties=properties)

    def do_open(self, client: str, channel: str) -> dict[str, Any]:
        opened, status = self._clients[client].open_channel(channel)
        self._channels[client, channel] = opened
        return _status(status)

    def do_append(self, client: str, channel: str, rows: list[Any], start: str, end: str) -> None:
        self._channels[client, channel].append_rows(rows, start, end)

    def do_status(self, client: str, channel: str) -> dict[str, Any]:
        return _status(self._channels[client, channel].get_channel_status())

    def do_push(self, client: str, channel: str) -> None:
        self._channels[client, channel].initiate_flush()

    def do_flush(self, client: str, channel: str, timeout: int) -> None:
        self._channels[client, channel].wait_for_flush(timeout)

    def do_close(self, client: str, channel: str) -> None:
        self._channels.pop((client, channel)).close(wait_for_flush=False)


def _status(status: Any) -> dict[str, Any]:
    return {
        "code": status.status_code,
        "token": status.latest_committed_offset_token,
        "inserted": status.rows_inserted_count,
        "parsed": status.rows_parsed_count,
        "errors": status.rows_error_count,
        "message": status.last_error_message,
        "upper_bound": status.last_error_offset_token_upper_bound,
    }


def _described(error: Exception) -> dict[str, Any]:
    own = type(error).__name__ == SDK_ERROR
    return {
        "kind": type(error).__name__,
        "message": str(error),
        "code": getattr(error, "error_code").value if own else None,  # noqa: B009 - the SDK is untyped
        "http_status": getattr(error, "http_status_code", None),
    }


def main() -> None:
    """Do what stdin says, line by line, until it ends."""
    session = _Session()
    for line in sys.stdin:
        verb, arguments = json.loads(line)
        result, error = None, None
        try:
            result = getattr(session, f"do_{verb}")(**arguments)
        except Exception as exc:  # noqa: BLE001 - it is handed to the caller, whatever it is
            error = _described(exc)
        sys.stdout.write(json.dumps([result, error]) + "\n")
        sys.stdout.flush()
    os._exit(0)  # a channel's destructor would flush without a deadline


if __name__ == "__main__":
    main()

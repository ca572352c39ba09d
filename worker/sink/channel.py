"""The Snowpipe Streaming channel: the only module that touches the streaming SDK.

The SDK is imported inside `open`, after the environment that it reads at import is set, and never in the supervisor:
the import starts native threads (https://docs.snowflake.com/en/user-guide/snowpipe-streaming/snowpipe-streaming-high-performance-configurations).
"""

import os
import ssl
import sys
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any

from shared.clock import Deadline
from shared.config.formats import account, private_key
from shared.config.settings import SnowflakeSettings
from shared.errors import (
    Bug,
    ConfigurationError,
    DataRefused,
    EvsupError,
    NotSignedIn,
    SinkUnavailable,
)
from shared.fixes import REACH_SNOWFLAKE, TRUST_SNOWFLAKE
from shared.ipc.messages import ChannelStatus
from shared.log.logger import get_logger
from shared.log.secret import mask
from shared.snowflake import errors, oauth
from shared.snowflake.channel_name import of_generation
from shared.snowflake.handshake import is_behind_proxy, shake_hands
from shared.snowflake.key_pair import signing_key
from shared.snowflake.tables import address
from worker.sink.channel_codes import gone, invalid_channel
from worker.sink.channel_status import SUCCESS, read_status
from worker.sink.large_rows import LargeRows
from worker.sink.sdk_log import Uploads
from worker.source.envelope import Row, event_address

SYSTEM_CA_DIR = "/etc/ssl/certs"
REFRESH_S = 1.0  # the SDK refreshes its cache of statuses so often
CA_FILE_SINCE = (1, 7)  # before, the SDK trusted the authorities that it was built with, and no others (measured)
# The SDK's memory guard measures the process against a share of itself and refuses appends from about 100 MB of RSS on;
# the window bounds our memory already.
SDK_DEFAULTS = {"mem_throttle_by_process": "false"}
# Error codes by what they mean for a worker. Any other code, and codes that a newer SDK brings, are a failed sink; one
# that the SDK itself does not know it calls `Fatal`, with the code in the text.
# https://docs.snowflake.com/en/user-guide/snowpipe-streaming/snowpipe-streaming-high-performance-error-handling
SATURATED = frozenset(
    (
        "ReceiverSaturated",
        "MemoryThresholdExceeded",
        "MemoryThresholdExceededInContainer",
        "HttpRetryableClientError",
    )
)
PASSING = SATURATED | {"HttpRetriesExhaustedError", "SfApiInternalServerError"}
INVALID_CHANNEL = "InvalidChannelError"  # whatever invalidated it; the service's own code stands in the text
NOT_FOUND = "ChannelNotFound"  # of a status
REFUSED = frozenset(("AuthTokenError", "SfApiAuthError"))
MISSING = frozenset(("SfApiNotFoundError", "ConfigError", "InvalidArgument", "SfApiUserError"))

# The pipe says in which form it takes the bytes of a BINARY column, and the SDK writes them so: BASE64, HEX or UTF8.
# https://docs.snowflake.com/en/sql-reference/binary-input-output
RAW_BODY, UTF8 = "RAW_BODY", "UTF8"
UTF8_ALONE = "the pipe takes BINARY as UTF-8 text"
OTHER_FORMAT = (
    "Leave SNOWFLAKE_PIPE unset, for the default pipe takes BASE64; or give the pipe the binary format BASE64 or HEX."
)

log = get_logger()


class Saturated(Exception):
    """The SDK took nothing of this append; the same rows have to be appended again, a little later."""


def prepare_environment(settings: SnowflakeSettings, environ: dict[str, str] | os._Environ[str] = os.environ) -> None:
    """Set what the SDK reads from the environment when it is imported.

    Its log goes to stdout unless told otherwise. Its metrics port is one per host and would clash between workers. A CA
    file is added to the system's, not put in its place.
    """
    environ["SS_LOG_TARGET"] = "stderr"
    environ.setdefault("SS_LOG_LEVEL", "warn")
    environ["SS_ENABLE_METRICS"] = "false"
    if settings.ca_file:
        _refuse_unread_ca_file()
        environ["SSL_CERT_FILE"] = settings.ca_file
        environ.setdefault("SSL_CERT_DIR", SYSTEM_CA_DIR)


def keep_off_stdout() -> None:
    """Send to standard error what this process writes on standard output: the SDK before 1.6 has its log there."""
    if sys.stdout:  # none where standard output was closed at the start
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())


def _refuse_unread_ca_file() -> None:
    """Raise when the SDK would pass over a CA file: it would repeat a handshake that cannot succeed, for hours."""
    installed = version("snowpipe-streaming")
    if tuple(map(int, installed.split(".")[:2])) < CA_FILE_SINCE:
        raise ConfigurationError(
            "SNOWFLAKE_CA_FILE cannot be used",
            f"snowpipe-streaming {installed} trusts only the authorities that it was built with",
            "Install snowpipe-streaming 1.7 or newer.",
        )


class Channel:
    """One channel of one pipe, opened once. What may block says so, and for how long."""

    def __init__(self, settings: SnowflakeSettings, name: str, uploads: Uploads | None = None) -> None:
        self._settings, self.name, self._first_name = settings, name, name
        self._uploads = uploads or Uploads()
        self._client: Any = None
        self._channel: Any = None
        self._takes_utf8_alone = False
        self._large = LargeRows()
        self._taken = 0
        """Rows that `append_row` took of an append which then met a saturated SDK."""

    def probe(self) -> None:
        """Raise within seconds when nobody answers."""
        probe(self._settings)

    def open(self, generation: int) -> ChannelStatus:
        """Open the channel of a generation and return its status. Snowflake discards what a previous owner had in
        flight. An open before, of another generation, is let go, client and all.

        The token is never set here, although the SDK can: a process that was stopped past its lease just before would
        set back that of the next owner.

        Blocks up to 120 s while rows of the previous owner are uncommitted, then takes the channel over by force:
        https://docs.snowflake.com/en/release-notes/clients-drivers/snowpipe-streaming-sdk-2026
        """
        from snowflake.ingest.streaming import StreamingIngestClient

        self.abandon()
        self._taken, self._large = 0, LargeRows()
        self.name = of_generation(self._first_name, generation)
        status: ChannelStatus
        self._client, self._channel, status = self._guard(
            f"Channel {self.name} cannot be opened", lambda: self._open(StreamingIngestClient)
        )
        if status.status_code != SUCCESS:  # rows would be taken and thrown away
            raise invalid_channel(f"Channel {self.name} was opened and is not valid", f"status {status.status_code}")
        return status

    def exists(self, generation: int) -> bool:
        """Whether Snowflake has the channel of a generation. Opens none: an open creates what does not exist."""
        name = of_generation(self._first_name, generation)
        return read_statuses(self._settings, [name])[name].exists

    def append(self, rows: Sequence[Row], start: int, end: int) -> None:
        """Give rows to the SDK, which sends them on its own threads. Returns at once.

        Raises `Saturated` when it did not take them: the next append has to be of the same rows. Raises `DataRefused`
        for bytes that the pipe has no form for, and a sink error when the channel is gone.
        """
        if self._takes_utf8_alone:
            _refuse_bytes(rows)
        self._large.append(rows, start)
        try:
            self._append(rows, str(start), str(end))
        except Exception as error:
            if _code(error) in SATURATED:
                raise Saturated(mask(str(error))) from error
            raise self._translated(error, "Rows cannot be appended") from error

    def status(self) -> ChannelStatus | None:
        """The channel's status, from a cache that the SDK refreshes about once a second; blocks up to that long.

        None when the service could not say for now: ask again, and mind how long nothing was committed.
        """
        try:
            status = read_status(self._channel.get_channel_status())
        except Exception as error:
            if _code(error) in PASSING:
                log.warning("status_unavailable", reason=mask(str(error)))
                return None
            raise self._translated(error, "The channel's status cannot be read") from error
        self._large.commit(status.token)
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

    def delay_reason(self) -> str:
        """Why commits may take long, as a part of a sentence; empty when nothing is known."""
        return self._uploads.evidence

    def flush_soon(self) -> None:
        """Ask the SDK to send what it has buffered, without waiting for it."""
        self._guard("The channel cannot be flushed", self._channel.initiate_flush)

    def abandon(self) -> None:
        """Let go of channel and client without a flush, before another open.

        A channel that is garbage-collected flushes without a timeout, which hangs on a dead server and writes rows
        after the fence; so it is closed by hand. A worker that ends leaves by `os._exit`, which runs no finalizer.
        """
        if self._channel:
            _quietly(lambda: self._channel.close(wait_for_flush=False))
        if self._client:
            _quietly(lambda: self._client.close(wait_for_flush=False, timeout_seconds=0))

    def _open(self, client_class: Callable[..., Any]) -> tuple[Any, Any, ChannelStatus]:
        client = _client(client_class, self._settings, f"{self.name}_{os.getpid()}")
        self._takes_utf8_alone = str(getattr(client, "_binary_input_format", "")).endswith(UTF8)
        if self._takes_utf8_alone and self._settings.on_decode_error == "keep":
            log.warning("raw_body_limited", pipe=self._settings.pipe_name, reason=UTF8_ALONE, fix=OTHER_FORMAT)
        channel, status = client.open_channel(self.name)
        return client, channel, read_status(status)

    def _append(self, rows: Sequence[Row], start: str, end: str) -> None:
        if hasattr(self._channel, "append_rows"):
            self._channel.append_rows(list(rows), start, end)
            return
        for row in rows[self._taken :]:  # a preview SDK without append_rows: the row's own number is its token
            self._channel.append_row(row, str(row["SEQUENCE_NUMBER"]))
            self._taken += 1
        self._taken = 0

    def _translated(self, error: Exception, what: str) -> EvsupError:
        """As `translated`; names the event whose row was too large to be sent."""
        return self._large.refusal(error) or translated(error, what, self._settings)

    def _guard(self, what: str, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except Exception as error:
            raise translated(error, what, self._settings) from error


def probe(settings: SnowflakeSettings) -> None:
    """Shake hands, and raise within seconds when nobody answers or shows another certificate: the SDK itself tries for
    minutes. Behind a proxy there is nothing to shake hands with. An authorization server is asked for a token: the SDK
    would ask for minutes, too, and then call it not permitted.
    """
    if settings.oauth_client_id:
        oauth.access_token(settings)
    host, port = address(settings)
    if is_behind_proxy():
        return
    try:
        shake_hands(host, port, settings.ca_file)
    except ssl.SSLCertVerificationError as error:
        raise ConfigurationError(
            f"The certificate of {host}:{port} is not trusted",
            error.verify_message,
            TRUST_SNOWFLAKE,
        ) from error
    except UnicodeError as error:
        raise ConfigurationError(
            f"Snowflake cannot be at {host}:{port}",
            str(error),
            "Correct SNOWFLAKE_ACCOUNT or SNOWFLAKE_URL: the parts between a host's dots have 1 to 63 characters each.",
        ) from error
    except OSError as error:
        raise SinkUnavailable(
            f"Snowflake does not answer at {host}:{port}",
            str(error),
            REACH_SNOWFLAKE,
        ) from error


def read_statuses(settings: SnowflakeSettings, names: Sequence[str]) -> dict[str, ChannelStatus]:
    """How far channels are, without opening one, which would take it from its owner; one that is not there has a status
    code that says so. Blocks for as long as the SDK tries.

    https://docs.snowflake.com/en/user-guide/snowpipe-streaming/snowpipe-streaming-high-performance-rest-api
    """
    from snowflake.ingest.streaming import StreamingIngestClient

    try:
        client = _client(StreamingIngestClient, settings, f"evsup_reader_{os.getpid()}")
        found = {name: read_status(status) for name, status in client.get_channel_statuses(list(names)).items()}
    except Exception as error:
        raise translated(error, "The channels' statuses cannot be read", settings) from error
    _quietly(lambda: client.close(wait_for_flush=False, timeout_seconds=0))
    return found


def _client(client_class: Callable[..., Any], settings: SnowflakeSettings, name: str) -> Any:
    return client_class(
        client_name=name,
        db_name=settings.database,
        schema_name=settings.schema,
        pipe_name=settings.pipe_name,
        properties=client_properties(settings),
    )


def _refuse_bytes(rows: Sequence[Row]) -> None:
    """Raise when the pipe has no form for the bytes of a row."""
    for row in rows:
        if RAW_BODY in row and not _is_utf8(row[RAW_BODY]):
            raise DataRefused(
                f"{event_address(row)}: its RAW_BODY cannot be sent",
                f"{UTF8_ALONE}, and the body is not UTF-8: {row['DECODE_ERROR']}",
                OTHER_FORMAT,
            )


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def _quietly(close: Callable[[], None]) -> None:
    try:
        close()
    except Exception as error:  # noqa: BLE001 (an invalid channel cannot be closed; nothing is lost by that)
        log.debug("close_failed", reason=mask(str(error)))


def translated(error: Exception, what: str, settings: SnowflakeSettings) -> EvsupError:
    """The SDK's error as one of ours. Codes unknown to this module are a failed sink; no code at all is our bug."""
    if isinstance(error, EvsupError):
        return error
    code, why = _code(error), mask(" ".join(str(error).split()))
    if code == NOT_FOUND:
        return gone(what, why)
    if code == INVALID_CHANNEL:
        return invalid_channel(what, why)
    if code in REFUSED:
        return NotSignedIn(what, why, errors.LOGIN)
    if code in MISSING:
        target = f"{settings.database}.{settings.schema}.{settings.table}"
        return ConfigurationError(
            what,
            why,
            f"Check that {target} and the pipe {settings.pipe_name} exist and the role may use them; `evsup init"
            " --target --print` shows the table's SQL.",
        )
    if not hasattr(error, "error_code") and not isinstance(error, OSError):
        return Bug(what, f"{code}: {why}")
    reason = why if why.startswith(code) else f"{code}: {why}"
    return SinkUnavailable(what, reason, "Start again; the channel resumes after its committed token.")


def _code(error: Exception) -> str:
    return str(getattr(getattr(error, "error_code", None), "value", type(error).__name__))


def client_properties(settings: SnowflakeSettings) -> dict[str, str]:
    """Properties of the SDK client; `SNOWFLAKE_STREAMING_PROPERTIES` has the last word.

    https://docs.snowflake.com/en/user-guide/snowpipe-streaming/snowpipe-streaming-high-performance-configurations
    """
    host, port = address(settings)
    properties = {
        "account": account.parse(settings.account).name,
        "user": settings.user,
        "url": f"https://{host}:{port}",
        "role": settings.role,
        **(_client_credentials(settings) if settings.oauth_client_id else {"private_key": _private_key(settings)}),
    }
    return SDK_DEFAULTS | {name: text for name, text in properties.items() if text} | settings.streaming_properties


def _private_key(settings: SnowflakeSettings) -> str:
    """The key itself, for the SDK calls a file that it cannot read `Fatal`."""
    try:
        return private_key.pem(signing_key(settings))
    except ValueError as error:
        raise ConfigurationError("The private key of Snowflake cannot be used", str(error)) from None


def _client_credentials(settings: SnowflakeSettings) -> dict[str, str | None]:
    return {
        "authorization_type": "OAUTH",
        "oauth_client_id": settings.oauth_client_id,
        "oauth_client_secret": oauth.client_secret(settings),
        "oauth_token_endpoint": settings.oauth_token_endpoint,
        "oauth_scope": oauth.scope(settings),
    }

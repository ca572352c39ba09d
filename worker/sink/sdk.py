"""The streaming SDK around a channel: its environment, its clients, and whether Snowflake can be reached.

`new_client` alone imports the SDK, after `prepare` has set what it reads at import, and never in the
supervisor: the import starts native threads.
https://docs.snowflake.com/en/user-guide/snowpipe-streaming/snowpipe-streaming-high-performance-configurations
"""

import os
import ssl
import sys
from typing import Any

from shared.config.formats import account, private_key
from shared.config.settings import SnowflakeSettings
from shared.errors import ConfigurationError, SinkUnavailable
from shared.fixes import REACH_SNOWFLAKE
from shared.snowflake import oauth
from shared.snowflake.key_pair import signing_key
from shared.snowflake.tables import address
from shared.snowflake.tls_probe import is_behind_proxy, probe_tls, untrusted

SYSTEM_CA_DIR = "/etc/ssl/certs"
CA_FILE_SINCE = (1, 7)  # before, the SDK trusted the authorities that it was built with, and no others (measured)
# The SDK's memory guard measures the process against a share of itself and refuses appends from about 100 MB of RSS on.
# Another limit bounds our memory: the SDK holds 256 MiB of rows that Snowflake does not take, and then takes no more.
SDK_DEFAULTS = {"mem_throttle_by_process": "false"}
# The SDK looks at its own memory and processor 20 times a second, which is most of what an idle worker does. No page of
# the vendor names the variable; the log of 1.9.1 shows its value. With one a second, 37 wake-ups a second become 7.
MEASURING_ITSELF = ("SS_PROCESS_INFO_REFRESH_DURATION_MS", "1000")


def prepare(settings: SnowflakeSettings, log_level: str = "warn") -> None:
    """Make this process ready for the SDK, before it is imported. An operator's SS_LOG_LEVEL overrides `log_level`."""
    prepare_environment(settings, log_level=log_level)
    redirect_stdout()


def prepare_environment(
    settings: SnowflakeSettings, environ: dict[str, str] | os._Environ[str] = os.environ, log_level: str = "warn"
) -> None:
    """Set what the SDK reads from the environment when it is imported."""
    environ["SS_LOG_TARGET"] = "stderr"  # by default standard output
    environ.setdefault("SS_LOG_LEVEL", log_level)
    # Its port is one for a whole host: the second worker could not have it.
    environ["SS_ENABLE_METRICS"] = "false"
    environ.setdefault(*MEASURING_ITSELF)
    if settings.ca_file:
        _refuse_unread_ca_file()
        environ["SSL_CERT_FILE"] = settings.ca_file
        # The file alone would replace the system's authorities, by which the cloud storage of the stage is known.
        environ.setdefault("SSL_CERT_DIR", SYSTEM_CA_DIR)


def redirect_stdout() -> None:
    """Have standard output of this process be its standard error: the SDK before 1.6 writes its log to the former."""
    if sys.stdout:  # None when standard output was closed at the start
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())


def new_client(settings: SnowflakeSettings, name: str) -> Any:
    """A `StreamingIngestClient` of the pipe. Raises the SDK's errors."""
    from snowflake.ingest.streaming import StreamingIngestClient

    return StreamingIngestClient(
        client_name=name,
        db_name=settings.database,
        schema_name=settings.schema,
        pipe_name=settings.pipe_name,
        properties=client_properties(settings),
    )


def client_properties(settings: SnowflakeSettings) -> dict[str, str]:
    """Properties of a client. Those of `SNOWFLAKE_STREAMING_PROPERTIES` override ours.

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


def probe(settings: SnowflakeSettings) -> None:
    """Raise within seconds when Snowflake does not answer or shows a certificate that is not trusted.

    The SDK itself tries for minutes. An authorization server is asked for a token first: the SDK would ask for minutes
    as well, and then report a missing permission. Behind a proxy there is no handshake to try.
    """
    if settings.oauth_client_id:
        oauth.access_token(settings)
    host, port = address(settings)
    if is_behind_proxy():
        return
    try:
        probe_tls(host, port, settings.ca_file)
    except ssl.SSLCertVerificationError as error:
        raise untrusted(host, port, error) from error
    except UnicodeError as error:
        raise ConfigurationError(
            f"{host}:{port} is not a valid address",
            str(error),
            "Correct SNOWFLAKE_ACCOUNT or SNOWFLAKE_URL: the parts between a host's dots have 1 to 63 characters each.",
        ) from error
    except OSError as error:
        raise SinkUnavailable(f"Snowflake does not answer at {host}:{port}", str(error), REACH_SNOWFLAKE) from error


def _refuse_unread_ca_file() -> None:
    """Raise when the SDK would ignore a CA file: it would repeat a handshake that cannot succeed, for hours."""
    from importlib.metadata import version  # here, because most processes trust the system's authorities

    installed = version("snowpipe-streaming")
    if tuple(map(int, installed.split(".")[:2])) < CA_FILE_SINCE:
        raise ConfigurationError(
            "SNOWFLAKE_CA_FILE cannot be used",
            f"snowpipe-streaming {installed} trusts only the authorities that it was built with",
            "Install snowpipe-streaming 1.7 or newer.",
        )


def _private_key(settings: SnowflakeSettings) -> str:
    """The key's text, not its file: the SDK reports a file that it cannot read as `Fatal`."""
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

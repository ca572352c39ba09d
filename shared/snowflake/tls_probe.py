"""Whether a host answers TLS, before an SDK that would try for minutes is asked to connect."""

import os
import socket
import ssl

from shared.errors import ConfigurationError
from shared.fixes import trust

TIMEOUT_S = 10.0  # a host on which many workers start at once is slow, too


def probe_tls(host: str, port: int, ca_file: str | None) -> None:
    """Connect and shake hands; nothing is sent. Raises `OSError` within seconds when nobody answers, and
    `ssl.SSLCertVerificationError` for a certificate that is not trusted.
    """
    context = ssl.create_default_context()
    if ca_file:
        context.load_verify_locations(ca_file)
    with (
        socket.create_connection((host, port), TIMEOUT_S) as plain,
        context.wrap_socket(plain, server_hostname=host),
    ):
        return


def refuse_untrusted(host: str, port: int, ca_file: str | None) -> None:
    """Raise `ConfigurationError` when the host shows a certificate that is not trusted; behind a proxy, never."""
    if is_behind_proxy():
        return
    try:
        probe_tls(host, port, ca_file)
    except ssl.SSLCertVerificationError as error:
        raise untrusted(host, port, error) from error
    except (OSError, UnicodeError):  # the connector's own error says as much
        return


def untrusted(host: str, port: int, error: ssl.SSLCertVerificationError) -> ConfigurationError:
    """The error of a host whose certificate is not trusted."""
    why = error.verify_message
    return ConfigurationError(f"The certificate of {host}:{port} is not trusted", why, trust(why))


def is_behind_proxy() -> bool:
    """Whether clients go through a proxy, so that the host itself cannot be probed from here."""
    return bool(os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy"))

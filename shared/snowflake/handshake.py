"""TCP and TLS with a host that speaks https, and nothing written to it."""

import os
import socket
import ssl

TIMEOUT_S = 5.0


def shake_hands(host: str, port: int, ca_file: str | None) -> None:
    """Raise `OSError` within seconds when nobody answers, `ssl.SSLCertVerificationError` for another certificate."""
    context = ssl.create_default_context()
    if ca_file:
        context.load_verify_locations(ca_file)
    with (
        socket.create_connection((host, port), TIMEOUT_S) as plain,
        context.wrap_socket(plain, server_hostname=host),
    ):
        return


def is_behind_proxy() -> bool:
    """Whether clients go through a proxy, so that there is nobody here to shake hands with."""
    return bool(os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy"))

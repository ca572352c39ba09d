"""An address as people type it, taken apart without ever quoting it: it may hold a password."""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import SplitResult, urlsplit

_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?|[0-9A-Fa-f:.]+")


@dataclass(frozen=True, slots=True)
class Listening:
    """Where to listen: `127.0.0.1:9464`, `[::1]:9464`."""

    ip: IPv4Address | IPv6Address
    port: int


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`scheme://host:port`; the scheme is lower-case, empty when none was typed; the port is None when none was."""

    scheme: str
    host: str
    port: int | None
    has_credentials: bool
    has_path: bool


def parse(text: str) -> Endpoint:
    """Take `scheme://user:password@host:port/path` or `host:port` apart.

    Raises ValueError whose text is a reason in plain English and holds nothing of `text`.
    """
    parts = _split(text if "://" in text else f"//{text}")
    try:
        port = parts.port
    except ValueError:
        raise ValueError("the port must be a number from 1 to 65535") from None
    if port == 0:
        raise ValueError("the port must be a number from 1 to 65535")
    host = parts.hostname or ""
    if not _HOST.fullmatch(host):
        raise ValueError("the host is missing or malformed")
    return Endpoint(
        scheme=parts.scheme,
        host=host,
        port=port,
        has_credentials="@" in parts.netloc,
        has_path=bool(parts.path.strip("/") or parts.query or parts.fragment),
    )


def parse_listening(text: str) -> Listening:
    """Take `IP:PORT` apart. A name is refused: it may mean several addresses, and other ones tomorrow.

    Raises ValueError as `parse` does.
    """
    address = parse(text)
    if address.scheme or address.has_path or address.has_credentials or address.port is None:
        raise ValueError("must be IP:PORT alone, an IPv6 address in brackets")
    try:
        return Listening(ip_address(address.host), address.port)
    except ValueError:
        raise ValueError("must be an IP address and a port, not a name") from None


def _split(text: str) -> SplitResult:
    try:
        return urlsplit(text)
    except ValueError:
        raise ValueError("the host is missing or malformed") from None

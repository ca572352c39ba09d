"""The head of an HTTP/1 request, as far as a response depends on it: https://www.rfc-editor.org/rfc/rfc9112."""

import re
from dataclasses import dataclass

# The second form of a target is the one that is sent to a proxy; every server has to take it.
_LINE = re.compile(r"([A-Z]+) (?:https?://([^/?#]*))?([!-~]*) HTTP/1\.([01])")
_AUTHORITY = re.compile(r"(\[[^]]*\]|[^]:[/@\s]*)(?::[0-9]*)?")


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for, and of whom."""

    method: str
    path: str
    host: str
    """The name or address that the client believes it talks to, in small letters, without a port; empty: none."""


def parse(head: bytes) -> Request | None:
    """The request whose line and headers these are; None when they are not those of a request."""
    line, *headers = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    parts = _LINE.fullmatch(line)
    if parts is None:
        return None
    method, authority, target, minor = parts.groups()
    named = [
        value.strip() for name, _, value in (header.partition(":") for header in headers) if name.lower() == "host"
    ]
    if len(named) > 1 or (minor == "1" and not named):
        return None
    host = _AUTHORITY.fullmatch(authority if authority is not None else "".join(named))
    path = target.partition("?")[0] or ("/" if authority is not None else "")
    return Request(method, path, host[1].strip("[]").rstrip(".").lower()) if host and path else None

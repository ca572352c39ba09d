"""What the HTTP endpoint says to a request line: a pure decision over the tree's status.

Nothing of a request comes back in an answer.
"""

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import NamedTuple

import msgspec

from supervisor.status.health import complaints, stuck
from supervisor.status.metrics import exposition
from supervisor.status.model import TreeStatus

TEXT = "text/plain; charset=utf-8"
EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"
METHODS = ("GET", "HEAD")

_REQUEST_LINE = re.compile(rb"([A-Z]+) ([!-~]+) HTTP/1\.[01]")


class Response(NamedTuple):
    """A status, and a page."""

    status: HTTPStatus
    page: bytes
    content_type: str = TEXT

    def encode(self, *, with_page: bool = True) -> bytes:
        """As it goes over the wire; `HEAD` is answered without the page. One answer a connection."""
        head = (
            f"HTTP/1.1 {self.status.value} {self.status.phrase}",
            f"Content-Type: {self.content_type}",
            f"Content-Length: {len(self.page)}",
            f"Allow: {', '.join(METHODS)}",
            "Cache-Control: no-store",
            "X-Content-Type-Options: nosniff",
            "Connection: close",
        )
        return "\r\n".join((*head, "", "")).encode() + (self.page if with_page else b"")


def answer(request_line: bytes, tree: TreeStatus, now_s: float) -> bytes:
    """The whole answer to a request whose first line this is."""
    parts = _REQUEST_LINE.fullmatch(request_line)
    if parts is None:
        return refusal(HTTPStatus.BAD_REQUEST)
    method, target = (part.decode() for part in parts.groups())
    if method not in METHODS:
        return refusal(HTTPStatus.METHOD_NOT_ALLOWED)
    page = PAGES.get(target.partition("?")[0])
    found = page(tree, now_s) if page else _not_found()
    return found.encode(with_page=method == "GET")


def refusal(status: HTTPStatus) -> bytes:
    """The answer to what is no request for a page."""
    return Response(status, f"{status.phrase}\n".encode()).encode()


def _not_found() -> Response:
    return Response(HTTPStatus.NOT_FOUND, f"There is {', '.join(PAGES)}\n".encode())


def _metrics(tree: TreeStatus, now_s: float) -> Response:
    return Response(HTTPStatus.OK, exposition(tree, now_s), EXPOSITION)


def _healthz(tree: TreeStatus, now_s: float) -> Response:
    return _verdict(stuck(tree, now_s))


def _readyz(tree: TreeStatus, now_s: float) -> Response:
    return _verdict(stuck(tree, now_s) or "\n".join(complaints(tree)))


def _status(tree: TreeStatus, _: float) -> Response:
    return Response(HTTPStatus.OK, msgspec.json.encode(tree), "application/json")


def _verdict(against: str | None) -> Response:
    if against:
        return Response(HTTPStatus.SERVICE_UNAVAILABLE, f"{against}\n".encode())
    return Response(HTTPStatus.OK, b"ok\n")


PAGES: dict[str, Callable[[TreeStatus, float], Response]] = {
    "/metrics": _metrics,
    "/healthz": _healthz,
    "/readyz": _readyz,
    "/status": _status,
}

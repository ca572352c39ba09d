"""The responses of the HTTP server: a pure function of the request, the tree's status, and how it was before.

A response never repeats any part of the request. `/healthz` and `/readyz` are decided in `health.py`, and what
the page at `/` shows in `overview.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

from supervisor.json_text import encoded
from supervisor.status.health import complaints, stuck
from supervisor.status.http import documents
from supervisor.status.http.hosts import Hosts
from supervisor.status.http.overview import NO_PAST, Past, overview
from supervisor.status.http.request import Request, parse
from supervisor.status.model import TreeStatus

TEXT = "text/plain; charset=utf-8"
EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"
HTML, JSON = "text/html; charset=utf-8", "application/json"
NOTHING_ACTIVE = "default-src 'none'; frame-ancestors 'none'"
METHODS = ("GET", "HEAD")
NOT_HERE = "Host is no name of this server. Ask for an IP address or localhost, or add the name to EVSUP_HTTP_HOSTS."


@dataclass(frozen=True, slots=True)
class Response:
    """A status and a page."""

    status: HTTPStatus
    page: bytes
    content_type: str = TEXT
    policy: str = NOTHING_ACTIVE
    """What a browser may load and run: https://www.w3.org/TR/CSP3/."""

    def encode(self, *, with_page: bool = True) -> bytes:
        """The bytes to send; a response to `HEAD` has no page. The connection closes after it."""
        head = (
            f"HTTP/1.1 {self.status.value} {self.status.phrase}",
            f"Content-Type: {self.content_type}",
            f"Content-Length: {len(self.page)}",
            f"Allow: {', '.join(METHODS)}",
            "Cache-Control: no-store",
            f"Content-Security-Policy: {self.policy}",
            "Cross-Origin-Resource-Policy: same-origin",
            "Referrer-Policy: no-referrer",
            "X-Content-Type-Options: nosniff",
            "X-Frame-Options: DENY",
            "Connection: close",
        )
        return "\r\n".join((*head, "", "")).encode() + (self.page if with_page else b"")


def respond(head: bytes, tree: TreeStatus, now_s: float, past: Past = NO_PAST, hosts: Hosts | None = None) -> bytes:
    """The whole response to a request with this head. `hosts` are the names of the server; None: any will do."""
    request = parse(head)
    if request is None:
        return refusal(HTTPStatus.BAD_REQUEST).encode()
    return _response(request, tree, now_s, past, hosts).encode(with_page=request.method != "HEAD")


def refusal(status: HTTPStatus, reason: str = "") -> Response:
    """The response to what is no request for a page."""
    return Response(status, f"{reason or status.phrase}\n".encode())


def _response(request: Request, tree: TreeStatus, now_s: float, past: Past, hosts: Hosts | None) -> Response:
    if hosts and not hosts.include(request.host):
        return refusal(HTTPStatus.MISDIRECTED_REQUEST, NOT_HERE)
    if request.method not in METHODS:
        return refusal(HTTPStatus.METHOD_NOT_ALLOWED)
    page = PAGES.get(request.path)
    return page(tree, now_s, past) if page else _not_found()


def _not_found() -> Response:
    return Response(HTTPStatus.NOT_FOUND, f"Not found. Pages: {', '.join(PAGES)}\n".encode())


def _page(*_: object) -> Response:
    return Response(HTTPStatus.OK, documents.PAGE, HTML, documents.policy(documents.PAGE))


def _runbook(*_: object) -> Response:
    return Response(HTTPStatus.OK, documents.RUNBOOK, HTML, documents.policy(documents.RUNBOOK))


def _overview(tree: TreeStatus, now_s: float, past: Past) -> Response:
    return Response(HTTPStatus.OK, encoded(overview(tree, past, now_s)), JSON)


def _metrics(tree: TreeStatus, now_s: float, _: Past) -> Response:
    # Here, because without a scrape its package is not needed.
    from supervisor.status.metrics.exposition import exposition

    return Response(HTTPStatus.OK, exposition(tree, now_s), EXPOSITION)


def _healthz(tree: TreeStatus, now_s: float, _: Past) -> Response:
    return _verdict(stuck(tree, now_s))


def _readyz(tree: TreeStatus, now_s: float, _: Past) -> Response:
    return _verdict(stuck(tree, now_s) or "\n".join(complaints(tree)))


def _status(tree: TreeStatus, *_: object) -> Response:
    return Response(HTTPStatus.OK, encoded(tree), JSON)


def _verdict(against: str | None) -> Response:
    if against:
        return Response(HTTPStatus.SERVICE_UNAVAILABLE, f"{against}\n".encode(errors="replace"))
    return Response(HTTPStatus.OK, b"ok\n")


PAGES: dict[str, Callable[[TreeStatus, float, Past], Response]] = {
    "/": _page,
    "/overview": _overview,
    "/runbook": _runbook,
    "/metrics": _metrics,
    "/healthz": _healthz,
    "/readyz": _readyz,
    "/status": _status,
}

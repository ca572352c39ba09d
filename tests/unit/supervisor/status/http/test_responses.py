"""What a request is answered, without a socket."""

import json

import pytest

from supervisor.status.health import STUCK_AFTER_S
from supervisor.status.http.hosts import Hosts
from supervisor.status.http.responses import PAGES, respond
from supervisor.status.model import TreeStatus
from tests.unit.supervisor.status.statuses import NOW_S, a_partition, a_tree

HEALTHY = a_tree(a_partition())
STUCK_S = NOW_S + STUCK_AFTER_S + 1


def response(line: str, tree: TreeStatus = HEALTHY, now_s: float = NOW_S) -> bytes:
    """The whole of it."""
    return respond(f"{line}\r\nHost: localhost:9464\r\n\r\n".encode(), tree, now_s)


def asked(line: str, tree: TreeStatus = HEALTHY, now_s: float = NOW_S) -> tuple[int, str]:
    """Status and page."""
    head, _, page = response(line, tree, now_s).decode().partition("\r\n\r\n")
    return int(head.split()[1]), page


def test_a_healthy_tree_is_alive_and_ready() -> None:
    assert asked("GET /healthz HTTP/1.1") == (200, "ok\n")
    assert asked("GET /readyz HTTP/1.0") == (200, "ok\n")


def test_a_tree_with_a_stuck_loop_is_neither_alive_nor_ready() -> None:
    for page in ("/healthz", "/readyz"):
        assert asked(f"GET {page} HTTP/1.1", now_s=STUCK_S) == (503, "the loop has not turned for 11 s\n")


def test_an_unhealthy_tree_is_alive_and_says_why_it_is_not_ready() -> None:
    tree = a_tree(a_partition("0", state="opening"), unowned=("1",))
    assert asked("GET /healthz HTTP/1.1", tree) == (200, "ok\n")
    code, page = asked("GET /readyz HTTP/1.1", tree)
    assert code == 503
    assert page.splitlines() == [
        "nobody holds partitions 1, and no supervisor has room for them",
        "partition 0 is opening",
    ]


def test_status_returns_what_evsup_status_prints_as_json() -> None:
    code, page = asked("GET /status HTTP/1.1")
    assert code == 200
    assert json.loads(page)["partitions"][0]["durable"] == 20


def test_metrics_are_in_the_text_format() -> None:
    whole = response("GET /metrics?name[]=x HTTP/1.1")
    assert b"Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n" in whole
    group = b'consumer_group="$Default",partition="0",source="ns.servicebus.windows.net/flights"'
    assert b"evsup_durable_sequence_number{%b} 20.0\n" % group in whole


@pytest.mark.parametrize("page", PAGES)
def test_a_head_request_is_answered_without_the_page(page: str) -> None:
    got, head = (response(f"{method} {page} HTTP/1.1") for method in ("GET", "HEAD"))
    assert head == got[: got.index(b"\r\n\r\n") + 4]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("GET /nothing HTTP/1.1", 404),
        ("GET /overview/ HTTP/1.1", 404),
        ("POST / HTTP/1.1", 405),
        ("GET /metrics/canary HTTP/1.1", 404),
        ("GET http://canary/nothing HTTP/1.1", 404),
        ("GET /%6detrics/%zz%canary HTTP/1.1", 404),
        ("POST /metrics HTTP/1.1", 405),
        ("OPTIONS * HTTP/1.1", 405),
        ("CANARY /metrics HTTP/1.1", 405),
        ("GET /metrics", 400),
        ("GET /metrics canary HTTP/1.1", 400),
        ("GET /metrics HTTP/2.0", 400),
        ("GET /\x00canary HTTP/1.1", 400),
        ("get /metrics HTTP/1.1", 400),
        ("", 400),
    ],
)
def test_any_other_request_is_refused_and_not_repeated(line: str, code: int) -> None:
    said, page = asked(line)
    assert said == code
    assert "canary" not in page.lower()


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_request_for_another_host_is_told_what_to_ask_for_and_sees_nothing(method: str) -> None:
    request = f"{method} /metrics HTTP/1.1\r\nHost: rebound.canary.example\r\n\r\n".encode()
    head, _, page = respond(request, HEALTHY, NOW_S, hosts=Hosts("host1")).decode().partition("\r\n\r\n")
    assert head.startswith("HTTP/1.1 421 Misdirected Request\r\n")
    assert page == (
        "Host is no name of this server. Ask for an IP address or localhost, or add the name to EVSUP_HTTP_HOSTS.\n"
    )


def test_no_refusal_of_a_head_request_has_a_page() -> None:
    for request in (b"HEAD /nothing HTTP/1.0\r\n\r\n", b"HEAD / HTTP/1.1\r\nHost: rebound.example\r\n\r\n"):
        assert respond(request, HEALTHY, NOW_S, hosts=Hosts("host1")).endswith(b"\r\n\r\n")


@pytest.mark.parametrize("page", PAGES)
def test_a_text_that_is_no_unicode_leaves_no_page_unanswered(page: str) -> None:
    tree = a_tree(a_partition(waits_for="\udcff"), cause="the file \udcff", hub_trouble="\ud83d", healthy=False)
    assert asked(f"GET {page} HTTP/1.1", tree)[0] == (503 if page == "/readyz" else 200)


def test_a_request_for_an_unknown_page_is_answered_with_the_known_ones() -> None:
    known = "Not found. Pages: /, /overview, /runbook, /metrics, /healthz, /readyz, /status\n"
    assert asked("GET /index.html HTTP/1.1") == (404, known)
    assert b"Allow: GET, HEAD\r\n" in response("POST / HTTP/1.1")


@pytest.mark.parametrize(
    "line", [*(f"GET {page} HTTP/1.1" for page in PAGES), "GET /nothing HTTP/1.1", "POST / HTTP/1.1"]
)
def test_no_response_is_kept_framed_sniffed_or_read_by_another_site(line: str) -> None:
    head = response(line).partition(b"\r\n\r\n")[0].decode().split("\r\n")
    assert {
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
        "X-Frame-Options: DENY",
        "Referrer-Policy: no-referrer",
        "Cross-Origin-Resource-Policy: same-origin",
    } <= set(head)
    (policy,) = (each for each in head if each.startswith("Content-Security-Policy: "))
    assert policy.startswith("Content-Security-Policy: default-src 'none'")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


def test_a_stuck_loop_is_what_the_page_says_first() -> None:
    shown = json.loads(asked("GET /overview HTTP/1.1", now_s=STUCK_S)[1])
    assert (shown["verdict"], shown["headline"]) == ("degraded", "stuck, was running, healthy")
    assert shown["troubles"][0]["text"].startswith(
        "the loop has not turned for 11 s, and everything here is as of then"
    )

"""What is read of a request."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.status.http.request import Request, parse


@pytest.mark.parametrize(
    ("head", "read"),
    [
        ("GET / HTTP/1.1\r\nHost: LOCALHOST:9464\r\n\r\n", Request("GET", "/", "localhost")),
        ("GET /metrics?a=/b HTTP/1.1\r\nAccept: */*\r\nhOST:10.0.0.7\r\n\r\n", Request("GET", "/metrics", "10.0.0.7")),
        ("HEAD / HTTP/1.1\r\nHost: [fd00::7]:80\r\n\r\n", Request("HEAD", "/", "fd00::7")),
        ("GET / HTTP/1.1\r\nHost: localhost.\r\n\r\n", Request("GET", "/", "localhost")),
        ("GET / HTTP/1.1\r\nHost:\r\n\r\n", Request("GET", "/", "")),
        ("GET /healthz HTTP/1.0\r\n\r\n", Request("GET", "/healthz", "")),
        ("GET http://pod:9464/metrics HTTP/1.1\r\nHost: other\r\n\r\n", Request("GET", "/metrics", "pod")),
        ("GET http://pod HTTP/1.1\r\nHost: other\r\n\r\n", Request("GET", "/", "pod")),
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", Request("OPTIONS", "*", "a")),
    ],
)
def test_the_host_is_the_one_that_the_client_means(head: str, read: Request) -> None:
    assert parse(head.encode()) == read


@pytest.mark.parametrize(
    "head",
    [
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : localhost\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\nHost: rebound.example\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\nHost: rebound.example\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: rebound.example/localhost\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: localhost@rebound.example\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n",
        "GET http://user@localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET  / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET  HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ],
)
def test_a_request_whose_host_is_in_doubt_is_none(head: str) -> None:
    assert parse(head.encode()) is None


@given(st.binary(max_size=200).map(lambda noise: b"GET / HTTP/1.1\r\nHost: " + noise + b"\r\n\r\n"))
def test_any_bytes_as_a_host_are_a_host_or_no_request(head: bytes) -> None:
    request = parse(head)
    assert request is None or request.path == "/"

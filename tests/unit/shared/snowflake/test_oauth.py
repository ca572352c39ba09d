"""An access token for SQL: what is asked, and what each answer of an authorization server means."""

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from scripts.localcloud.signing.certificate import make_certificate
from shared.config.settings import SnowflakeSettings
from shared.errors import ConfigurationError, EvsupError, NotSignedIn, SnowflakeUnavailable
from shared.log.secret import Secret, mask
from shared.snowflake import oauth
from tests.unit.plain_settings import snowflake

CANARY = "c4n&ry+%"
TOKEN = {"access_token": "a-token", "token_type": "Bearer", "expires_in": 600}


class Server(ThreadingHTTPServer):
    """An authorization server over TLS that answers `status` and `body` to whatever is asked."""

    def __init__(self, directory: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        certificate = make_certificate(directory, "127.0.0.1")
        self.socket = certificate.server_context().wrap_socket(self.socket, server_side=True)
        self.ca_file = str(certificate.ca_file)
        self.status, self.body = 200, json.dumps(TOKEN)
        self.lost = 0
        """Bytes of the answer that never come, because the connection is cut."""
        self.asked: list[dict[str, list[str]]] = []

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that does not trust the certificate hangs up."""


class Handler(BaseHTTPRequestHandler):
    """Notes the forms that it is sent."""

    server: Server

    def do_POST(self) -> None:
        form = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.asked.append(parse_qs(form, strict_parsing=True))
        self.send_response(self.server.status)
        if self.server.status // 100 == 3:
            self.send_header("Location", f"https://127.0.0.1:{self.server.server_port}/elsewhere")
        if self.server.lost:
            self.send_header("Content-Length", str(len(self.server.body) + self.server.lost))
        self.end_headers()
        self.wfile.write(self.server.body.encode())

    def do_GET(self) -> None:
        self.server.asked.append({})
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing on stderr."""


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for variable in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(variable, raising=False)
    with Server(tmp_path) as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def settings_of(server: Server, **changes: object) -> SnowflakeSettings:
    values = {
        "ca_file": server.ca_file,
        "oauth_client_id": "evsup",
        "oauth_client_secret": Secret(CANARY),
        "oauth_token_endpoint": f"https://127.0.0.1:{server.server_port}/token",
    }
    return snowflake(**{**values, **changes})


def test_a_token_is_asked_for_with_the_credentials_and_the_role(server: Server) -> None:
    assert oauth.access_token(settings_of(server, role="LOADER")) == "a-token"
    assert server.asked == [
        {
            "grant_type": ["client_credentials"],
            "client_id": ["evsup"],
            "client_secret": [CANARY],
            "scope": ["session:role:LOADER"],
        }
    ]


def test_a_scope_that_is_set_is_asked_for_instead_and_without_a_role_none(server: Server) -> None:
    oauth.access_token(settings_of(server, role="LOADER", oauth_scope="api://evsup/.default"))
    oauth.access_token(settings_of(server))
    assert [asked.get("scope") for asked in server.asked] == [["api://evsup/.default"], None]


def test_the_secret_is_read_from_its_file_each_time(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    for secret in ("first", "rotated"):
        file.write_text(f"{secret}\n")
        oauth.access_token(settings_of(server, oauth_client_secret=None, oauth_client_secret_file=str(file)))
    assert [asked["client_secret"] for asked in server.asked] == [["first"], ["rotated"]]
    file.unlink()
    with pytest.raises(ConfigurationError, match="no such file"):
        oauth.access_token(settings_of(server, oauth_client_secret=None, oauth_client_secret_file=str(file)))


@pytest.mark.parametrize(
    ("status", "body", "kind", "reason"),
    [
        (401, '{"error": "invalid_client"}', NotSignedIn, "401 invalid_client"),
        (400, '{"error": "invalid_scope", "error_description": "no such"}', NotSignedIn, "400 invalid_scope no such"),
        (403, "<html>", NotSignedIn, "403 Forbidden"),
        (404, "", ConfigurationError, "404"),
        (302, "", ConfigurationError, "302"),
        (429, "", SnowflakeUnavailable, "429"),
        (503, "[]", SnowflakeUnavailable, "503"),
        (200, "<html>", ConfigurationError, "holds none"),
        (200, '{"id_token": "x"}', ConfigurationError, "holds none"),
        (200, "[]", ConfigurationError, "holds none"),
        (200, '{"access_token": null}', ConfigurationError, "holds none"),
        (200, '{"access_token": ""}', ConfigurationError, "holds none"),
        (200, '{"access_token": 7}', ConfigurationError, "holds none"),
        (200, "[" * 10_000, ConfigurationError, "holds none"),
        (401, "[" * 10_000, NotSignedIn, "401 Unauthorized"),
    ],
)
def test_each_answer_is_one_error_that_never_shows_the_secret(
    server: Server, status: int, body: str, kind: type[EvsupError], reason: str
) -> None:
    server.status, server.body = status, body
    with pytest.raises(kind, match=reason) as caught:
        oauth.access_token(settings_of(server))
    assert caught.value.fix
    assert CANARY not in f"{caught.value!r} {caught.value}"
    assert len(server.asked) == 1, "a redirect is not followed"


@pytest.mark.parametrize("arrived", [json.dumps(TOKEN)[:10], ""])
def test_an_answer_that_is_cut_on_the_way_is_no_fault_of_the_settings(server: Server, arrived: str) -> None:
    server.body, server.lost = arrived, 20
    with pytest.raises(SnowflakeUnavailable, match="No access token from"):
        oauth.access_token(settings_of(server))


def test_an_unknown_authority_is_told_with_the_setting_that_trusts_it(server: Server) -> None:
    with pytest.raises(ConfigurationError, match="SNOWFLAKE_CA_FILE"):
        oauth.access_token(settings_of(server, ca_file=None))


@pytest.mark.parametrize("listens", [False, True])
def test_nobody_who_answers_is_unavailable_in_time(
    server: Server, monkeypatch: pytest.MonkeyPatch, listens: bool
) -> None:
    monkeypatch.setattr(oauth, "ANSWER_S", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        if listens:
            silent.listen()
        with pytest.raises(SnowflakeUnavailable, match="No access token from"):
            oauth.access_token(
                settings_of(server, oauth_token_endpoint=f"https://127.0.0.1:{silent.getsockname()[1]}/token")
            )


def test_a_proxy_of_the_environment_is_used(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with pytest.raises(SnowflakeUnavailable, match="refused"):
        oauth.access_token(settings_of(server))
    assert not server.asked


@pytest.mark.parametrize("label", ["a" * 64, "a..b"])
def test_a_host_that_can_be_no_name_is_named_as_the_reason(server: Server, label: str) -> None:
    with pytest.raises(ConfigurationError, match="label"):
        oauth.access_token(settings_of(server, oauth_token_endpoint=f"https://{label}.example/token"))


def test_a_token_is_masked_wherever_it_stands(server: Server) -> None:
    server.body = json.dumps({"access_token": "0paque-t0ken"})
    assert oauth.access_token(settings_of(server)) == "0paque-t0ken"
    assert mask("the service said 0paque-t0ken") == "the service said ***"

import logging
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from snowflake.connector import DatabaseError, Error, OperationalError, ProgrammingError

from scripts.localcloud.signing.certificate import make_certificate
from shared.errors import (
    AlreadyExists,
    Bug,
    ConfigurationError,
    DoesNotExist,
    DuplicateKey,
    EvsupError,
    NotPermitted,
    NotSignedIn,
    RowLocked,
    SnowflakeUnavailable,
    Unsupported,
)
from shared.log.secret import Secret
from shared.snowflake.errors import translate, translated
from shared.snowflake.fixes import Refusal
from shared.snowflake.session import SqlSession
from tests.unit.plain_settings import snowflake
from tests.unit.shared.config.configurations import key


@pytest.mark.parametrize(
    ("number", "state", "text", "kind"),
    [
        (200001, "22000", "Primary key already exists", DuplicateKey),
        (625, "57014", "Statement was aborted because it waited for a lock", RowLocked),
        (634, "40001", "The statement was rolled back", RowLocked),
        (604, "57014", "a deadlock was detected", RowLocked),
        (630, "57014", "Statement reached its statement timeout", SnowflakeUnavailable),
        (603, "XX000", "SQL execution internal error", SnowflakeUnavailable),
        (3001, "42501", "Insufficient privileges to operate on schema 'PUBLIC'", NotPermitted),
        (606, "57P03", "No active warehouse selected in the current session", ConfigurationError),
        (
            90073,
            "22000",
            "Warehouse 'W' cannot be resumed because resource monitor 'M' has exceeded its quota.",
            SnowflakeUnavailable,
        ),
        (2003, "42S02", "Object 'T' does not exist or not authorized", DoesNotExist),
        (90105, "22000", "This session does not have a current database", DoesNotExist),
        (2037, "42000", "SQL compilation error: Aggregation policy violation: aggregation required.", NotPermitted),
        (2038, "42000", "column SEQUENCE_NUMBER is restricted by a Projection Policy", NotPermitted),
        (2, "0A000", "Unsupported feature 'HYBRID TABLE'", Unsupported),
        (2002, "42710", "SQL compilation error: Object 'T' already exists.", AlreadyExists),
        (2203, "42601", "Object found is of type 'VIEW', not specified type 'TABLE'.", AlreadyExists),
        (1003, "42000", "syntax error", Bug),
        (100038, "22018", "Numeric value 'x' is not recognized", Bug),
    ],
)
def test_a_failed_statement_is_told_apart_by_its_number(
    number: int, state: str, text: str, kind: type[EvsupError]
) -> None:
    assert type(translate(ProgrammingError(text, errno=number, sqlstate=state), "host/DB.S")) is kind


@pytest.mark.parametrize(
    ("number", "text", "kind"),
    [
        (390144, "JWT token is invalid. [0ce9eb56]", NotSignedIn),
        (390422, "Incoming request with IP/Token 203.0.113.7 is not allowed to access Snowflake.", NotPermitted),
        (390202, "Authentication attempt rejected by the current authentication policy.", NotPermitted),
        (390303, "Invalid OAuth access token. [0ce9eb56]", NotSignedIn),
        (390318, "OAuth access token expired. [0ce9eb56]", SnowflakeUnavailable),
        (390186, "Role 'X' specified in the connect string is not granted to this user", NotSignedIn),
        (390114, "Authentication token has expired", SnowflakeUnavailable),
        (250001, "Failed to connect to DB. Verify the account name is correct: 403 Forbidden", ConfigurationError),
        (290403, "290403: HTTP 403: Forbidden", SnowflakeUnavailable),
        (250001, "Failed to connect to DB. Service is unavailable", SnowflakeUnavailable),
        (250001, "Failed to connect to DB: host:443. JWT token is invalid. [0ce9eb56]", NotSignedIn),
        (
            390913,
            "Your free trial has ended and all of your virtual warehouses have been suspended.",
            SnowflakeUnavailable,
        ),
        (
            250001,
            "Failed to connect to DB: host:443. Your free trial has ended and all of your virtual",
            SnowflakeUnavailable,
        ),
        (250003, "Failed to execute request: [Errno 111] Connection refused", SnowflakeUnavailable),
        (250003, "Failed to execute request: certificate verify failed", ConfigurationError),
        (251011, "250001: Could not connect to Snowflake backend after 2 attempt(s)", SnowflakeUnavailable),
    ],
)
def test_a_refused_session_is_told_apart_by_its_number(number: int, text: str, kind: type[EvsupError]) -> None:
    assert type(translate(DatabaseError(text, errno=number), "host/DB.S")) is kind


def test_what_has_no_number_may_pass() -> None:
    assert type(translate(OperationalError("what?"), "host/DB.S")) is SnowflakeUnavailable


def test_the_reason_is_one_line_without_secrets() -> None:
    error: Error = ProgrammingError("refused:\n  password=hunter2", errno=390100)
    assert "hunter2" not in str(translate(error, "host/DB.S"))
    assert "\n" not in str(translate(error, "host/DB.S"))


# --- answers that are none of Snowflake's -----------------------------------------------------------------------------


class Gateway(ThreadingHTTPServer):
    """Answers each request with the same, over TLS."""

    def __init__(self, directory: Path, body: bytes, headers: Mapping[str, str]) -> None:
        super().__init__(("127.0.0.1", 0), GatewayHandler)
        certificate = make_certificate(directory, "127.0.0.1")
        self.socket = certificate.server_context().wrap_socket(self.socket, server_side=True)
        self.ca_file, self.body, self.headers = str(certificate.ca_file), body, headers


class GatewayHandler(BaseHTTPRequestHandler):
    """Reads the request, and answers with what the gateway has."""

    server: Gateway

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        for name, value in {"Content-Length": str(len(self.server.body)), **self.server.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *_: object) -> None:
        """Nothing on stderr."""


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"[]", {}),
        (b"{}", {}),
        (b'{"success": false, "code": null, "message": null, "data": null}', {}),
        (b"{}", {"Content-Encoding": "gzip"}),
    ],
)
def test_an_answer_that_is_none_of_snowflake_s_is_no_bug(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: bytes, headers: Mapping[str, str]
) -> None:
    """The connector itself raises KeyError, TypeError and the like."""
    for variable in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(variable, raising=False)
    with Gateway(tmp_path, body, headers) as gateway:
        threading.Thread(target=gateway.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        url = f"https://127.0.0.1:{gateway.server_port}"
        session = SqlSession(snowflake(url=url, private_key=Secret(key()), ca_file=gateway.ca_file))
        try:
            with pytest.raises(SnowflakeUnavailable, match="its answer cannot be read"):
                session.query("SELECT 1")
        finally:
            gateway.shutdown()
    assert not logging.getLogger("snowflake.connector.network").isEnabledFor(logging.ERROR), "it logs tracebacks"


def test_what_fails_outside_the_connector_stays_as_it_is() -> None:
    refusal = Refusal("SELECT 1", snowflake(), "D", "S")
    with pytest.raises(KeyError), translated("host/D.S", refusal):
        raise KeyError("ours")

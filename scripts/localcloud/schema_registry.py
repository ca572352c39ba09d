"""Azure Schema Registry on this machine: schemas by their ids, for whoever signs in as to Event Hubs.

As much of the REST API as reading a schema needs: https://learn.microsoft.com/rest/api/schemaregistry/
"""

import json
import threading
import time
import uuid
from collections import Counter
from contextlib import ExitStack, suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self
from urllib.parse import parse_qs, urlsplit

from scripts.localcloud.hub.access.token import TokenRefusedError, verify_identity
from scripts.localcloud.place import LOOPBACK
from scripts.localcloud.signing.certificate import make_certificate

if TYPE_CHECKING:
    from collections.abc import Callable

STOP_S = 0.05  # until it sees that it is to end
PATH = "/$schemaGroups/$schemas/"
API_VERSION = "2022-10"
GROUP = "flights"


class SchemaRegistry:
    """A context manager: it listens inside the block, with TLS.

    `identity_key` is the one that the hub knows. The attributes may be changed at any time: with `refusal` every answer
    is that status, and with `instead` it is whatever that writes. `asked` counts the questions by the id.
    """

    def __init__(self, directory: Path, identity_key: str) -> None:
        self.refusal: HTTPStatus | None = None
        self.instead: Callable[[BaseHTTPRequestHandler], None] | None = None
        self.asked: Counter[str] = Counter()
        self._directory, self._key = directory, identity_key
        self._schemas: dict[str, tuple[str, int]] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        certificate = make_certificate(self._directory, LOOPBACK)
        self.ca_file = certificate.ca_file
        self._server = _server(self)
        self._server.socket = certificate.server_context().wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, args=(STOP_S,), daemon=True).start()
        self._stack.callback(self._server.server_close)
        self._stack.callback(self._server.shutdown)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def namespace(self) -> str:
        """For `EVENTHUB_SCHEMA_REGISTRY`."""
        return f"{LOOPBACK}:{self._server.server_port}"

    def register(self, definition: object) -> str:
        """Add a schema; its id."""
        schema_id = uuid.uuid4().hex
        self._schemas[schema_id] = json.dumps(definition), len(self._schemas) + 1
        return schema_id

    def answer(self, target: str, token: str) -> tuple[HTTPStatus, dict[str, str], str]:
        """Status, headers and body of the answer to a question."""
        parts = urlsplit(target)
        schema_id = parts.path.removeprefix(PATH)
        self.asked[schema_id] += 1
        if self.refusal:
            return _error(self.refusal)
        try:
            verify_identity(token.removeprefix("Bearer "), self._key, f"https://{self.namespace}/", time.time())
        except TokenRefusedError:
            return _error(HTTPStatus.UNAUTHORIZED)
        if parse_qs(parts.query).get("api-version") != [API_VERSION]:
            return _error(HTTPStatus.BAD_REQUEST)
        if schema_id not in self._schemas:
            return _error(HTTPStatus.NOT_FOUND)
        definition, version = self._schemas[schema_id]
        headers = {
            "Content-Type": "application/json; serialization=Avro",
            "Schema-Id": schema_id,
            "Schema-Group-Name": GROUP,
            "Schema-Name": f"flight-{version}",
            "Schema-Version": "1",
        }
        return HTTPStatus.OK, headers, definition


def _error(status: HTTPStatus) -> tuple[HTTPStatus, dict[str, str], str]:
    body = {"error": {"code": status.phrase.replace(" ", ""), "message": status.description or status.phrase}}
    return status, {"Content-Type": "application/json"}, json.dumps(body)


def _server(registry: SchemaRegistry) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if registry.instead:
                with suppress(OSError):  # the client has had enough
                    registry.instead(self)
                return
            status, headers, text = registry.answer(self.path, self.headers.get("Authorization", ""))
            body = text.encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    return ThreadingHTTPServer((LOOPBACK, 0), Handler)

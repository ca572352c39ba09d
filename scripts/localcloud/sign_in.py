"""Microsoft Entra ID and the managed identity endpoints, as far as a program signs in by itself.

Requests and answers: https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-client-creds-grant-flow,
https://learn.microsoft.com/en-us/azure/app-service/overview-managed-identity#rest-endpoint-reference and
https://learn.microsoft.com/en-us/entra/identity/managed-identities-azure-resources/how-to-use-vm-token
"""

import json
import secrets
import threading
import time
import uuid
from collections import Counter
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from scripts.localcloud.hub.access.token import RESOURCE, TENANT, issuer
from scripts.localcloud.place import LOOPBACK
from scripts.localcloud.signing.certificate import make_certificate
from scripts.localcloud.signing.jwt import sign

STOP_S = 0.05  # until it sees that it is to end
LIFETIME_S = 3600.0
APP_SERVICE, IMDS = "/msi/token", "/metadata/identity/oauth2/token"
_DISCOVERY, _TOKEN = ".well-known/openid-configuration", "oauth2/v2.0/token"


class SignInRefusedError(Exception):
    """An answer that is no token: the status, and what stands in it."""

    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(description)
        self.status, self.answer = status, {"error": error, "error_description": description, "message": description}


class SignIn:
    """A context manager: it listens inside the block, on a port with TLS and one without.

    `identity_key` is the one that the hub knows. The attributes may be changed at any time: `lifetime_s` of the tokens
    to come as clients are told, `hidden_s` for which the hub takes them longer than that, and `revoked`, with which
    nobody gets one. `given` counts the tokens by the way they were had.
    """

    def __init__(self, directory: Path, identity_key: str) -> None:
        self.lifetime_s, self.hidden_s = LIFETIME_S, 0.0
        self.revoked = False
        self.given: Counter[str] = Counter()
        self._key = identity_key.encode()
        self._client_id, self._client_secret = str(uuid.uuid4()), secrets.token_urlsafe(24)
        self._assertion, self._header = secrets.token_urlsafe(24), secrets.token_urlsafe(16)
        self._directory = directory
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        certificate = make_certificate(self._directory, LOOPBACK)
        self.ca_file = certificate.ca_file
        self._plain, self._tls = self._server(), self._server()
        self._tls.socket = certificate.server_context().wrap_socket(self._tls.socket, server_side=True)
        for server in (self._plain, self._tls):
            threading.Thread(target=server.serve_forever, args=(STOP_S,), daemon=True).start()
            self._stack.callback(server.server_close)
            self._stack.callback(server.shutdown)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    # --- the environment in which DefaultAzureCredential signs in this way --------------------------------------------

    def managed_identity(self) -> dict[str, str]:
        """As in App Service and Container Apps."""
        return {"IDENTITY_ENDPOINT": self._at(APP_SERVICE), "IDENTITY_HEADER": self._header}

    def virtual_machine(self) -> dict[str, str]:
        """As on a virtual machine, whose metadata service is at an address of its own."""
        return {"AZURE_POD_IDENTITY_AUTHORITY_HOST": self._at("")}

    def client_secret(self, secret: str | None = None, tenant: str = TENANT) -> dict[str, str]:
        """An application with its secret, or another one."""
        return self._application(tenant) | {"AZURE_CLIENT_SECRET": secret or self._client_secret}

    def workload(self, file: Path) -> dict[str, str]:
        """As in a Kubernetes pod: the file is written."""
        file.write_text(self._assertion)
        return self._application(TENANT) | {"AZURE_FEDERATED_TOKEN_FILE": str(file)}

    def _application(self, tenant: str) -> dict[str, str]:
        return {
            "AZURE_TENANT_ID": tenant,
            "AZURE_CLIENT_ID": self._client_id,
            "AZURE_AUTHORITY_HOST": self._authority,
        }

    @property
    def _authority(self) -> str:
        return f"https://{LOOPBACK}:{self._tls.server_port}"

    def _at(self, path: str) -> str:
        return f"http://{LOOPBACK}:{self._plain.server_port}{path}"

    # --- answers ------------------------------------------------------------------------------------------------------

    def answer(self, path: str, headers: Any, form: dict[str, str]) -> dict[str, Any]:
        """What is asked for, or `SignInRefusedError`."""
        if path == APP_SERVICE:
            if headers.get("X-IDENTITY-HEADER") != self._header:
                raise SignInRefusedError(401, "unauthorized", "The header is not that of this host.")
            return self._managed("managed identity", form)
        if path == IMDS:
            if headers.get("Metadata") != "true":
                raise SignInRefusedError(400, "bad_request_102", "Required metadata header not specified")
            return self._managed("virtual machine", form)
        tenant = path.strip("/").split("/")[0]
        if tenant != TENANT:
            raise SignInRefusedError(400, "invalid_tenant", f"AADSTS90002: Tenant '{tenant}' not found.")
        if path.endswith(_DISCOVERY):
            base = f"{self._authority}/{tenant}"
            endpoints = {
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "token_endpoint": f"{base}/{_TOKEN}",
            }
            return {"issuer": f"{base}/v2.0", **endpoints}
        return self._granted(form)

    def _granted(self, form: dict[str, str]) -> dict[str, Any]:
        if form.get("client_id") != self._client_id:
            raise SignInRefusedError(
                400, "unauthorized_client", "AADSTS700016: Application was not found in the directory."
            )
        if "client_assertion" in form:
            if form["client_assertion"] != self._assertion:
                raise SignInRefusedError(
                    401, "invalid_client", "AADSTS700024: Client assertion is not within its time."
                )
            return self._token("workload", form.get("scope", "").removesuffix("/.default"))
        if form.get("client_secret") != self._client_secret:
            raise SignInRefusedError(401, "invalid_client", "AADSTS7000215: Invalid client secret provided.")
        return self._token("client secret", form.get("scope", "").removesuffix("/.default"))

    def _managed(self, way: str, form: dict[str, str]) -> dict[str, Any]:
        answer = self._token(way, form.get("resource", ""))
        return answer | {"expires_on": str(int(time.time() + self.lifetime_s)), "resource": form.get("resource", "")}

    def _token(self, way: str, resource: str) -> dict[str, Any]:
        if self.revoked:
            raise SignInRefusedError(400, "invalid_request", "Identity not found")
        now = int(time.time())
        times = {"iat": now, "nbf": now, "exp": int(now + self.lifetime_s + self.hidden_s)}
        claims = {"aud": resource or RESOURCE, "iss": issuer(TENANT), "oid": self._client_id, "tid": TENANT, **times}
        self.given[way] += 1
        return {"access_token": sign(claims, self._key), "expires_in": int(self.lifetime_s), "token_type": "Bearer"}

    def _server(self) -> ThreadingHTTPServer:
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(urlsplit(self.path).query)

            def do_POST(self) -> None:
                self._answer(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())

            def _answer(self, text: str) -> None:
                form = {name: found[-1] for name, found in parse_qs(text).items()}
                try:
                    status, answer = 200, service.answer(urlsplit(self.path).path, self.headers, form)
                except SignInRefusedError as refusal:
                    status, answer = refusal.status, refusal.answer
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        return ThreadingHTTPServer((LOOPBACK, 0), Handler)

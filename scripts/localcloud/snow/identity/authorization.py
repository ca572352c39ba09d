"""An authorization server that gives access tokens for client credentials, such as Microsoft Entra ID or Okta.

https://datatracker.ietf.org/doc/html/rfc6749#section-4.4
"""

import hmac
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qs

from scripts.localcloud.snow.http.calls import Calls
from scripts.localcloud.snow.http.refusal import Refusal
from scripts.localcloud.snow.http.wire import Request, Response, json_response
from scripts.localcloud.snow.identity.tokens import Tokens

TOKEN_PATH = ("authorization", "token")
ROLE_SCOPE = "session:role:"
LIFETIME_S = 600.0


@dataclass(frozen=True)
class Client:
    """A program that may ask: for whom (ACCOUNT.USER) and for which scopes."""

    secret: str
    subject: str
    scopes: frozenset[str]


@dataclass
class AuthorizationServer:
    """The registered clients, and the access tokens given to them."""

    tokens: Tokens = field(default_factory=lambda: Tokens(LIFETIME_S))
    _clients: dict[str, Client] = field(default_factory=dict)

    def register(self, client_id: str, client_secret: str, subject: str, scopes: list[str]) -> None:
        """Add or replace a client."""
        self._clients[client_id] = Client(client_secret, subject.upper(), frozenset(scopes))

    def grant(self, form: dict[str, str]) -> dict[str, object]:
        """Give an access token for a form with the client's credentials in it, or refuse as the RFC says (5.2)."""
        client = self._clients.get(form.get("client_id", ""))
        if client is None or not hmac.compare_digest(client.secret.encode(), form.get("client_secret", "").encode()):
            raise Refusal(HTTPStatus.UNAUTHORIZED, "invalid_client", "The client's credentials are wrong.")
        if form.get("grant_type") != "client_credentials":
            raise Refusal(HTTPStatus.BAD_REQUEST, "unsupported_grant_type", "Only client_credentials is supported.")
        if (scope := form.get("scope", "")) not in client.scopes:
            raise Refusal(HTTPStatus.BAD_REQUEST, "invalid_scope", f"The scope '{scope}' is not the client's.")
        token = self.tokens.issue(sub=client.subject, scope=scope)
        return {"access_token": token, "token_type": "Bearer", "expires_in": int(self.tokens.lifetime_s)}


@dataclass
class TokenEndpoint:
    """Answers at `TOKEN_PATH`: faults first, then the credentials."""

    calls: Calls
    authorization: AuthorizationServer

    async def handle(self, request: Request) -> Response:
        """Answer one request."""
        return await self.calls.answered("access_token", lambda: self._serve(request), _refused)

    async def _serve(self, request: Request) -> Response:
        form = {name: values[-1] for name, values in parse_qs(request.body.decode()).items()}
        return json_response(self.authorization.grant(form))


def _refused(refusal: Refusal) -> Response:
    return json_response({"error": refusal.code, "error_description": refusal.message}, refusal.status)

"""Who may call: users by the key-pair JWT they sign or an access token, and the scoped token they get for either.

The JWT is checked as Snowflake documents it (RS256; `iss` is ACCOUNT.USER.SHA256:fingerprint, `sub` is ACCOUNT.USER):
https://docs.snowflake.com/en/developer-guide/sql-api/authenticating
The access token is one of the authorization server that the account trusts, and names the user and the role:
https://docs.snowflake.com/en/user-guide/oauth-ext-overview
"""

import base64
import hashlib
import time
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from scripts.localcloud.signing.jwt import has_algorithm, split
from scripts.localcloud.snow.http.refusal import JWT_INVALID, ROLE_UNKNOWN, Refusal, bad_request, unauthorized
from scripts.localcloud.snow.identity.authorization import ROLE_SCOPE, AuthorizationServer
from scripts.localcloud.snow.identity.tokens import Tokens, invalid, tagged

KEY_PAIR = "KEYPAIR_JWT"
DEFAULT_TOKEN_LIFETIME_S = 3600.0
# A JWT needs both times, and clocks may differ by a minute, says
# https://docs.snowflake.com/en/user-guide/key-pair-auth-troubleshooting. It is good for an hour at most, whatever `exp`
# is, says https://docs.snowflake.com/en/developer-guide/sql-api/authenticating.
CLOCK_SKEW_S = 60.0
LONGEST_JWT_S = 3600.0
# The SDK writes `iat` and `exp` in milliseconds, other clients in seconds; no second count is that large before 5138.
MILLISECONDS_FROM = 100_000_000_000


@dataclass(frozen=True)
class User:
    """A registered user: `subject` is ACCOUNT.USER in upper case; no `roles` means that any role is granted."""

    subject: str
    public_key: rsa.RSAPublicKey
    fingerprint: str
    roles: frozenset[str]

    @property
    def name(self) -> str:
        """The name without the account."""
        return self.subject.partition(".")[2]


@dataclass(frozen=True)
class Caller:
    """A user in a role, which is empty where the client has named none."""

    user: User
    role: str


@dataclass
class Identities:
    """The registered users, the scoped tokens given to them, and the authorization server that is trusted."""

    scoped: Tokens = field(default_factory=lambda: Tokens(DEFAULT_TOKEN_LIFETIME_S))
    authorization: AuthorizationServer = field(default_factory=AuthorizationServer)
    _users: dict[str, User] = field(default_factory=dict)

    def register(self, account: str, user: str, public_key_pem: str, roles: list[str]) -> str:
        """Add or replace a user; give the fingerprint of the key, as `DESC USER` shows it."""
        key = serialization.load_pem_public_key(public_key_pem.encode())
        if not isinstance(key, rsa.RSAPublicKey):
            raise bad_request("the public key is not an RSA key")
        subject = f"{account}.{user}".upper()
        granted = frozenset(role.upper() for role in roles)
        self._users[subject] = User(subject, key, fingerprint(key), granted)
        return self._users[subject].fingerprint

    def login(self, jwt: str, subject: str | None = None, role: str = "") -> Caller:
        """Verify a key-pair JWT; anything wrong with it is the same refusal, as the service does it.

        With `subject` (ACCOUNT.USER) it must be that user's; `role` is one that is asked for beside the JWT.
        """
        try:
            claims, signed, signature = split(jwt, "RS256")
            user = self._users[str(claims["sub"])]
            user.public_key.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
            issued_s, expires_s = _seconds(claims["iat"]), _seconds(claims["exp"])
        except (ValueError, KeyError, TypeError, InvalidSignature):
            raise _jwt_invalid() from None
        until_s = min(expires_s, issued_s + LONGEST_JWT_S)
        is_current = issued_s - CLOCK_SKEW_S <= time.time() <= until_s + CLOCK_SKEW_S
        if claims.get("iss") != f"{user.subject}.{user.fingerprint}" or not is_current:
            raise _jwt_invalid()
        if subject is not None and subject.upper() != user.subject:
            raise _jwt_invalid()
        return _in_role(user, role or str(claims.get("scp", "")))

    def login_by_token(self, token: str, subject: str | None = None, role: str = "") -> Caller:
        """Verify an access token of the authorization server; otherwise as `login`. Its scope names the one role."""
        claims = self.authorization.tokens.admit(token)
        user = self._users.get(claims["sub"])
        if user is None or (subject is not None and subject.upper() != user.subject):
            raise invalid()
        caller = _in_role(user, claims["scope"])
        if role and role.upper() != caller.role:
            raise unauthorized(ROLE_UNKNOWN, _no_role(role))
        return caller

    def caller(self, token: str, kind: str | None) -> Caller:
        """Verify a JWT or a scoped token. `kind` is what its header calls it; without one the token says it.

        https://docs.snowflake.com/en/developer-guide/sql-api/authenticating
        """
        by_key = has_algorithm(token, "RS256") if kind is None else kind == KEY_PAIR
        return self.login(token) if by_key else self.admit(token)

    def issue(self, caller: Caller, scope: str) -> str:
        """Give a scoped token, in which the role stays."""
        return self.scoped.issue(sub=caller.user.subject, role=caller.role, scope=scope)

    def admit(self, token: str) -> Caller:
        """Verify a scoped token and give whose it is, or refuse it as invalid or expired."""
        claims = self.scoped.admit(token)
        return Caller(self._users[claims["sub"]], claims["role"])


def fingerprint(key: rsa.RSAPublicKey) -> str:
    """Give `SHA256:` and the base64 hash of the key's DER form."""
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return "SHA256:" + base64.b64encode(hashlib.sha256(der).digest()).decode()


def _in_role(user: User, scope: str) -> Caller:
    role = scope.upper().removeprefix(ROLE_SCOPE.upper())
    if role and user.roles and role not in user.roles:
        raise unauthorized(ROLE_UNKNOWN, _no_role(role))
    return Caller(user, role)


def _no_role(role: str) -> str:
    return f"Role '{role}' specified in the connect string does not exist or not authorized."


def _seconds(claim: float) -> float:
    return claim / 1000 if claim > MILLISECONDS_FROM else float(claim)


def _jwt_invalid() -> Refusal:
    return unauthorized(JWT_INVALID, tagged("JWT token is invalid."))

"""Who may call: users with a public key, the key-pair JWT they sign, and the scoped token they get for it.

The JWT is checked as Snowflake documents it (RS256; `iss` is ACCOUNT.USER.SHA256:fingerprint, `sub` is ACCOUNT.USER):
https://docs.snowflake.com/en/developer-guide/sql-api/authenticating
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from .refusal import (
    JWT_INVALID,
    ROLE_UNKNOWN,
    TOKEN_EXPIRED,
    TOKEN_INVALID,
    Refusal,
    bad_request,
    unauthorized,
)

DEFAULT_TOKEN_LIFETIME_S = 3600.0
CLOCK_SKEW_S = 60.0
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


@dataclass
class Identities:
    """The registered users, and the scoped tokens given out, each an HS256 JWT of this server's own secret."""

    token_lifetime_s: float = DEFAULT_TOKEN_LIFETIME_S
    _users: dict[str, User] = field(default_factory=dict)
    _secret: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    _generation: int = 0

    def register(self, account: str, user: str, public_key_pem: str, roles: list[str]) -> str:
        """Add or replace a user; give the fingerprint of the key, as `DESC USER` shows it."""
        key = serialization.load_pem_public_key(public_key_pem.encode())
        if not isinstance(key, rsa.RSAPublicKey):
            raise bad_request("the public key is not an RSA key")
        subject = f"{account}.{user}".upper()
        granted = frozenset(role.upper() for role in roles)
        self._users[subject] = User(subject, key, fingerprint(key), granted)
        return self._users[subject].fingerprint

    def expire_tokens(self) -> None:
        """Make every scoped token given out so far an expired one."""
        self._generation += 1

    def login(self, jwt: str, subject: str | None = None, role: str = "") -> User:
        """Verify a key-pair JWT; anything wrong with it is the same refusal, as the service does it.

        With `subject` (ACCOUNT.USER) it must be that user's; `role` is one that is asked for beside the JWT.
        """
        try:
            claims, signed, signature = _split(jwt, "RS256")
            user = self._users[str(claims["sub"])]
            user.public_key.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
            expires_at = _seconds(claims["exp"])
        except (ValueError, KeyError, TypeError, InvalidSignature):
            raise _jwt_invalid() from None
        if claims.get("iss") != f"{user.subject}.{user.fingerprint}" or expires_at < time.time() - CLOCK_SKEW_S:
            raise _jwt_invalid()
        if subject is not None and subject.upper() != user.subject:
            raise _jwt_invalid()
        _check_role(user, role or str(claims.get("scp", "")))
        return user

    def issue(self, user: User, scope: str) -> str:
        """Give a scoped token for `user`."""
        now = time.time()
        claims = {
            "sub": user.subject,
            "scope": scope,
            "iat": int(now),
            "exp": int(now + self.token_lifetime_s),
            "deadline": now + self.token_lifetime_s,
            "generation": self._generation,
        }
        signed = f"{_encode({'alg': 'HS256', 'typ': 'JWT'})}.{_encode(claims)}"
        return f"{signed}.{_base64url(self._sign(signed.encode()))}"

    def admit(self, token: str) -> str:
        """Verify a scoped token and give its ACCOUNT.USER, or refuse it as invalid or expired."""
        try:
            claims, signed, signature = _split(token, "HS256")
            known = hmac.compare_digest(signature, self._sign(signed)) and claims["sub"] in self._users
            live = claims["generation"] == self._generation and claims["deadline"] >= time.time()
        except (ValueError, KeyError, TypeError):
            raise unauthorized(TOKEN_INVALID, _tagged("Invalid OAuth access token.")) from None
        if not known:
            raise unauthorized(TOKEN_INVALID, _tagged("Invalid OAuth access token."))
        if not live:
            raise unauthorized(TOKEN_EXPIRED, _tagged("OAuth access token expired."))
        return str(claims["sub"])

    def _sign(self, signed: bytes) -> bytes:
        return hmac.digest(self._secret, signed, "sha256")


def fingerprint(key: rsa.RSAPublicKey) -> str:
    """Give `SHA256:` and the base64 hash of the key's DER form."""
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return "SHA256:" + base64.b64encode(hashlib.sha256(der).digest()).decode()


def _check_role(user: User, scope: str) -> None:
    role = scope.removeprefix("session:role:").upper()
    if role and user.roles and role not in user.roles:
        message = f"Role '{role}' specified in the connect string does not exist or not authorized."
        raise unauthorized(ROLE_UNKNOWN, message)


def _split(jwt: str, algorithm: str) -> tuple[dict[str, Any], bytes, bytes]:
    """Give the claims, the signed bytes and the signature of a compact JWT of this very algorithm."""
    header, claims, signature = jwt.split(".")
    if _decode(header).get("alg") != algorithm:
        raise ValueError(f"the algorithm is not {algorithm}")
    return _decode(claims), f"{header}.{claims}".encode(), _unbase64url(signature)


def _seconds(claim: float) -> float:
    return claim / 1000 if claim > MILLISECONDS_FROM else float(claim)


def _encode(value: dict[str, Any]) -> str:
    return _base64url(json.dumps(value, separators=(",", ":")).encode())


def _decode(part: str) -> dict[str, Any]:
    value = json.loads(_unbase64url(part))
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - one class for every malformed token
    return value


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unbase64url(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as exc:
        raise ValueError("not base64url") from exc


def _jwt_invalid() -> Refusal:
    return unauthorized(JWT_INVALID, _tagged("JWT token is invalid."))


def _tagged(text: str) -> str:
    return f"{text} [{uuid.uuid4()}]"

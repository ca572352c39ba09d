"""JSON Web Tokens: their parts, and those of one issuer, which expire."""

import base64
import binascii
import hmac
import json
import secrets
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from scripts.localcloud.snow.refusal import TOKEN_EXPIRED, TOKEN_INVALID, Refusal, unauthorized


@dataclass
class Tokens:
    """Issues HS256 JWTs with a secret of its own, and accepts them until they expire."""

    lifetime_s: float
    _secret: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    _generation: int = 0

    def issue(self, **claims: str) -> str:
        """Issue a token with `claims`."""
        now = time.time()
        deadline = now + self.lifetime_s
        times = {"iat": int(now), "exp": int(deadline), "deadline": deadline, "generation": self._generation}
        return sign(claims | times, self._secret)

    def admit(self, token: str) -> dict[str, Any]:
        """Verify a token and give its claims, or refuse it as invalid or expired."""
        try:
            claims, signed, signature = split(token, "HS256")
            known = hmac.compare_digest(signature, self._sign(signed))
            live = claims["generation"] == self._generation and claims["deadline"] >= time.time()
        except (ValueError, KeyError, TypeError):
            raise invalid() from None
        if not known:
            raise invalid()
        if not live:
            raise unauthorized(TOKEN_EXPIRED, tagged("OAuth access token expired."))
        return claims

    def expire(self) -> None:
        """Expire every token issued so far."""
        self._generation += 1

    def _sign(self, signed: bytes) -> bytes:
        return hmac.digest(self._secret, signed, "sha256")


def sign(claims: dict[str, Any], secret: bytes) -> str:
    """Give a compact JWT with `claims`, signed with HS256."""
    signed = f"{_encode({'alg': 'HS256', 'typ': 'JWT'})}.{_encode(claims)}"
    return f"{signed}.{_base64url(hmac.digest(secret, signed.encode(), 'sha256'))}"


def split(jwt: str, algorithm: str) -> tuple[dict[str, Any], bytes, bytes]:
    """Give the claims, the signed bytes and the signature of a compact JWT of this very algorithm, or ValueError."""
    header, claims, signature = jwt.split(".")
    if _decode(header).get("alg") != algorithm:
        raise ValueError(f"the algorithm is not {algorithm}")
    return _decode(claims), f"{header}.{claims}".encode(), _unbase64url(signature)


def invalid() -> Refusal:
    """Make the refusal of a token that was not issued here."""
    return unauthorized(TOKEN_INVALID, tagged("Invalid OAuth access token."))


def tagged(text: str) -> str:
    """Add the number by which the service would find this refusal in its log."""
    return f"{text} [{uuid.uuid4()}]"


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

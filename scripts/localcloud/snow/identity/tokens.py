"""The JSON Web Tokens of one issuer, which expire."""

import hmac
import secrets
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from scripts.localcloud.signing.jwt import sign, split
from scripts.localcloud.snow.http.refusal import TOKEN_EXPIRED, TOKEN_INVALID, Refusal, unauthorized


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


def invalid() -> Refusal:
    """Make the refusal of a token that was not issued here."""
    return unauthorized(TOKEN_INVALID, tagged("Invalid OAuth access token."))


def tagged(text: str) -> str:
    """Add the number by which the service would find this refusal in its log."""
    return f"{text} [{uuid.uuid4()}]"

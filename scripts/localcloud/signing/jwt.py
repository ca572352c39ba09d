"""JSON Web Tokens: their parts, put together and taken apart."""

import base64
import binascii
import hmac
import json
from typing import Any


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


def has_algorithm(jwt: str, algorithm: str) -> bool:
    """Say whether it is a JWT of this algorithm, whatever it is worth."""
    try:
        split(jwt, algorithm)
    except ValueError:
        return False
    return True


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

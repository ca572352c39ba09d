"""Shared access signatures and identities' tokens: verified as the service does.

Sources: https://learn.microsoft.com/en-us/azure/event-hubs/authenticate-shared-access-signature and, of the other type
at `$cbs`, https://learn.microsoft.com/en-us/azure/service-bus-messaging/service-bus-amqp-protocol-guide
"""

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qs, quote_plus, urlsplit

from scripts.localcloud.hub.wire.performatives import Fault
from scripts.localcloud.signing.jwt import split

JWT_TYPE = "jwt"
SAS_TYPE = "servicebus.windows.net:sastoken"
INVALID_SIGNATURE = "InvalidSignature: The token has an invalid signature."
INVALID_AUDIENCE = "InvalidAudience: The authorization header contains a token with a wrong audience."
# https://github.com/Azure/azure-sdk-for-net/issues/25306
INVALID_ISSUER = "InvalidIssuer: Token issuer is invalid."
_SCHEME = "SharedAccessSignature "
RESOURCE = "https://eventhubs.azure.net"
"""What an identity's token has to be for. https://learn.microsoft.com/en-us/azure/event-hubs/authenticate-application"""
TENANT = "f3a1c0de-0000-4000-8000-00000000e450"
"""The tenant of the namespace."""


class TokenRefusedError(PermissionError):
    """A token that proves nothing; the text is the status description of a 401."""


@dataclass(frozen=True, slots=True)
class Policy:
    """A shared access policy: the name of a key and the key, which never shows in a log."""

    name: str
    key: str

    def __repr__(self) -> str:
        return f"Policy(name={self.name!r}, key='***')"


@dataclass(frozen=True, slots=True)
class Claim:
    """What a verified token allows: everything below a path, until a time in seconds since 1970."""

    path: str
    expires_s: int

    def covers(self, path: str, now_s: float) -> bool:
        """Return whether an entity's path lies inside and the token is still valid."""
        inside = path == self.path or path.startswith(self.path.rstrip("/") + "/")
        return inside and now_s < self.expires_s

    def expired(self) -> Fault:
        """Return the fault of a link whose token has expired."""
        return Fault("amqp:unauthorized-access", _expired(self.expires_s))


def verify(token: str, policy: Policy, now_s: float) -> Claim:
    """Check the signature (HMAC-SHA256 of the encoded audience, a newline and the expiry) and the expiry."""
    parts = _parts(token)
    if parts["skn"] != policy.name or not _signed(parts, policy.key):
        raise TokenRefusedError(INVALID_SIGNATURE)
    expires_s = int(parts["se"])
    if now_s >= expires_s:
        raise TokenRefusedError(_expired(expires_s))
    return Claim(entity_path(parts["sr"]), expires_s)


def is_signature(token: str) -> bool:
    """Whether it is a shared access signature, and no identity's token."""
    return token.startswith(_SCHEME)


def issuer(tenant: str) -> str:
    """Return who signs the tokens of a tenant."""
    return f"https://sts.windows.net/{tenant}/"


def verify_identity(token: str, key: str, audience: str, now_s: float) -> Claim:
    """Check an identity's token: who signed it, for whom, for what and until when; it holds for what it is put for."""
    try:
        claims, signed, signature = split(token, "HS256")
        known = hmac.compare_digest(signature, hmac.digest(key.encode(), signed, "sha256"))
        ends_s, begins_s = int(claims["exp"]), int(claims["nbf"])
    except (ValueError, KeyError, TypeError):
        raise TokenRefusedError("MalformedToken: The token is not a JWT.") from None
    if claims.get("iss") != issuer(TENANT):
        raise TokenRefusedError(INVALID_ISSUER)
    if not known or begins_s > now_s:
        raise TokenRefusedError(INVALID_SIGNATURE)
    if str(claims.get("aud", "")).rstrip("/") != RESOURCE:
        raise TokenRefusedError(INVALID_AUDIENCE)
    if now_s >= ends_s:
        raise TokenRefusedError(_expired(ends_s))
    return Claim(entity_path(audience), ends_s)


def entity_path(address: str) -> str:
    """Return the path of an address such as `sb://host/hub/…`, in lower case, since entity names ignore case."""
    path = urlsplit(address).path if "://" in address else address
    return "/" + path.strip("/").lower()


def _parts(token: str) -> dict[str, str]:
    found = parse_qs(token.removeprefix(_SCHEME), keep_blank_values=True)
    parts = {name: entries[0] for name, entries in found.items()}
    complete = {"sr", "sig", "se", "skn"} <= parts.keys() and parts["se"].isdecimal()
    if not token.startswith(_SCHEME) or not complete:
        raise TokenRefusedError("MalformedToken: The token is not a shared access signature with sr, sig, se and skn.")
    return parts


def _signed(parts: dict[str, str], key: str) -> bool:
    text = f"{quote_plus(parts['sr'])}\n{parts['se']}"
    expected = hmac.new(key.encode(), text.encode(), hashlib.sha256).digest()
    try:
        return hmac.compare_digest(base64.b64decode(parts["sig"], validate=True), expected)
    except binascii.Error:
        return False


def _expired(expires_s: int) -> str:
    # https://github.com/wso2/apim-analytics-publisher/issues/22
    when = f"{datetime.fromtimestamp(expires_s, UTC):%Y-%m-%d %H:%M:%SZ}"
    return f"ExpiredToken: The token is expired. Expiration time: '{when}'."

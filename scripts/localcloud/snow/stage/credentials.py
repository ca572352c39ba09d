"""Temporary credentials for the stage, as AWS gives them out, and the signature that proves who has them.

The signature is version 4, over the headers that it names; the body is not signed but has a checksum:
https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
"""

import datetime as dt
import hashlib
import hmac
import re
import secrets
import time
from dataclasses import dataclass, replace
from http import HTTPStatus
from urllib.parse import quote

from scripts.localcloud.snow.http.refusal import Refusal
from scripts.localcloud.snow.http.wire import Request

REGION = "us-west-2"
CLOCK_SKEW_S = 900.0
STAMP = "%Y%m%dT%H%M%SZ"
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<scope>\S+), *"
    r"SignedHeaders=(?P<headers>[a-z0-9;-]+), *Signature=(?P<signature>[0-9a-f]{64})"
)


@dataclass(frozen=True)
class Credential:
    """A key that may write below one prefix until it expires (Unix seconds)."""

    key_id: str
    secret: str
    token: str
    prefix: str
    expires_at: float


class Credentials:
    """The keys given out so far. `lifetime_s` is of those given from now on."""

    def __init__(self, lifetime_s: float) -> None:
        self.lifetime_s = lifetime_s
        self._issued: dict[str, Credential] = {}

    def issue(self, prefix: str) -> Credential:
        """Give a new key for a prefix."""
        key_id = "ASIA" + secrets.token_hex(8).upper()
        expires_at = time.time() + self.lifetime_s
        made = Credential(key_id, secrets.token_urlsafe(30), secrets.token_urlsafe(60), prefix, expires_at)
        self._issued[key_id] = made
        return made

    def expire(self) -> None:
        """Make every key given out so far an expired one."""
        self._issued = {key_id: replace(one, expires_at=0.0) for key_id, one in self._issued.items()}

    def admit(self, request: Request) -> Credential:
        """Verify who signed a request, or refuse it with the code of S3.

        https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList
        """
        found = _AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
        if found is None:
            raise forbidden("AccessDenied", "Access Denied")
        credential = self._issued.get(found["key"])
        if credential is None:
            raise forbidden("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")
        if request.headers.get("x-amz-security-token") != credential.token:
            raise Refusal(
                HTTPStatus.BAD_REQUEST, "InvalidToken", "The provided token is malformed or otherwise invalid."
            )
        if credential.expires_at < time.time():
            raise Refusal(HTTPStatus.BAD_REQUEST, "ExpiredToken", "The provided token has expired.")
        _require_fresh(request.headers.get("x-amz-date", ""))
        expected = signature(request, credential, found["scope"], found["headers"].split(";"))
        if not hmac.compare_digest(expected, found["signature"]):
            message = "The request signature we calculated does not match the signature you provided."
            raise forbidden("SignatureDoesNotMatch", message)
        return credential


def signature(request: Request, credential: Credential, scope: str, signed_headers: list[str]) -> str:
    """Calculate the signature of a request, as the vendor's page lays down."""
    headers = request.headers
    canonical = "\n".join(
        (
            request.method,
            quote("/" + "/".join(request.segments)),
            "&".join(f"{quote(name, '')}={quote(value, '')}" for name, value in sorted(request.query.items())),
            *(f"{name}:{' '.join(headers.get(name, '').split())}" for name in signed_headers),
            "",
            ";".join(signed_headers),
            headers.get("x-amz-content-sha256", ""),
        )
    )
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    to_sign = "\n".join(("AWS4-HMAC-SHA256", headers.get("x-amz-date", ""), scope, digest))
    key = f"AWS4{credential.secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, to_sign.encode(), "sha256").hex()


def forbidden(code: str, message: str) -> Refusal:
    """Refuse for good: the same request will be refused again."""
    return Refusal(HTTPStatus.FORBIDDEN, code, message)


def _require_fresh(stamp: str) -> None:
    try:
        signed_at = dt.datetime.strptime(stamp, STAMP).replace(tzinfo=dt.UTC).timestamp()
    except ValueError:
        raise forbidden("AccessDenied", "AWS authentication requires a valid Date or x-amz-date header") from None
    if abs(time.time() - signed_at) > CLOCK_SKEW_S:
        message = "The difference between the request time and the current time is too large."
        raise forbidden("RequestTimeTooSkewed", message)

"""OAuth client credentials: what evsup signs in with instead of a key pair.

The streaming SDK gets and renews its access tokens by itself. The connector can too, but only from 3.15 on, without a
deadline, and with the credentials in a header, where the SDK has them in the form: an authorization server may take one
of the two. So SQL fetches a token here, a new one for each login, as the SDK does.
https://docs.snowflake.com/en/user-guide/oauth-ext-overview
"""

import json
import ssl
from http.client import HTTPException, IncompleteRead
from typing import Annotated, Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
)

import msgspec

from shared.config.formats.files import SECRET_BYTES, text_of
from shared.config.settings import SnowflakeSettings
from shared.errors import ConfigurationError, EvsupError, NotSignedIn, SnowflakeUnavailable
from shared.fixes import trust
from shared.log.secret import mask, remember
from shared.timeout import within

ANSWER_S = 20  # of the authorization server; as a login may take
ANSWER_BYTES = 64 * 1024  # no answer with a token is longer; guards against an address of something else

_CLIENT = "Check SNOWFLAKE_OAUTH_CLIENT_ID, its secret, and SNOWFLAKE_OAUTH_SCOPE."
_ENDPOINT = "Check SNOWFLAKE_OAUTH_TOKEN_ENDPOINT: the token endpoint of the authorization server."
_REACH = "Check SNOWFLAKE_OAUTH_TOKEN_ENDPOINT, and the network between."


def client_secret(settings: SnowflakeSettings) -> str:
    """The secret itself, or what its file holds now. Raises ConfigurationError when the file cannot be read."""
    if settings.oauth_client_secret:
        return settings.oauth_client_secret.reveal()
    try:
        secret = text_of(settings.oauth_client_secret_file or "", SECRET_BYTES).strip("\r\n")
    except ValueError as error:
        raise ConfigurationError("SNOWFLAKE_OAUTH_CLIENT_SECRET_FILE cannot be used", str(error)) from None
    remember(secret)
    return secret


def scope(settings: SnowflakeSettings) -> str | None:
    """The scope that is asked for: the role, unless the settings name another. As the streaming SDK does."""
    return settings.oauth_scope or (f"session:role:{settings.role}" if settings.role else None)


def access_token(settings: SnowflakeSettings) -> str:
    """A new access token. Blocks for about `ANSWER_S` at most.

    Raises NotSignedIn when the authorization server refuses, SnowflakeUnavailable when it does not answer, and
    ConfigurationError when the address is none of a token endpoint.
    """
    what = f"No access token from {settings.oauth_token_endpoint}"
    try:
        token = msgspec.json.decode(within(ANSWER_S, lambda: _answer(settings)), type=_Answer).access_token
    except HTTPError as error:
        with error:
            raise _translate_refusal(what, error) from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise ConfigurationError(what, "the answer holds none", _ENDPOINT) from None
    except UnicodeError as error:  # a part of the host is empty, or too long for a name
        raise ConfigurationError(what, mask(str(error)), _ENDPOINT) from None
    except (OSError, HTTPException) as error:
        raise _translate_failure(what, error) from None
    # Not every token looks like one: RFC 6749 lets the server choose any text.
    remember(token)
    return token


class _Answer(msgspec.Struct, frozen=True):
    """https://datatracker.ietf.org/doc/html/rfc6749#section-5.1."""

    access_token: Annotated[str, msgspec.Meta(min_length=1)]


def _answer(settings: SnowflakeSettings) -> bytes:
    with _opener(settings).open(_request(settings), timeout=ANSWER_S) as response:
        body: bytes = response.read(ANSWER_BYTES)
        if response.length and len(body) < ANSWER_BYTES:  # `read` itself gives what came before a cut
            raise IncompleteRead(body, response.length)
        return body


def _request(settings: SnowflakeSettings) -> Request:
    """With the credentials in the form, as the streaming SDK sends them: both need the same of the server."""
    form = {
        "grant_type": "client_credentials",
        "client_id": settings.oauth_client_id,
        "client_secret": client_secret(settings),
        "scope": scope(settings),
    }
    body = urlencode({name: text for name, text in form.items() if text}).encode()
    return Request(settings.oauth_token_endpoint or "", body, {"Accept": "application/json"})  # noqa: S310 (https: a rule)


def _opener(settings: SnowflakeSettings) -> OpenerDirector:
    """Through the proxy of the environment. It follows no redirect: a secret goes to the address that was set."""
    context = ssl.create_default_context()
    if settings.ca_file:
        context.load_verify_locations(settings.ca_file)
    # Of the usual handlers the one that follows a redirect is left out, and those of other schemes than https.
    opener = OpenerDirector()
    for handler in (ProxyHandler(), HTTPSHandler(context=context), HTTPDefaultErrorHandler(), HTTPErrorProcessor()):
        opener.add_handler(handler)
    return opener


def _translate_refusal(what: str, error: HTTPError) -> EvsupError:
    """https://datatracker.ietf.org/doc/html/rfc6749#section-5.2."""
    why = f"{error.code} {_reason(error)}"
    if error.code in (400, 401, 403):
        return NotSignedIn(what, why, _CLIENT)
    if error.code in (408, 429) or error.code >= 500:
        return SnowflakeUnavailable(what, why, "Start again when the authorization server is back.")
    return ConfigurationError(what, why, _ENDPOINT)


def _reason(error: HTTPError) -> str:
    try:
        answer: dict[str, Any] = json.loads(error.read(ANSWER_BYTES))
        return mask(" ".join(str(answer[name]) for name in ("error", "error_description") if name in answer))
    except (ValueError, TypeError, OSError, HTTPException, RecursionError):
        return error.reason


def _translate_failure(what: str, error: Exception) -> EvsupError:
    reason = getattr(error, "reason", error)
    if isinstance(reason, ssl.SSLCertVerificationError):
        return ConfigurationError(what, reason.verify_message, trust(reason.verify_message))
    return SnowflakeUnavailable(what, mask(str(reason)), _REACH)

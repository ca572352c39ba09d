"""Azure Schema Registry: the definition of a schema by its id, signed in with the identity of the settings.

One GET for each schema, without the SDK's client: that has no bound for the time or the size of an answer, unpacks what
it is sent, follows redirects with a token at hand, and knows no proxy of the settings. Whoever asks has a link to Event
Hubs to look after, and asks again.
https://learn.microsoft.com/rest/api/schemaregistry/data-plane/schema/get-by-id
"""

import base64
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException, HTTPSConnection, IncompleteRead
from threading import Event, Timer
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from shared import ca_bundle
from shared.clock import Clock, monotonic
from shared.config.formats import endpoint
from shared.config.formats.avro_schema import MOST_BYTES
from shared.config.settings import EventHubSettings
from shared.errors import ConfigurationError, EvsupError, NotPermitted, SchemaRegistryUnavailable, SourceUnavailable
from shared.eventhubs.identity import SCOPE, Identity, SignInFailed
from shared.eventhubs.sdk_error import plain
from shared.fixes import trust

PATH = "/$schemaGroups/$schemas/{}?api-version=2022-10"
HTTPS_PORT = 443
# Together less than the minute in which a receiver has to show that it lives, with a sign-in before it.
READ_S, ANSWER_S = 10.0, 15.0
TOKEN_RENEWED_S = 300.0  # before it ends, as the SDKs do
FOUND = 200
# It is no id, the namespace has no such schema, or only one of another format than was asked for (Protobuf, say).
UNKNOWN = (400, 404, 406, 410, 415)
REFUSED = (401, 403)
PASSING = (407, 408, 425, 429)  # of those below 500: what is in between, or the registry, takes the question later
# For how long any other refusal is waited out. The same question gets it for ever, and the events behind it wait.
REFUSES_FOR_S = 600.0
IDENTITY = ("", "identity")  # of a Content-Encoding: nothing was done to the answer
SHORT = 300  # characters of what a registry says of an error


@dataclass(frozen=True, slots=True)
class Answer:
    """What came for one question."""

    status: int
    schema_id: str
    """Which schema it says to be; empty: it does not say, and nobody but the registry would."""
    media_type: str
    encoding: str
    body: bytes


class SchemaRegistry:
    """The registry of a namespace. One thread uses it."""

    def __init__(self, settings: EventHubSettings, clock: Clock = monotonic) -> None:
        self._clock = clock
        self._refused_since_s: float | None = None
        self._settings, self._namespace = settings, settings.schema_registry or ""
        self._what = f"The schema registry {self._namespace} cannot be asked"
        self._identity: Identity | None = None
        self._token, self._renewed_s = "", 0.0
        """And when it has to be a new one, on the host's monotonic clock."""

    def definition(self, schema_id: str) -> str | None:
        """The definition of a schema; None: the registry has no such schema of Avro. Blocks for some seconds.

        Raises `SchemaRegistryUnavailable` when it cannot answer now, and `NotPermitted` or `ConfigurationError` when
        asking again would not help.
        """
        try:
            return self._definition(schema_id, self._ask(schema_id))
        except SignInFailed as error:
            raise self._of_sign_in(error) from error
        except ssl.SSLCertVerificationError as error:
            fix = trust(error.verify_message, "Set EVENTHUB_CA_FILE to the CA that signed its certificate.")
            raise ConfigurationError(self._what, error.verify_message, fix) from error
        except (OSError, HTTPException, UnicodeError) as error:  # UnicodeError: a host that is too long for a name
            raise self._unavailable(plain(str(error)) or type(error).__name__) from error

    def _ask(self, schema_id: str) -> Answer:
        headers = {
            "Accept": "application/json; serialization=Avro, application/json; serialization=json, text/plain",
            "Accept-Encoding": "identity",
            "Authorization": f"Bearer {self._fresh_token()}",
            "User-Agent": "evsup",
        }
        return _answer(_connection(self._settings), PATH.format(schema_id), headers)

    def _fresh_token(self) -> str:
        """Kept here, because not each identity keeps its tokens: the Azure CLI is a process each time."""
        if self._identity is None:
            self._identity = Identity(self._settings)
        if not self._token or self._clock() > self._renewed_s:
            token = self._identity.get_token(SCOPE)
            # Both by the clock that may be set: only how long the token lasts is kept.
            lasts_s = token.expires_on - time.time()
            self._token, self._renewed_s = token.token, self._clock() + lasts_s - TOKEN_RENEWED_S
        return self._token

    def _definition(self, schema_id: str, answer: Answer) -> str | None:
        if answer.media_type == "text/html" or answer.encoding not in IDENTITY:
            # Whatever its status is: a registry that is only hidden for a while must not make a schema unknown.
            raise self._unavailable(f"something else answers in its place ({answer.status}, {answer.media_type})")
        text = answer.body.decode(errors="replace")
        self._require_willing(answer.status, text)
        if answer.status in UNKNOWN:
            return None
        if answer.status in REFUSED:
            self._token = ""
            fix = "Give the identity the role Schema Registry Reader on the namespace."
            raise NotPermitted(self._what, f"{answer.status} {plain(text)[:SHORT]}", fix)
        if answer.status != FOUND:
            raise self._unavailable(f"{answer.status} {plain(text)[:SHORT]}")
        if answer.schema_id.replace("-", "").lower() != schema_id:
            raise self._unavailable("it answers what is not the schema that it was asked for")
        return text

    def _require_willing(self, status: int, text: str) -> None:
        """Raise `ConfigurationError` when it has refused to answer for so long that waiting does not help."""
        if not 400 <= status < 500 or status in (*UNKNOWN, *REFUSED, *PASSING):
            self._refused_since_s = None
            return
        now_s = self._clock()
        self._refused_since_s = now_s if self._refused_since_s is None else self._refused_since_s
        if now_s - self._refused_since_s >= REFUSES_FOR_S:
            why = f"for {REFUSES_FOR_S / 60:.0f} minutes its answer is {status} {plain(text)[:SHORT]}"
            fix = "Check EVENTHUB_SCHEMA_REGISTRY, or store such bodies as they come with EVENTHUB_BODY=raw."
            raise ConfigurationError(self._what, why, fix)

    def _of_sign_in(self, error: SignInFailed) -> EvsupError:
        known = error.__cause__
        if not isinstance(known, EvsupError):
            return self._unavailable(plain(str(error)))
        kind = SchemaRegistryUnavailable if isinstance(known, SourceUnavailable) else type(known)
        return kind(self._what, f"{known.what}: {known.why}", known.fix)

    def _unavailable(self, why: str) -> SchemaRegistryUnavailable:
        return SchemaRegistryUnavailable(
            self._what, why, "Nothing is lost: events wait in the hub until it answers. Check EVENTHUB_SCHEMA_REGISTRY."
        )


def _answer(connection: HTTPSConnection, path: str, headers: Mapping[str, str]) -> Answer:
    """The answer to a question, or `TimeoutError` after `ANSWER_S`.

    A timeout of a socket is for each read, and an answer that comes a byte a second meets it each time. So whatever is
    read then is cut.
    """
    is_late, sockets = Event(), list[socket.socket]()
    limit = Timer(ANSWER_S, _cut, [connection, sockets, is_late])
    limit.daemon = True
    limit.start()
    try:
        connection.connect()
        sockets.append(connection.sock)  # a connection forgets it when an answer has no length
        if not is_late.is_set():  # during a handshake there is no socket to be cut
            answer = _get(connection, path, headers)
            if not is_late.is_set():  # what was cut looks as if it had ended
                return answer
    except (OSError, HTTPException):
        if not is_late.is_set():
            raise
    finally:
        limit.cancel()
        connection.close()
    raise TimeoutError(f"no whole answer within {ANSWER_S:.0f} s")


def _cut(connection: HTTPSConnection, sockets: Sequence[socket.socket], is_late: Event) -> None:
    is_late.set()
    for each in (*sockets, connection.sock):
        if each is not None:
            with suppress(OSError):  # it has ended by itself
                each.shutdown(socket.SHUT_RDWR)


def _get(connection: HTTPSConnection, path: str, headers: Mapping[str, str]) -> Answer:
    connection.request("GET", path, headers=dict(headers))
    with connection.getresponse() as response:
        body = response.read(MOST_BYTES + 1)  # one more, so that a schema that is too large is seen to be
        if len(body) <= MOST_BYTES and response.length:  # with a bound, `read` takes what ends too early
            raise IncompleteRead(body, response.length)
        return Answer(
            response.status,
            response.headers.get("Schema-Id", ""),
            response.headers.get_content_type(),
            response.headers.get("Content-Encoding", "").lower(),
            body,
        )


def _connection(settings: EventHubSettings) -> HTTPSConnection:
    """To the registry, or through a proxy. The registry's TLS goes through that as well, with its own certificate."""
    registry = endpoint.parse(settings.schema_registry or "")
    port = registry.port or HTTPS_PORT
    context = ssl.create_default_context(cafile=ca_bundle.trusted())
    proxy = _proxy(settings, registry.host)
    if proxy is None:
        return HTTPSConnection(registry.host, port, timeout=READ_S, context=context)
    connection = HTTPSConnection(proxy.hostname or "", proxy.port, timeout=READ_S, context=context)
    connection.set_tunnel(registry.host, port, _authorization(proxy))
    return connection


def _proxy(settings: EventHubSettings, host: str) -> SplitResult | None:
    """That of the settings, as for Event Hubs; else that of the environment, as for the sign-in."""
    if settings.proxy:
        return urlsplit(settings.proxy.reveal())
    text = getproxies().get("https")
    return None if text is None or proxy_bypass(host) else urlsplit(text)


def _authorization(proxy: SplitResult) -> dict[str, str]:
    if not proxy.username:
        return {}
    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}

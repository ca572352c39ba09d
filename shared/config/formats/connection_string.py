"""An Event Hubs connection string, taken apart without ever quoting it.

https://learn.microsoft.com/azure/event-hubs/event-hubs-get-connection-string
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from shared.config.formats import endpoint

KEYS = (
    "Endpoint",
    "SharedAccessKeyName",
    "SharedAccessKey",
    "SharedAccessSignature",
    "EntityPath",
    "UseDevelopmentEmulator",
)
_SPELLING = {key.lower(): key for key in KEYS}

_BEGIN = "a connection string of Event Hubs begins with Endpoint=sb://"
# What is pasted instead, by what it looks like; the first that fits is named.
_SOMETHING_ELSE = {
    r"^([\"']).*\1$": "stands in quotes, which are part of the value here (a Docker --env-file keeps them); drop them",
    r"^EVENTHUB_CONNECTION_STRING\s*=": "begins with its own name; the value alone is needed",
    r"PlainLoginModule": "is a Kafka client's JAAS configuration; what stands in quotes after password= is needed",
    r"^\{.*onnectionString": "is JSON as the Azure CLI prints it; the value of primaryConnectionString is needed",
    r"@Microsoft\.KeyVault\(|\$[({]|^secretref:": "is a reference to a secret, which nothing has resolved",
    r"DefaultEndpointsProtocol=|AccountName=|BlobEndpoint=": f"belongs to Azure Storage; {_BEGIN}",
    r"HostName=|\.azure-devices\.net": "belongs to an IoT hub; its portal page 'Built-in endpoints' shows the"
    " Event Hub-compatible one",
    r"AccountEndpoint=|\.documents\.azure\.com": f"belongs to Cosmos DB; {_BEGIN}",
    r"\.azconfig\.io": f"belongs to App Configuration; {_BEGIN}",
    r"\.service\.signalr\.net|\.webpubsub\.azure\.com": f"belongs to SignalR or Web PubSub; {_BEGIN}",
    r"\.communication\.azure\.com": f"belongs to Communication Services; {_BEGIN}",
    r"InstrumentationKey=": f"belongs to Application Insights; {_BEGIN}",
    r"\.redis\.(?:cache\.windows|azure)\.net": f"belongs to a Redis cache; {_BEGIN}",
    r"^(?!sb|https?|amqps?)\w+://|(?:^|;)(?:Server|Data Source|Initial Catalog|host|dbname)\s*=": f"belongs to a"
    f" database; {_BEGIN}",
    r"^\w+://[^;]*$": f"is an address alone; {_BEGIN}",
    r"^SharedAccessSignature\s": f"is a signature alone, without the namespace; {_BEGIN}",
    r"\\u00|&amp;": "holds characters that JSON or HTML has escaped; copy it from the portal again",
    r"\s": "holds a space or a line break; copy it in one piece",
}
_PLACEHOLDER = re.compile(r"[<>{}…]|\*\*")
_PLACEHOLDER_OF_A_SECRET = re.compile(r"^your", re.IGNORECASE)  # a hub may be called so
_KEY_OF_THE_EMULATOR = "SAS_KEY_VALUE"
_KEY_WITHOUT_ITS_END = re.compile(r"[A-Za-z0-9+/]{43}")  # of the 44 characters that Azure makes; the last one is `=`


@dataclass(frozen=True, slots=True)
class ConnectionString:
    """What a connection string says, without the credential, which goes from its `Secret` to the SDK only."""

    host: str
    """The fully qualified namespace; for an emulator, its host."""
    port: int | None
    entity_path: str | None
    emulator: bool
    wants_websockets: bool
    """By `TransportType`, which other languages' SDKs take."""


def parse(text: str) -> ConnectionString:
    """Take the string apart as strictly as `azure.eventhub.parse_connection_string` does.

    Raises ValueError with every reason, joined by semicolons; nothing of `text` but known key names is in it.
    """
    if reason := _something_else(text.strip()):
        raise ValueError(reason)
    parts = dict(_parts(text))
    if reasons := [*_misspelt(parts), *_faults(parts)]:
        raise ValueError("; ".join(reasons))
    address = endpoint.parse(parts["Endpoint"])
    return ConnectionString(
        host=address.host,
        port=address.port,
        entity_path=parts.get("EntityPath"),
        emulator=parts.get("UseDevelopmentEmulator") == "true",
        wants_websockets=any(key.lower() == "transporttype" and "socket" in parts[key].lower() for key in parts),
    )


def _something_else(text: str) -> str | None:
    for form, reason in _SOMETHING_ELSE.items():
        # A signature has a space of its own, after its name.
        if re.search(form, text.replace("SharedAccessSignature ", "", 1) if form == r"\s" else text, re.IGNORECASE):
            return reason
    return None


def _parts(text: str) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    for part in text.strip().rstrip(";").split(";"):
        key, equals, value = part.partition("=")
        if not (key and equals and value):
            raise ValueError("must be Key=Value pairs with a semicolon between them, none of them empty")
        if key in seen:
            raise ValueError("the same key stands in it twice")
        seen.add(key)
        yield key, value


def _misspelt(parts: dict[str, str]) -> Iterator[str]:
    """The SDK is case-sensitive here, so that `entitypath=` would be as good as absent."""
    for key in parts:
        right = _SPELLING.get(key.lower(), key)
        if right != key:
            yield f"the key is spelt {right}"


def _faults(parts: dict[str, str]) -> Iterator[str]:
    emulator = parts.get("UseDevelopmentEmulator") == "true"
    yield from _endpoint_faults(parts.get("Endpoint"), emulator)
    if not emulator:
        yield from _credential_faults(parts)
    has_key, has_name = "SharedAccessKey" in parts, "SharedAccessKeyName" in parts
    has_signature = "SharedAccessSignature" in parts
    if has_key and has_signature:
        yield "has both SharedAccessKey and SharedAccessSignature"
    elif not has_key and not has_signature:
        yield "has neither SharedAccessKey nor SharedAccessSignature"
    if has_key != has_name:
        yield "SharedAccessKeyName and SharedAccessKey go together"
    # The SDK compares with "true" letter by letter and would speak TLS to the emulator for `True`.
    if parts.get("UseDevelopmentEmulator", "true") not in {"true", "false"}:
        yield "UseDevelopmentEmulator must be true or false, in small letters"


def _credential_faults(parts: dict[str, str]) -> Iterator[str]:
    for key in ("SharedAccessKeyName", "SharedAccessKey", "SharedAccessSignature", "EntityPath"):
        value = parts.get(key, "")
        is_secret = key in {"SharedAccessKey", "SharedAccessSignature"}
        if _PLACEHOLDER.search(value) or (is_secret and _PLACEHOLDER_OF_A_SECRET.search(value)):
            yield f"{key} is a placeholder"
    key = parts.get("SharedAccessKey", "")
    if key == _KEY_OF_THE_EMULATOR:
        yield "UseDevelopmentEmulator=true is missing: SharedAccessKey is the emulator's"
    if "%" in key:
        yield "SharedAccessKey is percent-encoded; copy it from the portal again"
    if _KEY_WITHOUT_ITS_END.fullmatch(key):
        yield "SharedAccessKey lacks its last character, ="


def _endpoint_faults(text: str | None, emulator: bool) -> Iterator[str]:
    if text is None:
        yield "has no Endpoint"
        return
    try:
        address = endpoint.parse(text)
    except ValueError as error:
        yield f"Endpoint: {error}"
        return
    if address.scheme != "sb":
        yield "Endpoint must begin with sb://"
    if address.has_credentials:
        yield "Endpoint must not name a user: the key goes into SharedAccessKey"
    if address.port and not emulator:
        yield "Endpoint must not name a port (9093 is Kafka's); only an emulator has one"
    if address.has_path:
        yield "Endpoint must end after the host; the event hub goes into EntityPath"

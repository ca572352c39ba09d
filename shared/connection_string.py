"""An Event Hubs connection string, taken apart without ever quoting it.

https://learn.microsoft.com/azure/event-hubs/event-hubs-get-connection-string
"""

from collections.abc import Iterator
from dataclasses import dataclass

from shared import endpoint

KEYS = (
    "Endpoint",
    "SharedAccessKeyName",
    "SharedAccessKey",
    "SharedAccessSignature",
    "EntityPath",
    "UseDevelopmentEmulator",
)
_SPELLING = {key.lower(): key for key in KEYS}


@dataclass(frozen=True, slots=True)
class ConnectionString:
    """What a connection string says, without the credential, which goes from its `Secret` to the SDK only."""

    host: str
    """The fully qualified namespace; for an emulator, its host."""
    port: int | None
    entity_path: str | None
    emulator: bool


def parse(text: str) -> ConnectionString:
    """Take the string apart as strictly as `azure.eventhub.parse_connection_string` does.

    Raises ValueError with every reason, joined by semicolons; nothing of `text` but known key names is in it.
    """
    parts = dict(_parts(text))
    if reasons := [*_misspelt(parts), *_faults(parts)]:
        raise ValueError("; ".join(reasons))
    address = endpoint.parse(parts["Endpoint"])
    return ConnectionString(
        host=address.host,
        port=address.port,
        entity_path=parts.get("EntityPath"),
        emulator=parts.get("UseDevelopmentEmulator") == "true",
    )


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
    yield from _endpoint_faults(parts.get("Endpoint"))
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


def _endpoint_faults(text: str | None) -> Iterator[str]:
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

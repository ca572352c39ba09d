"""AMQP values as JSON can carry them: any type, any depth, nothing refused or lost."""

import base64
from collections.abc import Callable
from datetime import datetime
from itertools import chain
from math import isfinite
from typing import Any

import msgspec

from shared.eventhubs.amqp_types import Timestamp

DEEPEST = 64  # containers in an AMQP value; what is deeper comes as the text of its JSON
NUL = "\0"
BINARY, CONTAINERS = (bytes, bytearray, memoryview), (dict, list, tuple)

encode = msgspec.json.Encoder(enc_hook=str).encode


def variant(value: Any, room: int = DEEPEST) -> Any:
    """An AMQP value as JSON can carry it. Keys and values may be bytes: they are text when they are UTF-8."""
    if type(value) is bytes:  # nearly every value is
        return text(value)
    if room and type(value) is dict and (texts := _texts(value)) is not None:
        return texts
    match value:
        case Timestamp():
            return value.shown
        case None | bool() | int() | datetime():
            return value
        case float() if isfinite(value):
            return value
        case dict() if room:
            return object_of(value, lambda item: variant(item, room - 1))
        case list() | tuple() if room:
            return [variant(item, room - 1) for item in value]
        case dict() | list() | tuple():
            return _deep_text(value)
        case _:
            return text(value)  # NaN and infinity too: the SDK's encoder would make them null


def _texts(mapping: dict[Any, Any]) -> dict[str, str] | None:
    """A map of nothing but plain text, as most are; None: it is another. Three times as fast as one value at a time."""
    try:
        named = {key.decode(): value.decode() for key, value in mapping.items()}
    except (AttributeError, UnicodeDecodeError):
        return None
    return None if NUL in "".join(chain(named, named.values())) else named


def _deep_text(value: Any) -> str:
    """A container as the text of its JSON, built from the inside out: a function that calls itself would meet the end
    of Python's stack.
    """
    containers = [value]
    for each in containers:  # grows on the way: those inside come after those around
        items = each.values() if isinstance(each, dict) else each
        containers += [item for item in items if isinstance(item, CONTAINERS)]
    texts: dict[int, msgspec.Raw] = {}
    for each in reversed(containers):
        texts[id(each)] = msgspec.Raw(encode(_shallow(each, texts)))
    return bytes(texts[id(value)]).decode()


def _shallow(container: Any, texts: dict[int, msgspec.Raw]) -> Any:
    """A container with the JSON of those in it."""

    def inner(item: Any) -> Any:
        return texts.get(id(item)) or variant(item, 0)

    return object_of(container, inner) if isinstance(container, dict) else [inner(item) for item in container]


def object_of(mapping: dict[Any, Any], value_of: Callable[[Any], Any]) -> dict[str, Any]:
    """A map under text. AMQP has keys of any type, and of those that are one text, all but the first say their type."""
    named: dict[str, Any] = {}
    for key, item in mapping.items():
        name = _key(key)
        while name in named:
            name += f" ({type(key).__name__})"
        named[name] = value_of(item)
    return named


def _key(key: object) -> str:
    return "" if key is None else text(key)


def text(value: object) -> str:
    """Text of an AMQP value. Bytes that are not UTF-8 come as base64 with a mark, and so does text with a NUL, which no
    VARIANT can hold; a lone surrogate comes as `?`.
    """
    data = value if type(value) is bytes else _octets(value)
    try:
        decoded = data.decode()
    except UnicodeDecodeError:
        decoded = NUL
    return "base64:" + base64.b64encode(data).decode() if NUL in decoded else decoded


def _octets(value: object) -> bytes:
    return bytes(value) if isinstance(value, BINARY) else str(value).encode("utf-8", "replace")

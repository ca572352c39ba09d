"""What the bytes of a body are, by what the message says of them and what `EVENTHUB_BODY` allows.

    bytes as they came ──▶ content encoding ──▶ charset ──▶ JSON, JSON lines ──▶ one line of JSON

Bytes that cannot be read are kept as they came, with the reason.
"""

from typing import Any, Literal

from worker.bodies import content_type
from worker.bodies.body import TOMBSTONE, Body
from worker.bodies.content_encoding import as_utf8, decoded, is_compressed
from worker.bodies.content_type import ContentType
from worker.bodies.json_lines import NotALine, array_of
from worker.bodies.payload import UTF8_BOM, WHITESPACE, NotPayload, payload

CONTAINERS = (b"{", b"[")


class BodyReader:
    """Reads bodies."""

    def __init__(self, mode: Literal["auto", "raw"] = "auto") -> None:
        self._is_raw = mode == "raw"

    def data(self, data: bytes, type_text: str = "", encoding: str = "") -> Body:
        """The body of bytes; the texts are what the message says of it."""
        if not data:
            return TOMBSTONE
        try:
            if self._is_raw:
                return Body(*payload(data))
            return _read(data, content_type.parse(type_text), encoding)
        except NotPayload as why:
            return Body(raw=data, reason=str(why))

    def text(self, text: bytes, type_text: str = "", encoding: str = "") -> Body | None:
        """The body of what AMQP calls a value, when it is a string or bytes; None: it is only that.

        JMS sends its text messages so. A text is JSON when it is an object or an array, or when the content type says
        so: a text `12` is no number, and one that begins like JSON and is none is a text as any other.
        """
        if self._is_raw:
            return None
        if is_compressed(encoding):
            return self.data(text, type_text, encoding)
        kind = content_type.parse(type_text)
        if not (kind.says_json or text.removeprefix(UTF8_BOM).lstrip(WHITESPACE).startswith(CONTAINERS)):
            return None
        try:
            return Body(*_json(text, kind))
        except NotPayload:
            return None


def _read(data: bytes, kind: ContentType, encoding: str) -> Body:
    plain = decoded(data, encoding) if encoding else data
    if not plain:
        return TOMBSTONE
    try:
        return Body(*_json(as_utf8(plain) if kind.is_wide else plain, kind))
    except NotPayload as why:
        if plain == data:
            raise
        raise NotPayload(f"once decoded: {why}") from None


def _json(text: bytes, kind: ContentType) -> tuple[bytes, Any]:
    try:
        return payload(text)
    except NotPayload as why:
        if not kind.may_be_lines:
            raise
        whole = why
    try:
        return array_of(text)
    except NotALine as why:
        if why.number == 1:  # then it never was meant to be lines
            raise whole from None
        raise NotPayload(f"{whole}; as JSON lines, {why}") from None
    except NotPayload:
        raise whole from None

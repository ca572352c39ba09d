"""What the bytes of a body are, by what the message says of them and what `EVENTHUB_BODY` allows.

    bytes as they came ──▶ content encoding ──▶ Avro ─────────────────────▶ one line of JSON
                                            └─▶ charset ──▶ JSON, JSON lines ──┘

Bytes that cannot be read are kept as they came, with the reason.
"""

from typing import Any, Literal

from shared.config.formats.avro_schema import of_file
from shared.config.settings import EventHubSettings
from shared.errors import ConfigurationError
from shared.eventhubs.schema_registry import SchemaRegistry
from worker.bodies import content_type
from worker.bodies.avro import AvroSchema
from worker.bodies.avro_schemas import AvroSchemas
from worker.bodies.body import TOMBSTONE, Body
from worker.bodies.content_encoding import as_utf8, compression_of, decoded, is_compressed
from worker.bodies.content_type import ContentType
from worker.bodies.decoded_size import most_bytes
from worker.bodies.json_lines import NotALine, array_of
from worker.bodies.payload import UTF8_BOM, WHITESPACE, NotPayload, payload

CONTAINERS = (b"{", b"[")
CORRECT_FILE = "Correct EVENTHUB_AVRO_SCHEMA_FILE."


class BodyReader:
    """Reads bodies. Raises only what the schema registry does, when that cannot be asked."""

    def __init__(self, mode: Literal["auto", "raw"] = "auto", schemas: AvroSchemas | None = None) -> None:
        self._is_raw, self._schemas = mode == "raw", schemas or AvroSchemas()

    @property
    def takes_any_json(self) -> bool:
        """Whether a body is JSON if it can be, where its message says nothing of it."""
        return self._is_raw or self._schemas.untyped is None

    def data(self, data: bytes, type_text: str = "", encoding: str = "") -> Body:
        """The body of bytes; the texts are what the message says of it."""
        if not data:
            return TOMBSTONE
        kind = content_type.parse(type_text)
        try:
            return Body(*payload(data)) if self._is_raw else self._read(data, kind, encoding)
        except NotPayload as why:
            return self._mislabelled(data, kind, encoding) or Body(raw=data, reason=str(why))

    def text(self, text: bytes, type_text: str = "", encoding: str = "") -> Body | None:
        """The body of what AMQP calls a value, when it is a string or bytes; None: it is only that.

        JMS sends its text messages so. A text is JSON when it is an object or an array, or when the content type says
        so: a text `12` is no number, and one that begins like JSON and is none is a text as any other.
        """
        if self._is_raw:
            return None
        kind = content_type.parse(type_text)
        if is_compressed(encoding) or kind.is_avro or kind.is_registered_avro:
            return self.data(text, type_text, encoding)
        if not (kind.says_json or _is_container(text)):
            return None
        try:
            return Body(*_json(text, kind))
        except NotPayload:
            return None

    def _read(self, data: bytes, kind: ContentType, encoding: str) -> Body:
        # The coding was applied last, to the whole body. The charset comes after Avro, which is no text.
        plain = decoded(data, encoding) if encoding else data
        if not plain:
            return TOMBSTONE
        try:
            if schema := self._schemas.of(kind):
                return Body(*payload(schema.json(plain, most_bytes(len(data)))))
            return Body(*_json(plain, kind))
        except NotPayload as why:
            if plain == data:
                raise
            raise NotPayload(f"once decoded: {why}") from None

    def _mislabelled(self, data: bytes, kind: ContentType, encoding: str) -> Body | None:
        """JSON of whose encoding or charset the message says nothing, or something else; None: it is none.

        A producer of Kafka cannot name a content encoding, and a gateway that unpacks a body may leave the name. Only
        what cannot be meant otherwise is read: no JSON begins as compressed data, whose checksum has to fit, no
        compressed data begins as an object or an array, and no JSON in UTF-8 has a NUL beside each character, as that
        in UTF-16 has. Avro may begin with any bytes.
        """
        if self._is_raw or self._schemas.may_read(kind):
            return None
        try:
            if not is_compressed(encoding) and (found := compression_of(data)):
                return Body(*_json(decoded(data, found), kind))
            text = as_utf8(data)
            return Body(*_json(text, kind)) if (encoding or text != data) and _is_container(text) else None
        except NotPayload:
            return None


def body_reader(settings: EventHubSettings) -> BodyReader:
    """The reader that the settings ask for. Raises `ConfigurationError` when the schema file cannot be used."""
    if settings.body == "raw":
        return BodyReader("raw")
    registry = SchemaRegistry(settings) if settings.schema_registry else None
    return BodyReader("auto", AvroSchemas(registry, _of_file(settings.avro_schema_file)))


def _of_file(path: str | None) -> AvroSchema | None:
    try:
        return AvroSchema(of_file(path)) if path else None
    except ValueError as error:  # it was good when the settings were checked
        raise ConfigurationError("The Avro schema cannot be used", f"{path}: {error}", CORRECT_FILE) from None


def _is_container(text: bytes) -> bool:
    """Whether it begins as an object or an array does."""
    return text.removeprefix(UTF8_BOM).lstrip(WHITESPACE).startswith(CONTAINERS)


def _json(text: bytes, kind: ContentType) -> tuple[bytes, Any]:
    text = as_utf8(text) if kind.is_wide else text
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

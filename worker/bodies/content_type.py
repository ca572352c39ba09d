"""What the properties of a message say of its body: its content type, as far as bodies are read by it."""

import re
from dataclasses import dataclass
from functools import lru_cache

# What senders write for JSON lines; no name is registered. https://github.com/wardi/jsonlines/issues/19
JSON_LINES = frozenset(
    f"application/{name}"
    for name in ("x-ndjson", "ndjson", "jsonl", "x-jsonl", "jsonlines", "x-jsonlines", "json-lines")
)
# The serializers of Azure Schema Registry put the id of the schema behind the format.
# https://learn.microsoft.com/azure/event-hubs/schema-registry-concepts
REGISTERED_AVRO, REGISTERED_JSON = "avro/binary+", "application/json+"
# Of a body without the id of a schema. https://issues.apache.org/jira/browse/AVRO-488
AVRO = frozenset(("avro/binary", "application/avro", "application/vnd.apache.avro"))
NOTHING = frozenset(("", "application/octet-stream"))
PLAIN_TEXT = "text/plain"
JSON = frozenset(("application/json", "text/json"))
WIDE = ("utf-16", "utf-32", "utf16", "utf32")

_SCHEMA_ID = re.compile(r"[0-9a-f]{32}")
_CHARSET = re.compile(r";\s*charset\s*=\s*\"?([^\s\";]+)")


@dataclass(frozen=True, slots=True)
class ContentType:
    """A content type: the media type in small letters, without parameters, and the charset that it names."""

    name: str = ""
    charset: str = ""

    @property
    def says_json(self) -> bool:
        """Whether it says that the body is JSON, one value or several."""
        return self.name in JSON | JSON_LINES or self.name.endswith("+json") or self.name.startswith(REGISTERED_JSON)

    @property
    def is_wide(self) -> bool:
        """Whether it says that the text has another charset of Unicode than UTF-8."""
        return self.charset.startswith(WIDE)

    @property
    def says_nothing(self) -> bool:
        """Whether the body may be anything."""
        return self.name in NOTHING

    @property
    def is_avro(self) -> bool:
        """Whether it says that the body is Avro, and names no schema."""
        return self.name in AVRO

    @property
    def is_registered_avro(self) -> bool:
        """Whether it says that the body is Avro with a schema of Azure Schema Registry."""
        return self.name.startswith(REGISTERED_AVRO)

    @property
    def schema_id(self) -> str | None:
        """The id of that schema; None: it is none."""
        schema_id = self.name.removeprefix(REGISTERED_AVRO)
        return schema_id if _SCHEMA_ID.fullmatch(schema_id) else None

    @property
    def may_be_lines(self) -> bool:
        """Whether the body may be several JSON values, one a line: where it says JSON or text, or says nothing.

        Stream Analytics and log shippers write lines, and few of them name them.
        """
        return self.says_json or self.says_nothing or self.name == PLAIN_TEXT


@lru_cache(maxsize=64)  # the events of a hub have few
def parse(text: str) -> ContentType:
    """The content type that a message names; an empty text is none."""
    lower = text.lower()
    charset = _CHARSET.search(lower)
    return ContentType(lower.partition(";")[0].strip(), charset[1] if charset else "")

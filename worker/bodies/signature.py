"""What a body that is not JSON may be, by its first bytes: a word for who looks at the table, and never a decision."""

import re

# https://www.rfc-editor.org/rfc/rfc1952, rfc8878, rfc1950; https://avro.apache.org/docs/current/specification/
_FORMATS = (
    (rb"\x1f\x8b", "gzip"),
    (rb"\x28\xb5\x2f\xfd", "zstd"),
    (rb"\x78[\x01\x5e\x9c\xda]", "zlib (deflate)"),
    (rb"BZh[1-9]", "bzip2"),
    (rb"PK\x03\x04", "a ZIP archive"),
    (rb"Obj\x01", "an Avro file"),
    (rb"PAR1", "a Parquet file"),
    (rb"\xff\xfe\x00\x00|\x00\x00\xfe\xff|([^\x00]\x00\x00\x00){2}|(\x00\x00\x00[^\x00]){2}", "UTF-32 text"),
    (rb"\xff\xfe|\xfe\xff|([^\x00]\x00){2}|(\x00[^\x00]){2}", "UTF-16 text"),
    (rb"\x00\x00[\x00-\xff]{3}", "a message in the framing of Confluent's schema registry"),
    (rb"(?:\xef\xbb\xbf)?\s*<[!?a-zA-Z]", "XML or HTML"),
    (rb"eyJ[\w+/=-]*$", "base64 of JSON"),
    (rb"(?:\xef\xbb\xbf)?\s*(\{.*\}|\[.*\])[ \t\r]*\n\s*[\{\[]", "several JSON values, one a line"),
)
_PATTERNS = tuple((re.compile(pattern), name) for pattern, name in _FORMATS)
LOOKED_AT = 4096  # bytes


def looks_like(body: bytes) -> str | None:
    """The name of a format or an encoding; None: nothing is known of it."""
    head = body[:LOOKED_AT]
    return next((name for pattern, name in _PATTERNS if pattern.match(head)), None)

"""What a body that is not JSON may be, by its first bytes: a word for who looks at the table, and never a decision."""

import re

# https://www.rfc-editor.org/rfc/rfc1952, rfc8878, rfc1950; https://avro.apache.org/docs/current/specification/,
# https://github.com/google/snappy/blob/main/framing_format.txt, https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md
_FORMATS = (
    (rb"\x1f\x8b", "gzip"),
    (rb"\x28\xb5\x2f\xfd", "zstd"),
    (rb"\x78[\x01\x5e\x9c\xda]", "zlib (deflate)"),
    (rb"BZh[1-9]", "bzip2"),
    (rb"\xfd7zXZ\x00", "xz"),
    (rb"\x04\x22\x4d\x18", "LZ4"),
    (rb"\xff\x06\x00\x00sNaPpY|\x82SNAPPY\x00", "Snappy"),
    (rb"PK\x03\x04", "a ZIP archive"),
    (rb"Obj\x01", "an Avro file"),
    (rb"PAR1", "a Parquet file"),
    (rb"\xff\xfe\x00\x00|\x00\x00\xfe\xff|([^\x00]\x00\x00\x00){2}|(\x00\x00\x00[^\x00]){2}", "UTF-32 text"),
    (rb"\xff\xfe|\xfe\xff|([^\x00]\x00){2}|(\x00[^\x00]){2}", "UTF-16 text"),
    (rb"\x00\x00[\x00-\xff]{3}", "a message in the framing of Confluent's schema registry"),
    (rb"(?:\xef\xbb\xbf)?\s*<[!?a-zA-Z]", "XML or HTML"),
    # Of a BrokeredMessage in .NET: https://github.com/Azure/azure-sdk-for-python/issues/29944
    (rb"@.{1,9}[\x08\x9a].http://schemas\.microsoft\.com/2003/10/Serialization/", "text that .NET has serialized"),
    (rb"eyJ[\w+/=-]*$", "base64 of JSON"),
    # Logs of some Azure services: https://github.com/elastic/beats/pull/40742
    (rb"\s*[\{\[]\s*'", "JSON in single quotes"),
    (rb"(?:\xef\xbb\xbf)?\s*(\{.*\}|\[.*\])[ \t\r]*\n\s*[\{\[]", "several JSON values, one a line"),
)
_PATTERNS = tuple((re.compile(pattern), name) for pattern, name in _FORMATS)
LOOKED_AT = 4096  # bytes


def looks_like(body: bytes) -> str | None:
    """The name of a format or an encoding; None: nothing is known of it."""
    head = body[:LOOKED_AT]
    return next((name for pattern, name in _PATTERNS if pattern.match(head)), None)

"""What is no JSON is named by its first bytes, and JSON never is."""

import bz2
import gzip
import json
import lzma
import zlib

import pytest
import zstandard

from worker.bodies.signature import looks_like

DOCUMENT = json.dumps({"name": "Grüße", "n": list(range(20))}).encode()


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (gzip.compress(DOCUMENT, mtime=0), "gzip"),
        (zstandard.ZstdCompressor().compress(DOCUMENT), "zstd"),
        *((zlib.compress(DOCUMENT, level), "zlib (deflate)") for level in (1, 5, 6, 9)),
        (bz2.compress(DOCUMENT), "bzip2"),
        (lzma.compress(DOCUMENT), "xz"),
        (b"\x04\x22\x4d\x18\x64\x40", "LZ4"),
        *((begin + b"\x01\x02", "Snappy") for begin in (b"\xff\x06\x00\x00sNaPpY", b"\x82SNAPPY\x00\x00\x00")),
        (
            b"@\x06string\x083http://schemas.microsoft.com/2003/10/Serialization/\x9a\x05{}\r\n",
            "text that .NET has serialized",
        ),
        (b"{'a': 1}", "JSON in single quotes"),
        (b" [{ 'records': [] }]", None),
        (b"Obj\x01\x04\x14avro.codec", "an Avro file"),
        (b"PAR1\x15\x00", "a Parquet file"),
        *((DOCUMENT.decode().encode(name), "UTF-16 text") for name in ("utf-16", "utf-16-le", "utf-16-be")),
        *((DOCUMENT.decode().encode(name), "UTF-32 text") for name in ("utf-32", "utf-32-le", "utf-32-be")),
        (b"\x00\x00\x00\x01\x2a\x02", "a message in the framing of Confluent's schema registry"),
        (b"<?xml version='1.0'?><a/>", "XML or HTML"),
        (b"eyJuIjoxfQ==", "base64 of JSON"),
        (b'{"a": 1}\n{"a": 2}\n', "several JSON values, one a line"),
        (b"", None),
        (b"hello", None),
        (bytes(range(256)), None),
        (DOCUMENT, None),
        (json.dumps([{"a": {}}, {}], indent=1).encode(), None),
    ],
)
def test_a_body_is_named_by_its_first_bytes(body: bytes, name: str | None) -> None:
    assert looks_like(body) == name

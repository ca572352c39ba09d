"""zstd and gzip, as clients compress rows: whole frames, with a bound on what they unpack to."""

import gzip
import io
from collections.abc import Callable
from typing import Any

import zstandard

from scripts.localcloud.snow.http.refusal import bad_request

MAX_TEXT_BYTES = 256 * 1024 * 1024  # of one request, decompressed: a bomb ends here

_READERS: dict[str, Callable[[bytes], Any]] = {
    "zstd": lambda data: zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True),
    "gzip": lambda data: gzip.GzipFile(fileobj=io.BytesIO(data)),
}


def decompressed(data: bytes, encoding: str) -> bytes:
    """Unpack `data` as a `Content-Encoding` says, or refuse it."""
    if encoding == "identity":
        return data
    if encoding not in _READERS:
        raise bad_request(f"Content-Encoding {encoding} is not supported")
    try:
        with _READERS[encoding](data) as reader:
            text: bytes = reader.read(MAX_TEXT_BYTES + 1)
    except (zstandard.ZstdError, OSError, EOFError) as exc:
        raise bad_request(f"the payload is not {encoding}: {exc}") from exc
    if len(text) > MAX_TEXT_BYTES:
        raise bad_request(f"the payload is larger than {MAX_TEXT_BYTES} bytes")
    return text

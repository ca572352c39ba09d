"""Rows that come as a file: `filebuffer` registers what a client has uploaded to the stage.

The call is not documented. Its fields are those that SDK 1.9.1 sends, and a fragment is a part of a file: zstd of
NDJSON, encrypted with AES-256 in counter mode under the key that `pipe-info` gave. What the service refuses, and with
which code, is a guess: whatever does not agree with the stored file is refused for good. The uncompressed length is not
compared: the SDK counts a byte more for each row than the file has.
"""

import base64
import binascii
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from scripts.localcloud.snow.http.compression import decompressed
from scripts.localcloud.snow.http.refusal import FRAGMENT_INVALID, Refusal, bad_request
from scripts.localcloud.snow.stage.pipe_info import DIVERSIFIER, ENCRYPTION_VERSION, FileKeys
from scripts.localcloud.snow.stage.stage import Stage

CONTENT_TYPE = "application/x-ndjson"
_FIELDS: dict[str, type] = {
    "file_path": str,
    "content_type": str,
    "file_etag": str,
    "file_length_bytes": int,
    "fragment_length_bytes": int,
    "fragment_length_uncompressed_bytes": int,
    "fragment_end_offset_token": str,
    "fragment_row_count": int,
    "fragment_start_byte_offset": int,
    "diversifier": str,
    "master_key_id": str,
    "iv_base64": str,
    "encryption_version": str,
}


@dataclass(frozen=True)
class Fragment:
    """A part of a stored file with the rows of one channel."""

    path: str
    start: int
    stop: int
    text: bytes
    end_token: str


class Fragments:
    """Reads fragments, and knows which ones were taken already."""

    def __init__(self, stage: Stage, keys: FileKeys) -> None:
        self._stage, self._keys = stage, keys
        self._taken: dict[str, set[int]] = {}

    def read(self, items: object) -> list[Fragment]:
        """Verify and decrypt what a request names, in its order, or refuse all of it."""
        if not isinstance(items, list) or not items:
            raise bad_request("the body must be a list of file fragments")
        read = [self._read(item) for item in items]
        if len({(one.path, one.start) for one in read}) < len(read):
            raise _refused("a fragment is named twice")
        return read

    def take(self, fragments: list[Fragment]) -> None:
        """Note that the rows are in the service's hands; a file goes when all of it is."""
        for one in fragments:
            self._taken.setdefault(one.path, set()).add(one.start)
            stored = self._stage.file(one.path)
            if stored is not None and one.stop == len(stored.content):
                self._stage.remove(one.path)

    def _read(self, item: Any) -> Fragment:
        if not isinstance(item, dict) or not all(isinstance(item.get(name), kind) for name, kind in _FIELDS.items()):
            raise bad_request(f"a file fragment has the fields {', '.join(_FIELDS)}")
        path, start = item["file_path"], item["fragment_start_byte_offset"]
        stop = start + item["fragment_length_bytes"]
        if start in self._taken.get(path, ()):
            raise _refused(f"{path} was registered before")
        text = self._decoded(item, self._encrypted(path, start, stop, item))
        _require(item, "fragment_row_count", sum(1 for line in text.split(b"\n") if line))
        return Fragment(path, start, stop, text, item["fragment_end_offset_token"])

    def _encrypted(self, path: str, start: int, stop: int, item: dict[str, Any]) -> bytes:
        stored = self._stage.file(path)
        if stored is None:
            raise _refused(f"there is no file {path}")
        _require(item, "file_etag", stored.etag)
        _require(item, "file_length_bytes", len(stored.content))
        if not 0 <= start < stop <= len(stored.content):
            raise _refused(f"bytes {start} to {stop} are not within {path}")
        return stored.content[start:stop]

    def _decoded(self, item: dict[str, Any], encrypted: bytes) -> bytes:
        _require(item, "content_type", CONTENT_TYPE)
        _require(item, "encryption_version", ENCRYPTION_VERSION)
        _require(item, "diversifier", DIVERSIFIER)
        key = self._keys.find(item["master_key_id"])
        if key is None:
            raise _refused(f"there is no key {item['master_key_id']}")
        try:
            cipher = Cipher(algorithms.AES(key), modes.CTR(base64.b64decode(item["iv_base64"], validate=True)))
        except (binascii.Error, ValueError) as exc:
            raise _refused(f"iv_base64: {exc}") from exc
        decryptor = cipher.decryptor()
        return decompressed(decryptor.update(encrypted) + decryptor.finalize(), "zstd")


def _require(item: dict[str, Any], name: str, found: object) -> None:
    if item[name] != found:
        raise _refused(f"{name} is {item[name]!r}, and the file says {found!r}")


def _refused(reason: str) -> Refusal:
    refusal = bad_request(f"The file fragment is refused: {reason}.")
    refusal.code = FRAGMENT_INVALID
    return refusal

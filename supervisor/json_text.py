"""Documents as JSON, whatever stands in their texts, and files of such documents."""

import json
import os
from pathlib import Path

import msgspec


def encoded(document: object) -> bytes:
    """The JSON of a document. What is no Unicode in it, as in the path of a file (`os.fsdecode`), becomes `?`."""
    try:
        return msgspec.json.encode(document)
    except UnicodeEncodeError:
        return json.dumps(msgspec.to_builtins(document), ensure_ascii=False).encode(errors="replace")


def write_new(path: Path, text: bytes) -> None:
    """Write a file that nobody but its owner may read. Raises OSError, also when something is there already.

    Others may have put a link there: https://man7.org/linux/man-pages/man2/open.2.html (O_EXCL).
    """
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(text)

"""Documents as JSON, whatever stands in their texts."""

import json

import msgspec


def encoded(document: object) -> bytes:
    """The JSON of a document. What is no Unicode in it, as in the path of a file (`os.fsdecode`), becomes `?`."""
    try:
        return msgspec.json.encode(document)
    except UnicodeEncodeError:
        return json.dumps(msgspec.to_builtins(document), ensure_ascii=False).encode(errors="replace")

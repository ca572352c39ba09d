"""The two HTML documents of the HTTP server, and what a browser may do with them.

`page.html` is written by hand. `runbook.html` is written by `python -m scripts.docs.runbook` from docs/operations.md.
"""

import base64
import hashlib
import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files

_INLINE = re.compile(rb"<(style|script)>(.*?)</\1>", re.DOTALL)
_FOLDER = files(__package__ or "")

PAGE = _FOLDER.joinpath("page.html").read_bytes()
RUNBOOK = _FOLDER.joinpath("runbook.html").read_bytes()


@cache
def policy(document: bytes) -> str:
    """Only the document's own style and script, told by their digests, and only data of this server.

    `require-trusted-types-for` makes a browser refuse every assignment of text as HTML.
    """
    return "; ".join(
        (
            "default-src 'none'",
            *(f"{kind}-src {digests}" for kind, digests in _digests(document)),
            "connect-src 'self'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
        )
    )


def _digests(document: bytes) -> Iterator[tuple[str, str]]:
    for kind, text in _INLINE.findall(document):
        yield kind.decode(), f"'sha256-{base64.b64encode(hashlib.sha256(text).digest()).decode()}'"

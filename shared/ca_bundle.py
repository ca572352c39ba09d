"""A certificate authority of the user's own, trusted beside the public ones by every library that uses requests."""

import os
from pathlib import Path

import certifi

VARIABLE = "REQUESTS_CA_BUNDLE"  # https://requests.readthedocs.io/en/latest/user/advanced/#ssl-cert-verification

_bundles: dict[str, frozenset[str]] = {}
"""The files that each bundle was made of."""


def trust(ca_file: str) -> None:
    """Trust `ca_file` beside what this process trusts already.

    The connector takes no bundle as an argument: only the variable, which its copy of requests and everybody else's
    read, and which replaces the public authorities. So the whole bundle is written into memory, and is gone with the
    process; its path names the process, for workers inherit the variable.
    """
    present = os.environ.get(VARIABLE) or certifi.where()
    files = _bundles.get(present, frozenset())
    if ca_file in files:
        return
    known = Path(present).read_bytes()
    bundle = os.memfd_create("ca_bundle")
    with os.fdopen(os.dup(bundle), "wb") as file:
        file.write(known + b"\n" + Path(ca_file).read_bytes())
    os.environ[VARIABLE] = path = f"/proc/{os.getpid()}/fd/{bundle}"
    _bundles[path] = files | {ca_file}

"""A certificate authority of the user's own, trusted beside the public ones by every library that uses requests."""

import os
from pathlib import Path

import certifi

VARIABLE = "REQUESTS_CA_BUNDLE"  # https://requests.readthedocs.io/en/latest/user/advanced/#ssl-cert-verification

_bundles: dict[str, str] = {}
"""The bundle made for each file."""


def trust(ca_file: str) -> None:
    """Trust `ca_file` beside what this process trusts already.

    The connector takes no bundle as an argument: only the variable, which its copy of requests and everybody else's
    read, and which replaces the public authorities. So the whole bundle is written into memory, and is gone with the
    process; its path names the process, for workers inherit the variable.
    """
    if ca_file in _bundles and os.environ.get(VARIABLE) == _bundles[ca_file]:
        return
    known = Path(os.environ.get(VARIABLE) or certifi.where()).read_bytes()
    bundle = os.memfd_create("ca_bundle")
    with os.fdopen(os.dup(bundle), "wb") as file:
        file.write(known + b"\n" + Path(ca_file).read_bytes())
    os.environ[VARIABLE] = _bundles[ca_file] = f"/proc/{os.getpid()}/fd/{bundle}"

"""A certificate authority of the user's own, trusted beside the public ones by every library that uses requests."""

import os
from pathlib import Path

import certifi

VARIABLE = "REQUESTS_CA_BUNDLE"  # https://requests.readthedocs.io/en/latest/user/advanced/#ssl-cert-verification

_bundles: dict[str, frozenset[str]] = {}
"""The files that each bundle was made of."""


def trusted() -> str:
    """The file with the certificate authorities that this process trusts now."""
    return os.environ.get(VARIABLE) or certifi.where()


def trust(ca_file: str) -> None:
    """Trust `ca_file` beside what this process trusts already.

    Libraries that use requests, Snowflake's connector 4.x among them, take no bundle as an argument. They read only the
    variable, which replaces the public authorities. So the whole bundle is written into memory and ends with the
    process. Its path names the process, because workers inherit the variable.
    """
    present = trusted()
    files = _bundles.get(present, frozenset())
    if ca_file in files:
        return
    known = Path(present).read_bytes()
    bundle = os.memfd_create("ca_bundle")
    with os.fdopen(os.dup(bundle), "wb") as file:
        file.write(known + b"\n" + Path(ca_file).read_bytes())
    os.environ[VARIABLE] = path = f"/proc/{os.getpid()}/fd/{bundle}"
    _bundles[path] = files | {ca_file}

"""A certificate authority of the user's own, trusted beside the public ones by every library that uses requests."""

import os
from pathlib import Path

import certifi

from shared.errors import ConfigurationError

PROC = Path("/proc/self")
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
    Raises `ConfigurationError` where there is no /proc.
    """
    present = trusted()
    files = _bundles.get(present, frozenset())
    if ca_file in files:
        return
    if not PROC.exists():
        raise ConfigurationError(
            f"{ca_file} cannot be used", f"there is no {PROC}, as in a bare chroot", "Mount /proc."
        )
    known = Path(present).read_bytes()
    bundle = os.memfd_create("ca_bundle")
    with os.fdopen(os.dup(bundle), "wb") as file:
        file.write(known + b"\n" + Path(ca_file).read_bytes())
    os.environ[VARIABLE] = path = f"/proc/{os.getpid()}/fd/{bundle}"
    _bundles[path] = files | {ca_file}

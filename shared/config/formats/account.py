"""A Snowflake account in the forms that people paste: its name, which signs in, and its host, which is connected to.

https://docs.snowflake.com/en/user-guide/admin-account-identifier
"""

import re
from dataclasses import dataclass

DOMAINS = ("snowflakecomputing.com", "snowflakecomputing.cn")

# `ORGANIZATION-ACCOUNT`, or a locator with region and cloud: `xy12345.eu-west-1.aws`, `….privatelink`
_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(?:\.[A-Za-z0-9][A-Za-z0-9_-]*){0,3}")
_HOST = re.compile(rf"(?:https?://)?([^/:?#@]+)\.({'|'.join(map(re.escape, DOMAINS))})(?:/.*)?", re.IGNORECASE)
# Snowsight names the organization, or the region of a locator, before the account.
_SNOWSIGHT = re.compile(r"(?:https?://)?app\.snowflake\.(com|cn)/([^/?#]+)/([^/?#]+)(?:[/?#].*)?", re.IGNORECASE)
_ADDRESS = re.compile(r"[\d.]*\.[\d.]*")
# Of container images, beside the account:
# https://docs.snowflake.com/en/developer-guide/snowpark-container-services/working-with-registry-repository
_REGISTRY = "registry"
_NOT_REGIONS = ("global", "privatelink")


@dataclass(frozen=True, slots=True)
class Account:
    """Where an account is and what it is called."""

    name: str
    """`ORGANIZATION-ACCOUNT` or the locator alone, as the token of a key pair has it."""
    host: str


def parse(text: str) -> Account:
    """Read an account identifier, the account's address, or the address of its page in Snowsight.

    Raises ValueError with the reason in plain English.
    """
    if found := _SNOWSIGHT.fullmatch(text):
        top, before, account = found.groups()
        domain = DOMAINS[1] if top.lower() == "cn" else None
        # A region has a hyphen and stands behind its locator; an organization has none, and stands before its account.
        return _account(f"{account}.{before}" if "-" in before else f"{before}-{account}", domain)
    found = _HOST.fullmatch(text)
    if found and _REGISTRY not in found[1].lower().split(".")[1:]:
        return _account(found[1], found[2].lower())
    if text.lower().startswith(("http:", "https:")) or "snowflakecomputing" in text.lower():
        raise ValueError("is not the address of an account; a port, or another address, belongs in SNOWFLAKE_URL")
    return _account(text)


def host_of(host: str) -> str:
    """The spelling of a host name that Snowflake's certificates fit: a wildcard covers no `_`, so it answers to `-`.

    https://docs.snowflake.com/en/user-guide/admin-account-identifier#account-names-with-underscores. Other hosts stay.
    """
    return host.replace("_", "-") if host.lower().endswith(DOMAINS) else host


def _account(identifier: str, domain: str | None = None) -> Account:
    if not _IDENTIFIER.fullmatch(identifier) or _ADDRESS.fullmatch(identifier):
        raise ValueError("must be ORGANIZATION-ACCOUNT (or a locator with its region)")
    name, *rest = identifier.split(".")
    if rest and "-" not in rest[0] and rest[0].lower() not in _NOT_REGIONS:
        # Regions have hyphens and account names have none: the form of SQL, and of Snowsight's copy button.
        name, rest = f"{name}-{rest[0]}", rest[1:]
    in_china = bool(rest) and rest[0].lower().startswith("cn-")
    host = ".".join((name, *rest, domain or DOMAINS[in_china])).lower()
    if rest[:1] and rest[0].lower() == "global":
        name = name.rpartition("-")[0] or name  # what follows is the connection's, not the account's
    return Account(name, host_of(host))

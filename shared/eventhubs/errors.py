"""Errors of the Azure SDK, translated into ours by the table of `shared.eventhubs.error_rules`."""

import re
import socket
import ssl
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from shared.clock import utc
from shared.errors import Bug, EvsupError, SourceUnavailable
from shared.eventhubs.error_rules import RULES, Credential
from shared.eventhubs.sdk_error import SdkError, chain_of, read_error
from shared.limits import limit_error
from shared.model import ConsumerGroup

SKEW_S = 300
"""Seconds between two clocks that are worth mentioning: tokens live for an hour, and begin a few minutes early."""
HANDSHAKE_S = 2.0
# The service's clock is in its own texts, with other things to ask its support with.
_SERVER_TIME = re.compile(r"Timestamp: ?(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)")
_TOKEN_END = re.compile(r"Expiration time: '?(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)")


@dataclass(frozen=True, slots=True)
class Access:
    """How the hub is reached: what a person can change."""

    group: ConsumerGroup
    signs_in_with: Literal["key", "signature", "identity"]
    expires_s: float | None = None
    """Unix time at which the signature ends; None: it is no signature."""
    without_tls: tuple[str, int] | None = None
    """Host and port of an emulator; None: TLS is spoken, as everywhere else."""

    def credential(self, now_s: float) -> Credential:
        """What it signs in with, and whether that has ended by this host's clock. `now_s` is Unix time."""
        return "expired signature" if self.expires_s is not None and self.expires_s <= now_s else self.signs_in_with


def translate(error: Exception, what: str, access: Access) -> EvsupError:
    """The error as one of ours; `what` failed. An error of ours, also below what the SDK made of it, keeps its reason.

    Blocks for two seconds at most, to see whether a port without TLS speaks TLS after all.
    """
    if isinstance(error, EvsupError):
        return error
    for each in chain_of(error):
        if isinstance(each, EvsupError):
            return type(each)(what, f"{each.what}: {each.why}" if each.why else each.what, each.fix)
    found = read_error(error)
    if found.cause == "network" and access.without_tls and speaks_tls(*access.without_tls):
        found = replace(found, cause="plain")
    failure = decide(found, what, access, time.time())
    # Where waiting may help it is waited for, whatever the kernel refuses.
    return (limit_error(error, what) if isinstance(failure, Bug) else None) or failure


def decide(error: SdkError, what: str, access: Access, now_s: float) -> EvsupError:
    """What the first matching row of the table says. An error that matches none is not the SDK's, and a bug.

    `now_s` is Unix time by this host's clock.
    """
    for rule in RULES:
        if rule.when.matches(error, access.credential(now_s)):
            facts = facts_of(error, access, now_s)
            why = f"{rule.why.format(**facts)}: {error.text}" if rule.why else error.text
            skew = "" if "{clocks}" in rule.why else _skew(error, now_s)
            return rule.error(what, why + skew, rule.fix.format(**facts))
    return Bug(what, error.text)


def speaks_tls(host: str, port: int) -> bool:
    """Whether a port answers a TLS handshake, which tells more than that it hung up on anything else."""
    anybody = ssl._create_unverified_context()  # noqa: S323 (nothing is sent to it)
    try:
        with socket.create_connection((host, port), HANDSHAKE_S) as raw:
            anybody.wrap_socket(raw, server_hostname=host).close()
    except ssl.SSLError as error:
        return error.reason != "WRONG_VERSION_NUMBER"
    except OSError:
        return False
    return True


def is_passing(error: EvsupError) -> bool:
    """Whether opening the receiver again, a little later, may help."""
    return isinstance(error, SourceUnavailable)


def facts_of(error: SdkError, access: Access, now_s: float) -> dict[str, str]:
    """What the rows of the table may name in braces."""
    server_s = _time_in(_SERVER_TIME, error.text)
    end_s = access.expires_s or _time_in(_TOKEN_END, error.text)
    server = f"and that of Event Hubs {utc(server_s)}" if server_s else "and Event Hubs calls a new token expired"
    return {
        "namespace": access.group.fully_qualified_namespace,
        "hub": access.group.eventhub_name,
        "group": access.group.consumer_group,
        "expires": utc(end_s) if end_s else "a time that it does not say",
        "now": utc(now_s),
        "clocks": f"it says {utc(now_s)}, {server}",
    }


def _skew(error: SdkError, now_s: float) -> str:
    server_s = _time_in(_SERVER_TIME, error.text)
    if error.cause not in ("put-token", "management") or server_s is None or abs(now_s - server_s) < SKEW_S:
        return ""
    return f" (the clock of this host says {utc(now_s)})"


def _time_in(pattern: re.Pattern[str], text: str) -> float | None:
    """The Unix time that a text names; None when it names none, or an impossible one."""
    try:
        found = pattern.search(text)
        return datetime.fromisoformat(found[1]).replace(tzinfo=UTC).timestamp() if found else None
    except (ValueError, OverflowError):
        return None

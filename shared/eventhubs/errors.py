"""What the Azure SDK raises, in our words: a table from what is proven to what a person can do.

The class of the error, the AMQP condition and the status decide; a text decides last, and only the service's own.
Conditions: https://learn.microsoft.com/azure/event-hubs/event-hubs-amqp-troubleshoot
"""

import re
import socket
import ssl
import time
from collections.abc import Container
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from shared.errors import (
    Bug,
    ConfigurationError,
    EvsupError,
    NotPermitted,
    OwnershipLost,
    ResumeRefused,
    SourceUnavailable,
)
from shared.eventhubs.evidence import Cause, Evidence, chain_of, evidence_of
from shared.model import ConsumerGroup

SKEW_S = 300
"""Seconds between two clocks that are worth a word: tokens live for an hour, and begin a few minutes early."""
HANDSHAKE_S = 2.0
# OpenSSL's codes: https://docs.openssl.org/3.0/man3/X509_STORE_CTX_get_error/
_OUT_OF_DATE, _OTHER_NAME, _STRICT = (9, 10), (62, 64), range(80, 95)
_REFUSED = (400, 401, 403)
# The service's clock is in its own texts, with other things to ask its support with.
_SERVER_TIME = re.compile(r"Timestamp: ?(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)")
_TOKEN_END = re.compile(r"Expiration time: '?(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)")


Credential = Literal["key", "signature", "expired signature", "identity"]


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
        """What it signs in with, and whether that is over by this host's clock."""
        return "expired signature" if self.expires_s is not None and self.expires_s <= now_s else self.signs_in_with


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One row: what has to be proven (nothing named: anything), and the error it makes."""

    causes: tuple[Cause, ...] = ()
    conditions: tuple[str, ...] = ()
    numbers: Container[int] | None = None
    text: str = ""
    """A regular expression that the service's text must contain: the last resort."""
    credential: Credential | None = None
    error: type[EvsupError]
    words: str = ""
    fix: str

    def matches(self, evidence: Evidence, credential: Credential) -> bool:
        """Whether this row is about that."""
        return (
            (not self.causes or evidence.cause in self.causes)
            and (not self.conditions or evidence.condition in self.conditions)
            and (self.numbers is None or evidence.number in self.numbers)
            and (not self.text or re.search(self.text, evidence.text) is not None)
            and self.credential in (None, credential)
        )


def translated(error: Exception, what: str, access: Access) -> EvsupError:
    """An error as one of ours. One that is ours already, also below what the SDK made of it, keeps its reason."""
    if isinstance(error, EvsupError):
        return error
    for each in chain_of(error):
        if isinstance(each, EvsupError):
            return type(each)(what, f"{each.what}: {each.why}" if each.why else each.what, each.fix)
    evidence = evidence_of(error)
    if evidence.cause == "network" and access.without_tls and speaks_tls(*access.without_tls):
        evidence = replace(evidence, cause="plain")
    return decided(evidence, what, access, time.time())


def decided(evidence: Evidence, what: str, access: Access, now_s: float) -> EvsupError:
    """The first row of the table that matches; what matches none is not the SDK's, and a bug."""
    for rule in RULES:
        if rule.matches(evidence, access.credential(now_s)):
            facts = _facts(evidence, access, now_s)
            why = f"{rule.words.format(**facts)}: {evidence.text}" if rule.words else evidence.text
            skew = "" if "{clocks}" in rule.words else _skew(evidence, now_s)
            return rule.error(what, why + skew, rule.fix.format(**facts))
    return Bug(what, evidence.text)


def speaks_tls(host: str, port: int) -> bool:
    """Whether a port answers a TLS handshake, which says more than that it hung up on anything else."""
    anybody = ssl._create_unverified_context()  # noqa: S323 (nothing is said to it)
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


def utc(moment_s: float) -> str:
    """A time as a person compares it with the `date -u` of a host."""
    return f"{datetime.fromtimestamp(moment_s, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _facts(evidence: Evidence, access: Access, now_s: float) -> dict[str, str]:
    server_s = _moment(_SERVER_TIME, evidence.text)
    end_s = access.expires_s or _moment(_TOKEN_END, evidence.text)
    server = f"and that of Event Hubs {utc(server_s)}" if server_s else "and Event Hubs counts a token of now as over"
    return {
        "namespace": access.group.fully_qualified_namespace,
        "hub": access.group.eventhub_name,
        "group": access.group.consumer_group,
        "expires": utc(end_s) if end_s else "a time that it does not say",
        "now": utc(now_s),
        "clocks": f"it says {utc(now_s)}, {server}",
    }


def _skew(evidence: Evidence, now_s: float) -> str:
    server_s = _moment(_SERVER_TIME, evidence.text)
    if evidence.cause not in ("put-token", "management") or server_s is None or abs(now_s - server_s) < SKEW_S:
        return ""
    return f" (the clock of this host says {utc(now_s)})"


def _moment(pattern: re.Pattern[str], text: str) -> float | None:
    """Unix time of what a text says; None when it says none, or one that cannot be."""
    try:
        found = pattern.search(text)
        return datetime.fromisoformat(found[1]).replace(tzinfo=UTC).timestamp() if found else None
    except (ValueError, OverflowError):
        return None


# --- the table --------------------------------------------------------------------------------------------------------

_BROKER: tuple[Cause, ...] = ("put-token", "management", "link", "connection", "sdk")
_NAMES = "Check EVENTHUB_NAME={hub} and EVENTHUB_CONSUMER_GROUP={group} on {namespace}."
_KEY = (
    "Copy EVENTHUB_CONNECTION_STRING again (in the portal: {namespace}, Shared access policies), of a policy with the"
    " claim Listen."
)
_ROLE = "Grant the identity the role 'Azure Event Hubs Data Receiver' on {namespace}; a new grant takes some minutes."
_NEW_SIGNATURE = "Put a new signature or a key into EVENTHUB_CONNECTION_STRING, or leave it empty and use an identity."
_CLOCK = "Set the clock of this host (`timedatectl` shows whether it is synchronised)."
STRICT_FIX = (
    "Have the authority in EVENTHUB_CA_FILE issued anew with what is missing (key usage keyCertSign, key identifiers),"
    " or run evsup with Python 3.12."
)
_HOST = (
    "Correct the host in EVENTHUB_NAMESPACE or EVENTHUB_CONNECTION_STRING ({namespace}), in EVENTHUB_CUSTOM_ENDPOINT or"
    " EVENTHUB_PROXY: the parts between its dots have 1 to 63 characters each."
)
# Event Hubs says so of a hub or a consumer group that is not there.
_NO_ENTITY = "could not be found|[Ss]tatus.[Cc]ode: 404"
_REACH = "Check that {namespace} can be reached from this host."
_PARTITIONS = "`evsup check` lists the partitions. A hub that was created again with fewer has no place for the others."

RULES: tuple[Rule, ...] = (
    Rule(causes=("partition",), error=ConfigurationError, words="the hub has no such partition", fix=_PARTITIONS),
    Rule(
        causes=("identity",),
        error=NotPermitted,
        words="no token could be had",
        fix="Check how this host signs in, or set EVENTHUB_CONNECTION_STRING.",
    ),
    # --- before the service has said anything -------------------------------------------------------------------------
    Rule(
        causes=("certificate",),
        numbers=_OUT_OF_DATE,
        error=ConfigurationError,
        words="the certificate does not hold now, which is {now} by the clock of this host",
        fix="Set the clock of this host, or have the certificate of {namespace} renewed.",
    ),
    Rule(
        causes=("certificate",),
        numbers=_OTHER_NAME,
        error=ConfigurationError,
        words="the certificate is one of another name",
        fix="Set EVENTHUB_CUSTOM_ENDPOINT, or the namespace, to a name that the certificate has.",
    ),
    Rule(
        causes=("certificate",),
        numbers=_STRICT,
        error=ConfigurationError,
        words="Python 3.13 and later refuse a certificate that is not strictly X.509 (RFC 5280)",
        fix=STRICT_FIX,
    ),
    Rule(
        causes=("certificate",),
        error=ConfigurationError,
        words="the certificate is not trusted",
        fix="Set EVENTHUB_CA_FILE to the CA that signed the certificate (a private link, an inspecting proxy), and"
        " check EVENTHUB_CUSTOM_ENDPOINT.",
    ),
    Rule(
        causes=("tls",),
        text="WRONG_VERSION_NUMBER",
        error=ConfigurationError,
        words="the port does not speak TLS",
        fix="Add UseDevelopmentEmulator=true to EVENTHUB_CONNECTION_STRING for an emulator, or give the port of TLS.",
    ),
    Rule(
        causes=("plain",),
        error=ConfigurationError,
        words="the port speaks TLS, which UseDevelopmentEmulator=true in EVENTHUB_CONNECTION_STRING turns off",
        fix="Leave UseDevelopmentEmulator=true out, or give the emulator's port without TLS.",
    ),
    Rule(
        causes=("name",),
        error=SourceUnavailable,
        words="the name of the host is not known here",
        fix="Check the spelling of {namespace}, and the name servers of this host.",
    ),
    Rule(causes=("host",), error=ConfigurationError, words="the name of the host cannot be one", fix=_HOST),
    Rule(causes=("sdk",), text="'idna' codec", error=ConfigurationError, fix=_HOST),
    Rule(causes=("network", "tls"), error=SourceUnavailable, fix=_REACH),
    # --- the AMQP condition -------------------------------------------------------------------------------------------
    Rule(
        conditions=("link:stolen",),
        error=OwnershipLost,
        fix="Another reader with a higher owner level took the partition.",
    ),
    Rule(
        conditions=("argument-out-of-range",),
        error=ConfigurationError,
        words="the hub has no such partition",
        fix=_PARTITIONS,
    ),
    Rule(
        conditions=("entity-disabled",),
        error=ConfigurationError,
        words="the event hub is disabled",
        fix="Set the status of {hub} on {namespace} to Active.",
    ),
    Rule(conditions=("resource-deleted",), error=ConfigurationError, fix=_NAMES),
    Rule(conditions=("not-found",), text=_NO_ENTITY, error=ConfigurationError, fix=_NAMES),
    # Without an entity the link moves between the service's nodes, which passes. The Azure SDKs tell the two apart by
    # the text, too: ExceptionUtil.java in https://github.com/Azure/azure-sdk-for-java/tree/main/sdk/core/azure-core-amqp
    Rule(conditions=("not-found",), error=SourceUnavailable, fix=_REACH),
    Rule(
        conditions=("resource-limit-exceeded",),
        text="receivers per partition",
        error=ConfigurationError,
        words="others read this partition in the same consumer group, and Event Hubs allows five receivers",
        fix="Give evsup a consumer group of its own (now EVENTHUB_CONSUMER_GROUP={group}), or stop the other readers.",
    ),
    Rule(
        conditions=("resource-limit-exceeded",),
        error=SourceUnavailable,
        words="a quota of {namespace} is used up",
        fix="Stop clients that are not needed, or raise the quota: https://aka.ms/event-hubs-quotas.",
    ),
    Rule(
        causes=("link",),
        conditions=("unauthorized-access",),
        text="^ExpiredToken",  # a new link brings a new token, or the reason why there is none
        error=SourceUnavailable,
        words="the token ran out",
        fix=_REACH,
    ),
    # --- the status ---------------------------------------------------------------------------------------------------
    Rule(causes=("put-token", "management"), numbers=(404,), error=ConfigurationError, fix=_NAMES),
    Rule(
        causes=("management",),
        numbers=(400,),
        error=ConfigurationError,
        words="the hub has no such partition, or is disabled",
        fix=_PARTITIONS,
    ),
    Rule(
        causes=("put-token",),
        numbers=_REFUSED,
        text="ExpiredToken",
        credential="expired signature",
        error=NotPermitted,
        words="the signature in EVENTHUB_CONNECTION_STRING expired at {expires}",
        fix=_NEW_SIGNATURE,
    ),
    Rule(
        causes=("put-token",),
        numbers=_REFUSED,
        text="ExpiredToken",
        error=NotPermitted,
        words="the clock of this host is behind: {clocks}",
        fix=_CLOCK,
    ),
    Rule(
        causes=("put-token",),
        text="LocalAuthDisabled",
        error=NotPermitted,
        words="{namespace} takes no keys and no signatures (local authentication is disabled)",
        fix="Leave EVENTHUB_CONNECTION_STRING empty and sign in with an identity: EVENTHUB_NAMESPACE={namespace},"
        " EVENTHUB_NAME={hub}.",
    ),
    Rule(
        causes=_BROKER,
        text="^(401 )?(Ip|IP) has been prevented",
        error=NotPermitted,
        words="the firewall of {namespace} does not let this host in",
        fix="Add the address of this host to its networks, or use its private endpoint (EVENTHUB_CUSTOM_ENDPOINT).",
    ),
    Rule(
        causes=("put-token",),
        text="InvalidIssuer",
        error=NotPermitted,
        words="the identity is one of another tenant than {namespace}",
        fix="Sign in with an identity of its tenant (AZURE_TENANT_ID, or a managed identity there).",
    ),
    Rule(
        causes=("put-token",),
        text="InvalidAudience",
        credential="identity",
        error=NotPermitted,
        words="the token is one for another service or cloud",
        fix="Check AZURE_AUTHORITY_HOST and that {namespace} is in the same cloud.",
    ),
    Rule(
        causes=("put-token",),
        text="InvalidAudience|MalformedToken|InvalidSignature",
        credential="signature",
        error=NotPermitted,
        words="the signature in EVENTHUB_CONNECTION_STRING is not one for this hub",
        fix=_NEW_SIGNATURE,
    ),
    Rule(
        causes=("put-token",),
        text="is currently disabled",
        error=ConfigurationError,
        words="the event hub is disabled",
        fix="Set the status of {hub} on {namespace} to Active.",
    ),
    # --- a grant ------------------------------------------------------------------------------------------------------
    Rule(
        causes=("put-token", "management"),
        numbers=_REFUSED,
        credential="identity",
        error=NotPermitted,
        words="the identity may not receive",
        fix=_ROLE,
    ),
    Rule(
        causes=("put-token", "management"),
        numbers=_REFUSED,
        error=NotPermitted,
        words="the credential in EVENTHUB_CONNECTION_STRING is refused",
        fix=_KEY,
    ),
    Rule(
        conditions=("unauthorized-access", "auth-failed"),
        credential="identity",
        error=NotPermitted,
        words="the identity may not receive",
        fix=_ROLE,
    ),
    Rule(
        conditions=("unauthorized-access", "auth-failed"),
        error=NotPermitted,
        words="the policy in EVENTHUB_CONNECTION_STRING may not receive",
        fix=_KEY,
    ),
    # --- the text, where there is nothing else ------------------------------------------------------------------------
    Rule(
        causes=_BROKER,
        text="supplied sequence number|supplied offset",
        error=ResumeRefused,
        fix="The hub was recreated or failed over: its sequence numbers are not the ones of the checkpoint."
        " Run `evsup check`: it names the command that resolves this.",
    ),
    Rule(
        causes=_BROKER,
        text="link:stolen|higher epoch|non-epoch receiver is not allowed",
        error=OwnershipLost,
        fix="Another reader with a higher owner level took the partition.",
    ),
    Rule(causes=_BROKER, text=_NO_ENTITY, error=ConfigurationError, fix=_NAMES),
    Rule(causes=("sdk",), text="unauthorized-access", error=NotPermitted, fix=_ROLE),
    Rule(causes=(*_BROKER, "token"), error=SourceUnavailable, fix=_REACH),
)

"""Which error of ours an error of the Azure SDK becomes, and what a person can do: one table, read from top to bottom.

The class of the error, the AMQP condition and the status decide. A text decides last, and only one of the service.
https://learn.microsoft.com/azure/event-hubs/event-hubs-amqp-troubleshoot
"""

import re
from collections.abc import Container
from dataclasses import dataclass
from typing import Literal

from shared.errors import (
    ConfigurationError,
    EvsupError,
    NotPermitted,
    OwnershipLost,
    ResumeRefused,
    SourceThrottled,
    SourceUnavailable,
)
from shared.eventhubs.sdk_error import Cause, SdkError

Credential = Literal["key", "signature", "expired signature", "identity"]


@dataclass(frozen=True, slots=True)
class When:
    """What an error must say of itself; what is empty here may be anything."""

    causes: tuple[Cause, ...] = ()
    conditions: tuple[str, ...] = ()
    numbers: Container[int] | None = None
    """A status of the service, or a code of OpenSSL."""
    text: str = ""
    """A regular expression that must be found in the text."""
    credential: Credential | None = None
    """What evsup signs in with."""

    def matches(self, error: SdkError, credential: Credential) -> bool:
        """Whether the error is one of these."""
        return (
            (not self.causes or error.cause in self.causes)
            and (not self.conditions or error.condition in self.conditions)
            and (self.numbers is None or error.number in self.numbers)
            and (not self.text or re.search(self.text, error.text) is not None)
            and self.credential in (None, credential)
        )


@dataclass(frozen=True, slots=True)
class Rule:
    """One row. `why` comes before what the SDK said. Names in braces are those of `errors.facts_of`."""

    when: When
    error: type[EvsupError]
    why: str
    fix: str


def when(
    *causes: Cause,
    conditions: tuple[str, ...] = (),
    numbers: Container[int] | None = None,
    text: str = "",
    credential: Credential | None = None,
) -> When:
    """The first column of a row."""
    return When(causes, conditions, numbers, text, credential)


# --- what a person can do ---------------------------------------------------------------------------------------------

_ACTIVATE = "Set the status of {hub} on {namespace} to Active."
_AUTHORITY = "Check AZURE_AUTHORITY_HOST and that {namespace} is in the same cloud."
_CA_FILE = (
    "Set EVENTHUB_CA_FILE to the CA that signed the certificate (a private link, an inspecting proxy), and check"
    " EVENTHUB_CUSTOM_ENDPOINT."
)
_CERTIFICATE_NAME = "Set EVENTHUB_CUSTOM_ENDPOINT, or the namespace, to a name that the certificate has."
_CLOCK = "Set the clock of this host (`timedatectl` shows whether it is synchronised)."
_CLOCK_OR_CERTIFICATE = "Set the clock of this host, or have the certificate of {namespace} renewed."
_EMULATOR = "Add UseDevelopmentEmulator=true to EVENTHUB_CONNECTION_STRING for an emulator, or give the port of TLS."
_FIREWALL = "Add the address of this host to its networks, or use its private endpoint (EVENTHUB_CUSTOM_ENDPOINT)."
_HOST = (
    "Correct the host in EVENTHUB_NAMESPACE or EVENTHUB_CONNECTION_STRING ({namespace}), in EVENTHUB_CUSTOM_ENDPOINT or"
    " EVENTHUB_PROXY: the parts between its dots have 1 to 63 characters each."
)
_IDENTITY = (
    "Leave EVENTHUB_CONNECTION_STRING empty and sign in with an identity: EVENTHUB_NAMESPACE={namespace},"
    " EVENTHUB_NAME={hub}."
)
_KEY = (
    "Copy EVENTHUB_CONNECTION_STRING again (in the portal: {namespace}, Shared access policies), of a policy with the"
    " claim Listen."
)
_NAMES = "Check EVENTHUB_NAME={hub} and EVENTHUB_CONSUMER_GROUP={group} on {namespace}."
_NEW_SIGNATURE = "Put a new signature or a key into EVENTHUB_CONNECTION_STRING, or leave it empty and use an identity."
_NO_EMULATOR = "Leave UseDevelopmentEmulator=true out, or give the emulator's port without TLS."
_OTHER_RECEIVER = "Another receiver with a higher owner level took the partition."
_OWN_GROUP = (
    "Give evsup a consumer group of its own (now EVENTHUB_CONSUMER_GROUP={group}), or stop the other receivers."
)
_PARTITIONS = "`evsup check` lists the partitions. A hub that was created again with fewer has no place for the others."
_QUOTA = "Stop clients that are not needed, or raise the quota: https://aka.ms/event-hubs-quotas."
_REACH = "Check that {namespace} can be reached from this host."
_RECREATED = (
    "The hub was recreated or failed over: its sequence numbers are not the ones of the checkpoint. Run `evsup check`:"
    " it names the command that resolves this."
)
_ROLE = "Grant the identity the role 'Azure Event Hubs Data Receiver' on {namespace}; a new grant takes some minutes."
_SIGN_IN = "Check how this host signs in, or set EVENTHUB_CONNECTION_STRING."
_SPELLING = "Check the spelling of {namespace}, and the name servers of this host."
_THROUGHPUT = (
    "Nothing is lost; it is tried again. If it goes on, raise the throughput or processing units of {namespace}:"
    " https://aka.ms/event-hubs-scalability."
)
_TENANT = "Sign in with an identity of its tenant (AZURE_TENANT_ID, or a managed identity there)."
STRICT_FIX = (
    "Have the authority in EVENTHUB_CA_FILE issued anew with what is missing (key usage keyCertSign, key identifiers),"
    " or run evsup with Python 3.12."
)

# --- what an error says -----------------------------------------------------------------------------------------------

# OpenSSL's codes: https://docs.openssl.org/3.0/man3/X509_STORE_CTX_get_error/
_OUT_OF_DATE, _OTHER_NAME, _STRICT = (9, 10), (62, 64), range(80, 95)
_REFUSED = (400, 401, 403)
_BROKER: tuple[Cause, ...] = ("put-token", "management", "link", "connection", "sdk")
_UNAUTHORIZED = ("unauthorized-access", "auth-failed")
_LIMIT = ("resource-limit-exceeded",)
_NOT_FOUND = ("not-found",)
# Event Hubs says so of a hub or a consumer group that does not exist. Without an entity the link moves between the
# service's nodes, which passes. The Azure SDKs tell the two apart by the text, too: ExceptionUtil.java in
# https://github.com/Azure/azure-sdk-for-java/tree/main/sdk/core/azure-core-amqp
_NO_ENTITY = "could not be found|[Ss]tatus.[Cc]ode: 404"
_FIREWALLED = "^(401 )?(Ip|IP) has been prevented"
_WRONG_SIGNATURE = "InvalidAudience|MalformedToken|InvalidSignature"
_HIGHER_EPOCH = "link:stolen|higher epoch|non-epoch receiver is not allowed"

# --- the table: the first row that matches counts ---------------------------------------------------------------------

RULES: tuple[Rule, ...] = (
    Rule(when("partition"), ConfigurationError, "the hub has no such partition", _PARTITIONS),
    Rule(when("identity"), NotPermitted, "no token was issued", _SIGN_IN),
    # Before the service has answered.
    Rule(
        when("certificate", numbers=_OUT_OF_DATE),
        ConfigurationError,
        "the certificate is expired or not valid yet; the clock of this host says {now}",
        _CLOCK_OR_CERTIFICATE,
    ),
    Rule(
        when("certificate", numbers=_OTHER_NAME),
        ConfigurationError,
        "the certificate is for another host name",
        _CERTIFICATE_NAME,
    ),
    Rule(
        when("certificate", numbers=_STRICT),
        ConfigurationError,
        "Python 3.13 and later refuse a certificate that is not strictly X.509 (RFC 5280)",
        STRICT_FIX,
    ),
    Rule(when("certificate"), ConfigurationError, "the certificate is not trusted", _CA_FILE),
    Rule(when("tls", text="WRONG_VERSION_NUMBER"), ConfigurationError, "the port does not speak TLS", _EMULATOR),
    Rule(
        when("plain"),
        ConfigurationError,
        "the port speaks TLS, which UseDevelopmentEmulator=true in EVENTHUB_CONNECTION_STRING turns off",
        _NO_EMULATOR,
    ),
    Rule(when("name"), SourceUnavailable, "this host cannot resolve the name", _SPELLING),
    Rule(when("host"), ConfigurationError, "the host name is not valid", _HOST),
    Rule(when("sdk", text="'idna' codec"), ConfigurationError, "", _HOST),
    Rule(when("network", "tls"), SourceUnavailable, "", _REACH),
    # The AMQP condition.
    Rule(when(conditions=("link:stolen",)), OwnershipLost, "", _OTHER_RECEIVER),
    Rule(when(conditions=("argument-out-of-range",)), ConfigurationError, "the hub has no such partition", _PARTITIONS),
    Rule(when(conditions=("entity-disabled",)), ConfigurationError, "the event hub is disabled", _ACTIVATE),
    Rule(when(conditions=("resource-deleted",)), ConfigurationError, "", _NAMES),
    Rule(when(conditions=_NOT_FOUND, text=_NO_ENTITY), ConfigurationError, "", _NAMES),
    Rule(when(conditions=_NOT_FOUND), SourceUnavailable, "", _REACH),
    Rule(
        when(conditions=_LIMIT, text="receivers per partition"),
        ConfigurationError,
        "others read this partition in the same consumer group, and Event Hubs allows five receivers",
        _OWN_GROUP,
    ),
    Rule(when(conditions=("server-busy",)), SourceThrottled, "Event Hubs throttles {namespace}", _THROUGHPUT),
    Rule(when(conditions=_LIMIT), SourceUnavailable, "a quota of {namespace} is used up", _QUOTA),
    # A new link brings a new token, or the reason why there is none.
    Rule(
        when("link", conditions=("unauthorized-access",), text="^ExpiredToken"),
        SourceUnavailable,
        "the token ran out",
        _REACH,
    ),
    # The status.
    Rule(when("put-token", "management", numbers=(404,)), ConfigurationError, "", _NAMES),
    Rule(
        when("management", numbers=(400,)),
        ConfigurationError,
        "the hub has no such partition, or is disabled",
        _PARTITIONS,
    ),
    Rule(
        when(
            "put-token",
            numbers=_REFUSED,
            text=f"ExpiredToken|{_WRONG_SIGNATURE}",
            credential="expired signature",
        ),
        NotPermitted,
        "the signature in EVENTHUB_CONNECTION_STRING expired at {expires}",
        _NEW_SIGNATURE,
    ),
    Rule(
        when("put-token", numbers=_REFUSED, text="ExpiredToken"),
        NotPermitted,
        "the clock of this host is behind: {clocks}",
        _CLOCK,
    ),
    Rule(
        when("put-token", text="LocalAuthDisabled"),
        NotPermitted,
        "{namespace} takes no keys and no signatures (local authentication is disabled)",
        _IDENTITY,
    ),
    Rule(
        when(*_BROKER, text=_FIREWALLED),
        NotPermitted,
        "the firewall of {namespace} does not let this host in",
        _FIREWALL,
    ),
    Rule(
        when("put-token", text="InvalidIssuer"),
        NotPermitted,
        "the identity is one of another tenant than {namespace}",
        _TENANT,
    ),
    Rule(
        when("put-token", text="InvalidAudience", credential="identity"),
        NotPermitted,
        "the token is one for another service or cloud",
        _AUTHORITY,
    ),
    Rule(
        when("put-token", text=_WRONG_SIGNATURE, credential="signature"),
        NotPermitted,
        "the signature in EVENTHUB_CONNECTION_STRING is not one for this hub",
        _NEW_SIGNATURE,
    ),
    Rule(when("put-token", text="is currently disabled"), ConfigurationError, "the event hub is disabled", _ACTIVATE),
    # A grant.
    Rule(
        when("put-token", "management", numbers=_REFUSED, credential="identity"),
        NotPermitted,
        "the identity may not receive",
        _ROLE,
    ),
    Rule(
        when("put-token", "management", numbers=_REFUSED),
        NotPermitted,
        "the credential in EVENTHUB_CONNECTION_STRING is refused",
        _KEY,
    ),
    Rule(when(conditions=_UNAUTHORIZED, credential="identity"), NotPermitted, "the identity may not receive", _ROLE),
    Rule(
        when(conditions=_UNAUTHORIZED),
        NotPermitted,
        "the policy in EVENTHUB_CONNECTION_STRING may not receive",
        _KEY,
    ),
    # The text, where there is nothing else.
    Rule(when(*_BROKER, text="supplied sequence number|supplied offset"), ResumeRefused, "", _RECREATED),
    Rule(when(*_BROKER, text=_HIGHER_EPOCH), OwnershipLost, "", _OTHER_RECEIVER),
    Rule(when(*_BROKER, text=_NO_ENTITY), ConfigurationError, "", _NAMES),
    Rule(when("sdk", text="unauthorized-access"), NotPermitted, "", _ROLE),
    Rule(when(*_BROKER, "token"), SourceUnavailable, "", _REACH),
)

"""What the Azure SDK raises, in our words: by its class, its AMQP condition and what the service wrote."""

from azure.core.exceptions import ClientAuthenticationError
from azure.eventhub.exceptions import AuthenticationError, ConnectError, ConnectionLostError, EventHubError

from shared.errors import (
    Bug,
    ConfigurationError,
    EvsupError,
    NotPermitted,
    OwnershipLost,
    ResumeRefused,
    SourceUnavailable,
)
from shared.secret import mask
from shared.store.types import ConsumerGroup

# A link says it in words, the management node by status alone: the SDK loses its description.
NOT_FOUND = ("could not be found", "not-found", "Status code: 404")


def translated(error: Exception, what: str, group: ConsumerGroup) -> EvsupError:
    """The SDK's error as one of ours, by its class, its AMQP condition and what the service wrote.

    Conditions: https://learn.microsoft.com/azure/event-hubs/event-hubs-amqp-troubleshoot
    """
    if isinstance(error, EvsupError):
        return error
    text = " ".join(mask(f"{type(error).__name__}: {error}").split())  # the SDK's has three lines, a reason has one
    for matches, make in _TRANSLATIONS:
        if matches(error, text):
            return make(what, text, group)
    return Bug(what, text)


def is_passing(error: EvsupError) -> bool:
    """Whether opening the receiver again, a little later, may help."""
    return isinstance(error, SourceUnavailable)


def _ownership_lost(what: str, why: str, _: ConsumerGroup) -> EvsupError:
    return OwnershipLost(what, why, "Another reader with a higher owner level took the partition.")


def _not_permitted(what: str, why: str, group: ConsumerGroup) -> EvsupError:
    return NotPermitted(
        what,
        why,
        "Check the key in EVENTHUB_CONNECTION_STRING, or grant the identity the role 'Azure Event Hubs Data Receiver'"
        f" on {group.fully_qualified_namespace}.",
    )


def _not_found(what: str, why: str, group: ConsumerGroup) -> EvsupError:
    return ConfigurationError(
        what,
        why,
        f"Check EVENTHUB_NAME={group.eventhub_name} and EVENTHUB_CONSUMER_GROUP={group.consumer_group}"
        f" on {group.fully_qualified_namespace}.",
    )


def _out_of_range(what: str, why: str, _: ConsumerGroup) -> EvsupError:
    return ResumeRefused(
        what,
        why,
        "The hub was recreated or failed over: its sequence numbers are not the ones of the checkpoint."
        " Run `evsup check`: it names the command that resolves this.",
    )


def _not_trusted(what: str, why: str, _: ConsumerGroup) -> EvsupError:
    return ConfigurationError(
        what,
        why,
        "Set EVENTHUB_CA_FILE to the CA that signed the certificate (a private link, an inspecting proxy), and check"
        " EVENTHUB_CUSTOM_ENDPOINT.",
    )


def _no_host(what: str, why: str, group: ConsumerGroup) -> EvsupError:
    return ConfigurationError(
        what,
        why,
        f"Correct the host in EVENTHUB_NAMESPACE or EVENTHUB_CONNECTION_STRING ({group.fully_qualified_namespace}), in"
        " EVENTHUB_CUSTOM_ENDPOINT or EVENTHUB_PROXY: the parts between its dots have 1 to 63 characters each.",
    )


def _unavailable(what: str, why: str, group: ConsumerGroup) -> EvsupError:
    return SourceUnavailable(what, why, f"Check that {group.fully_qualified_namespace} can be reached from this host.")


def _is_about_identity(error: BaseException | None) -> bool:
    """Also when the SDK has made an `EventHubError` of it: the credential's own error is then its context only.

    https://github.com/Azure/azure-sdk-for-python/blob/main/sdk/eventhub/azure-eventhub/azure/eventhub/_client_base.py
    """
    while error is not None and not isinstance(error, AuthenticationError | ClientAuthenticationError):
        error = error.__context__
    return error is not None


_TRANSLATIONS = (
    (lambda _, text: "link:stolen" in text or "higher epoch" in text, _ownership_lost),
    (lambda _, text: "supplied sequence number" in text or "supplied offset" in text, _out_of_range),
    (lambda _, text: any(sign in text for sign in NOT_FOUND), _not_found),
    (lambda error, text: isinstance(error, UnicodeError) or "'idna' codec" in text, _no_host),
    (lambda _, text: "CERTIFICATE_VERIFY_FAILED" in text, _not_trusted),
    (lambda _, text: "ExpiredToken" in text, _unavailable),  # a new link brings a new token, or the reason why not
    (lambda error, text: _is_about_identity(error) or "unauthorized-access" in text, _not_permitted),
    (
        lambda error, _: isinstance(error, ConnectError | ConnectionLostError | EventHubError | OSError | TimeoutError),
        _unavailable,
    ),
)

"""The identity that signs in to Event Hubs: azure-identity's, with its failures translated into ours.

DefaultAzureCredential tries one way after the other and keeps of each failure no more than a line of text, so that here
a text has to decide. https://learn.microsoft.com/python/api/overview/azure/identity-readme#defaultazurecredential
"""

import base64
import binascii
import json
import logging
import os
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from azure.eventhub.exceptions import EventHubError

from shared import ca_bundle
from shared.clock import Instant, utc
from shared.config.settings import EventHubSettings
from shared.errors import ConfigurationError, EvsupError, NotPermitted, SourceUnavailable
from shared.eventhubs.error_rules import STRICT_FIX
from shared.eventhubs.sdk_error import plain
from shared.fixes import OUT_OF_DATE

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken

# Of a token, for the hub and for its schema registry: https://learn.microsoft.com/azure/event-hubs/authenticate-application
SCOPE = "https://eventhubs.azure.net/.default"
FAILED = "No token for Event Hubs"
CLI_LIMIT_S = 30
AUTHORITY = "AZURE_AUTHORITY_HOST"
CLOCK_SET_S = 60.0  # azure-identity renews tokens five minutes early, so that a smaller step of the clock does no harm


class SignInFailed(EventHubError):
    """No token; its cause is an error of ours. The SDK does not retry an `EventHubError`."""


class Identity:
    """A token credential as the SDK takes one. Use as a context manager.

    Its failures are raised, so azure-identity's own warnings, of many lines each, say nothing more and are left out.
    """

    has_signed_in: ClassVar[bool] = False
    """Whether an identity of this tree ever had a token: then a service that is away is no missing identity.

    The supervisor signs in before it starts workers, and tells each of them.
    """

    def __init__(self, settings: EventHubSettings) -> None:
        """Raises `ConfigurationError` when the AZURE_* variables contradict what they are for."""
        if settings.ca_file:
            ca_bundle.trust(settings.ca_file)  # who inspects the one connection inspects the sign-in, too
        logging.getLogger("azure.identity").setLevel(logging.ERROR)
        self._cli = settings.identity == "azure_cli"
        self._client_id = settings.managed_identity_client_id
        self._begin()

    def _begin(self) -> None:
        try:
            self._credential = _cli() if self._cli else _default(self._client_id)
        except (ValueError, OSError) as error:
            fix = "Correct the AZURE_* variables of this process."
            raise ConfigurationError("The identity cannot be used", plain(str(error)), fix) from error
        self._began = Instant.now()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._credential.close()

    def get_token(self, *scopes: str, **options: Any) -> "AccessToken":
        """A token; blocks for the retries of azure-identity. Raises `SignInFailed`."""
        if abs(Instant.now().set_by_s(self._began)) > CLOCK_SET_S:
            # It keeps tokens until a time of the clock that was set: one that has ended may seem to be good for hours.
            self.close()
            self._begin()
        try:
            token: AccessToken = self._credential.get_token(*scopes, **options)
        except Exception as error:  # noqa: BLE001 (any is a reason not to be signed in)
            reason = translate(
                str(error), cli=self._cli, is_managed=self._client_id is not None, has_signed_in=Identity.has_signed_in
            )
            reason.__cause__ = error
            raise SignInFailed(str(reason)) from reason
        if late := clock_is_ahead(token.token, token.expires_on, time.time()):
            raise SignInFailed(str(late)) from late
        Identity.has_signed_in = True
        return token


def _cli() -> Any:
    """By explicit opt-in only: it forks `az` for every token."""
    from azure.identity import AzureCliCredential

    return AzureCliCredential(process_timeout=CLI_LIMIT_S)


def _default(client_id: str | None) -> Any:
    from azure.identity import DefaultAzureCredential

    # A sign-in host of one's own (a cloud that is not public) cannot be looked up in the public one, which that asks:
    # https://learn.microsoft.com/python/api/azure-identity/azure.identity.defaultazurecredential
    own = {"disable_instance_discovery": True} if os.environ.get(AUTHORITY) else {}
    return DefaultAzureCredential(managed_identity_client_id=client_id, **own)


# --- deciding ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Refusal:
    """One row: what the text has to contain, and the error that it makes."""

    text: str
    error: type[EvsupError]
    why: str
    fix: str


_VALID = "Put a valid secret of the application into AZURE_CLIENT_SECRET; take its value, not its id."
_TRY_AGAIN = "Check that the sign-in service can be reached from this host."
_NOBODY = (
    "Give this host a managed identity, or set AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_CLIENT_SECRET of an"
    " application; or sign in with EVENTHUB_CONNECTION_STRING."
)
_FEDERATED = "Check AZURE_FEDERATED_TOKEN_FILE, the application's federated credentials and the clock of this host."
_NO_TENANT = "the tenant is not known"
_TENANT = "Correct AZURE_TENANT_ID (and AZURE_AUTHORITY_HOST, in a cloud that is not the public one)."
# Numbers: https://learn.microsoft.com/entra/identity-platform/reference-error-codes#aadsts-error-codes
_REFUSALS = (
    _Refusal(
        "CERTIFICATE_VERIFY_FAILED.*(Key Identifier|[Kk]ey [Uu]sage|keyCertSign|Basic Constraints)",
        ConfigurationError,
        "Python 3.13 and later refuse a certificate that is not strictly X.509 (RFC 5280)",
        STRICT_FIX,
    ),
    _Refusal(
        f"CERTIFICATE_VERIFY_FAILED.*({OUT_OF_DATE})",
        ConfigurationError,
        "the certificate of the sign-in service is expired or not valid yet",
        "Set the clock of this host (`timedatectl` shows whether it is synchronised).",
    ),
    _Refusal(
        "CERTIFICATE_VERIFY_FAILED",
        ConfigurationError,
        "the certificate of the sign-in service is not trusted",
        "Set EVENTHUB_CA_FILE to the CA that signed it (an inspecting proxy).",
    ),
    _Refusal(
        r"AADSTS(90006|90012|90024|90033|90055|50196)\b|(HTTP Error|[Ss]tatus): (429|5\d\d)\b|temporarily_unavailable"
        "|Too Many Requests|Bad Gateway|Service Unavailable|Gateway Time-?out",
        SourceUnavailable,
        "the sign-in service cannot answer now",
        _TRY_AGAIN,
    ),
    _Refusal(r"AADSTS(7000215|7000222)\b", NotPermitted, "the client secret is refused", _VALID),
    _Refusal(r"AADSTS(90002|900021|900023)\b", NotPermitted, _NO_TENANT, _TENANT),
    _Refusal(
        r"AADSTS700016\b",
        NotPermitted,
        "the application is not one of the tenant",
        "Correct AZURE_CLIENT_ID or TENANT.",
    ),
    _Refusal(r"AADSTS(700024|70021\d?|7002\d\d)\b", NotPermitted, "the federated token is refused", _FEDERATED),
    _Refusal(r"AADSTS\d+", NotPermitted, "Microsoft Entra ID refuses the identity", _NOBODY),
    _Refusal(
        "Failed to resolve|Failed to establish|Connection refused|Max retries exceeded|[Tt]imed out|Connection aborted"
        "|Remote end closed|Temporary failure in name resolution|Network is unreachable"
        "|Failed to invoke the Azure CLI$",
        SourceUnavailable,
        "the sign-in service does not answer",
        _TRY_AGAIN,
    ),
    _Refusal(
        "No such file or directory",
        ConfigurationError,
        "a file of the identity is not there",
        "Correct AZURE_FEDERATED_TOKEN_FILE or AZURE_CLIENT_CERTIFICATE_PATH, or have the file mounted.",
    ),
    _Refusal(
        "Identity not found|No managed identity found|No identity has been assigned",
        NotPermitted,
        "this host has no such managed identity",
        "Assign the identity to this host, and put its client id into EVENTHUB_MANAGED_IDENTITY_CLIENT_ID.",
    ),
)
_NO_CLI = _Refusal(
    "not found on path",
    NotPermitted,
    "the Azure CLI (`az`) is not installed",
    "Install it and run `az login`, or leave EVENTHUB_IDENTITY empty.",
)
_NO_LOGIN = _Refusal("az login", NotPermitted, "nobody is signed in to the Azure CLI", "Run `az login`.")
# At boot it answers late; where nobody named a managed identity, there may be none and no such endpoint.
# https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token#error-handling
_NO_ENDPOINT = _Refusal(
    "no response from the IMDS endpoint",
    SourceUnavailable,
    "the managed identity endpoint does not answer",
    "Check that 169.254.169.254 can be reached from this host, or leave EVENTHUB_MANAGED_IDENTITY_CLIENT_ID empty.",
)
# MSAL says the same for a tenant that is none and for too many questions: it passes for one that was known before.
_NO_AUTHORITY = _Refusal("Unable to get authority configuration", NotPermitted, _NO_TENANT, _TENANT)
_AWAY = _Refusal("", SourceUnavailable, "the identity signed in earlier, but gets no token now", _TRY_AGAIN)
_NONE = _Refusal("", NotPermitted, "no identity of this host can sign in", _NOBODY)
_SHORT = slice(300)
# `DefaultAzureCredential failed … Attempted credentials:` and a line for each, up to the one that failed.
_ATTEMPT = re.compile(r"^\t(\w+): (.*)$", re.MULTILINE)


def translate(text: str, *, cli: bool = False, is_managed: bool = False, has_signed_in: bool = False) -> EvsupError:
    """What azure-identity says when there is no token, as one of our errors.

    `is_managed`: the settings name a managed identity. `has_signed_in`: an identity of this tree had a token before.
    """
    rows: list[_Refusal] = [
        *_REFUSALS,
        *((_NO_CLI, _NO_LOGIN) if cli else ()),
        *((_NO_ENDPOINT,) if is_managed else ()),
    ]
    rows += [_AWAY] if has_signed_in else [_NO_AUTHORITY, _NONE]
    row = next(row for row in rows if re.search(row.text, text, re.MULTILINE))
    return row.error(FAILED, f"{row.why}: {_in_short(text, row)}", row.fix)


def _in_short(text: str, row: _Refusal) -> str:
    """Of many ways that were tried the one that says why, or else only their names."""
    attempts = _ATTEMPT.findall(text)
    telling = [f"{name}: {said}" for name, said in attempts if row.text and re.search(row.text, said)]
    if telling or not attempts:
        return plain(telling[-1] if telling else text)[_SHORT]
    return "tried " + ", ".join(name.removesuffix("Credential") for name, _ in attempts)


def clock_is_ahead(token: str, expires_on_s: float, now_s: float) -> EvsupError | None:
    """An error when a token is over at once: then the clocks of this host and of who gave it differ."""
    if expires_on_s > now_s:
        return None
    given = _issued_at(token)
    since = f" (given at {given})" if given else ""
    return NotPermitted(
        FAILED,
        f"the clock of this host is ahead: it says {utc(now_s)}, and the token just had ends at {utc(expires_on_s)}"
        f"{since}",
        "Set the clock of this host (`timedatectl` shows whether it is synchronised).",
    )


def _issued_at(token: str) -> str | None:
    """When the sign-in service gave the token, by its own clock.

    https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference
    """
    try:
        part = token.split(".")[1]
        return utc(float(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))["iat"]))
    except (IndexError, KeyError, TypeError, ValueError, OverflowError, OSError, binascii.Error):
        return None

"""An identity that cannot sign in says who has to do what; only a service that is away is worth waiting for.

The sentences are azure-identity's and Microsoft Entra ID's own, as people reported them; each case names where.
"""

import time
from pathlib import Path
from typing import Any, NamedTuple

import azure.identity
import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError
from azure.eventhub.exceptions import EventHubError

from shared.errors import ConfigurationError, EvsupError, NotPermitted, SourceUnavailable
from shared.eventhubs.identity import Identity, SignInFailed, translate
from shared.log.secret import mask
from tests.unit.plain_settings import eventhub

SCOPE = "https://eventhubs.azure.net//.default"
UUID = "11111111-2222-3333-4444-555555555555"


def tried(**attempts: str) -> str:
    """What DefaultAzureCredential says: a line for each way that it tried, up to the one that failed."""
    lines = "".join(f"\n\t{name}Credential: {said}" for name, said in attempts.items())
    return (
        "DefaultAzureCredential failed to retrieve a token from the included credentials.\nAttempted credentials:"
        f"{lines}\nTo mitigate this issue, please refer to the troubleshooting guidelines here at"
        " https://aka.ms/azsdk/python/identity/defaultazurecredential/troubleshoot."
    )


UNAVAILABLE = {
    "Environment": "EnvironmentCredential authentication unavailable. Environment variables are not fully configured.",
    "ManagedIdentity": "ManagedIdentityCredential authentication unavailable, no response from the IMDS endpoint.",
    "AzureCli": "Azure CLI not found on path",
    "AzureDeveloperCli": "Azure Developer CLI could not be found. Please visit https://aka.ms/azure-dev for"
    " installation instructions and then,once installed, authenticate to your Azure account using 'azd auth login'.",
}


class Case(NamedTuple):
    """A sentence, and what has to become of it."""

    name: str
    text: str
    becomes: type[EvsupError]
    why: str
    fix: str
    cli: bool = False
    is_managed: bool = False
    has_signed_in: bool = False


CASES = [
    # https://github.com/Azure/azure-sdk-for-python/issues/28478, and 1.25 on a host without any identity
    Case(
        "nobody at all",
        tried(**UNAVAILABLE),
        NotPermitted,
        "no identity of this host can sign in: tried Environment, ManagedIdentity, AzureCli, AzureDeveloperCli",
        "managed identity, or set AZURE_CLIENT_ID",
    ),
    # https://github.com/Azure/azure-sdk-for-python/issues/35452
    Case(
        "a metadata service that is away while we run",
        tried(**UNAVAILABLE),
        SourceUnavailable,
        "the identity signed in earlier, but gets no token now",
        "reached",
        has_signed_in=True,
    ),
    Case(
        "a metadata service that is slow while the host boots",
        tried(**UNAVAILABLE),
        SourceUnavailable,
        "the managed identity endpoint does not answer: ManagedIdentityCredential",
        "169.254.169.254",
        is_managed=True,
    ),
    Case(
        "a tenant that was known before",
        tried(Environment="Authentication failed: Unable to get authority configuration for https://login.x/y."),
        SourceUnavailable,
        "gets no token now",
        "reached",
        has_signed_in=True,
    ),
    Case(
        "no az", "Azure CLI not found on path", NotPermitted, "(`az`) is not installed", "EVENTHUB_IDENTITY", cli=True
    ),
    Case(
        "az without a login",
        "Please run 'az login' to set up an account",
        NotPermitted,
        "nobody is signed in to the Azure CLI",
        "Run `az login`",
        cli=True,
    ),
    Case("an az that hangs", "Failed to invoke the Azure CLI", SourceUnavailable, "not answer", "reached", cli=True),
    # https://github.com/Azure/sap-automation/issues/418
    Case(
        "a wrong secret",
        tried(
            Environment="Authentication failed: AADSTS7000215: Invalid client secret provided. Ensure the secret being"
            " sent in the request is the client secret value, not the client secret ID, for a secret added to app 'x'."
            "\r\nTrace ID: 6bad\r\nCorrelation ID: 63b8\r\nTimestamp: 2023-02-20 07:21:29Z"
        ),
        NotPermitted,
        "the client secret is refused: EnvironmentCredential: Authentication failed: AADSTS7000215",
        "AZURE_CLIENT_SECRET",
    ),
    # https://github.com/dotnet/sign/issues/849
    Case(
        "a secret of last year",
        tried(Environment="Authentication failed: AADSTS7000222: The provided client secret keys for app 'x' are …"),
        NotPermitted,
        "the client secret is refused",
        "AZURE_CLIENT_SECRET",
    ),
    # https://github.com/Azure/azure-cli/issues/22145
    Case(
        "a tenant that is none",
        tried(
            Environment="Authentication failed: Unable to get authority configuration for"
            " https://login.microsoftonline.com/x. Authority would typically be in a format of"
            " https://login.microsoftonline.com/your_tenant"
        ),
        NotPermitted,
        "the tenant is not known",
        "AZURE_TENANT_ID",
    ),
    # https://learn.microsoft.com/entra/identity-platform/reference-error-codes
    Case(
        "an application of another tenant",
        tried(Environment="Authentication failed: AADSTS700016: Application with identifier 'x' was not found in …"),
        NotPermitted,
        "the application is not one of the tenant",
        "AZURE_CLIENT_ID",
    ),
    # https://github.com/AzureAD/microsoft-authentication-library-for-java/issues/984
    Case(
        "a federated token of yesterday",
        tried(
            WorkloadIdentity="Authentication failed: AADSTS700024: Client assertion is not within its valid time range."
            " Current time: 2025-08-29T05:47:32.1501147Z, assertion valid from 1970-01-01T00:00:00.0000000Z, expiry"
            " time of assertion 2025-08-29T00:30:05.0000000Z."
        ),
        NotPermitted,
        "the federated token is refused",
        "AZURE_FEDERATED_TOKEN_FILE",
    ),
    Case(
        "another refusal",
        tried(
            Environment="Authentication failed: AADSTS53003: Access has been blocked by Conditional Access policies."
        ),
        NotPermitted,
        "Microsoft Entra ID refuses the identity",
        "managed identity",
        has_signed_in=True,
    ),
    Case(
        "a sign-in service that stumbles",
        tried(Environment="Authentication failed: AADSTS90033: A transient error has occurred. Please try again."),
        SourceUnavailable,
        "cannot answer now",
        "reached",
    ),
    Case("503", tried(Environment="Authentication failed: HTTP Error: 503"), SourceUnavailable, "cannot answer", ""),
    # https://github.com/Azure/azure-cli/issues/27941
    Case(
        "a sign-in host without an address",
        tried(
            Environment="Authentication failed: HTTPSConnection(host='login.microsoftonline.com', port=443): Failed to"
            " resolve 'login.microsoftonline.com' ([Errno -2] Name or service not known)"
        ),
        SourceUnavailable,
        "the sign-in service does not answer",
        "reached",
    ),
    Case(
        "a managed identity endpoint that is away",
        tried(
            Environment=UNAVAILABLE["Environment"],
            ManagedIdentity="HTTPConnection(host='127.0.0.1', port=1): Failed to establish a new connection: [Errno"
            " 111] Connection refused",
        ),
        SourceUnavailable,
        "ManagedIdentityCredential: HTTPConnection",
        "reached",
    ),
    # https://github.com/clemensv/real-time-sources/issues/1018
    Case(
        "an identity that the host has not",
        tried(
            **UNAVAILABLE
            | {
                "ManagedIdentity": "ManagedIdentityCredential authentication unavailable, no response from the IMDS"
                " endpoint. Token request error: (invalid_request) Identity not found"
            }
        ),
        NotPermitted,
        "this host has no such managed identity: ManagedIdentityCredential",
        "EVENTHUB_MANAGED_IDENTITY_CLIENT_ID",
    ),
    # https://github.com/python/cpython/issues/138193
    Case(
        "an inspecting proxy whose authority Python 3.13 refuses",
        tried(
            Environment="Authentication failed: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: Missing"
            " Authority Key Identifier (_ssl.c:1032)"
        ),
        ConfigurationError,
        "Python 3.13 and later refuse",
        "issued anew",
    ),
    # OpenSSL's own: https://docs.openssl.org/3.0/man3/X509_STORE_CTX_get_error/
    Case(
        "a clock before the certificate's time",
        tried(
            Environment="Authentication failed: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed:"
            " certificate is not yet valid (_ssl.c:1006)"
        ),
        ConfigurationError,
        "the certificate of the sign-in service is expired or not valid yet",
        "Set the clock of this host",
    ),
    # https://github.com/Azure/azure-sdk-for-python/issues/20883
    Case(
        "an inspecting proxy",
        tried(
            Environment="Authentication failed: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: unable to"
            " get local issuer certificate (_ssl.c:1006)"
        ),
        ConfigurationError,
        "the certificate of the sign-in service is not trusted",
        "EVENTHUB_CA_FILE",
    ),
]


@pytest.mark.parametrize(
    "said",
    [
        "AADSTS90024: RequestBudgetExceededError - A transient error has occurred. Please try again.",
        "AADSTS50196: The server terminated an operation because it encountered a client request loop.",
        "Too Many Requests",
        "Unexpected response (Status: 429)",
        "OIDC Discovery failed on https://login.x/y/openid-configuration. HTTP status: 429, Error: slow down",
        "<html><h1>502 Bad Gateway</h1></html>",
        "<html><h1>503 Service Unavailable</h1></html>",
        "<urlopen error [Errno -3] Temporary failure in name resolution>",
        "[Errno 101] Network is unreachable",
    ],
)
def test_a_sign_in_that_may_succeed_later_is_worth_waiting_for(said: str) -> None:
    assert type(translate(tried(Environment=f"Authentication failed: {said}"))) is SourceUnavailable


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_sentence_of_the_sign_in_says_what_to_do(case: Case) -> None:
    made = translate(case.text, cli=case.cli, is_managed=case.is_managed, has_signed_in=case.has_signed_in)
    assert type(made) is case.becomes
    assert case.why in made.why
    assert case.fix in made.fix
    assert mask(str(made)) == str(made), "an advice that looks like a secret would be hidden"
    assert "\n" not in str(made)


# --- azure-identity itself --------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def no_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process of which azure-identity knows nothing, and that never signed in."""
    for name in ("TENANT_ID", "CLIENT_ID", "CLIENT_SECRET", "FEDERATED_TOKEN_FILE", "AUTHORITY_HOST"):
        monkeypatch.delenv(f"AZURE_{name}", raising=False)
    monkeypatch.setattr(Identity, "has_signed_in", False)


def test_azure_identity_says_nothing_beside_the_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    reason(Identity(eventhub(identity="azure_cli")))
    assert not [record for record in caplog.records if record.name.startswith("azure.identity")]


def reason(identity: Identity) -> EvsupError:
    with identity, pytest.raises(SignInFailed) as failed:
        identity.get_token(SCOPE)
    assert isinstance(failed.value, EventHubError), "or the SDK would try again, for longer than a start may take"
    assert isinstance(failed.value.__cause__, EvsupError)
    return failed.value.__cause__


def test_a_host_without_az_is_told_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = reason(Identity(eventhub(identity="azure_cli")))
    assert type(found) is NotPermitted
    assert "`az`" in found.why


def test_a_federated_token_file_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AZURE_TENANT_ID", UUID)
    monkeypatch.setenv("AZURE_CLIENT_ID", UUID)
    monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(tmp_path / "token"))
    found = reason(Identity(eventhub()))
    assert type(found) is ConfigurationError
    assert str(tmp_path / "token") in found.why
    assert "AZURE_FEDERATED_TOKEN_FILE" in found.fix


@pytest.mark.parametrize(("name", "value"), [("AUTHORITY_HOST", "http://login.example"), ("TENANT_ID", "a b")])
def test_a_variable_that_cannot_be_used_is_a_configuration_error(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    for each in ("TENANT_ID", "CLIENT_ID", "CLIENT_SECRET"):
        monkeypatch.setenv(f"AZURE_{each}", UUID)
    monkeypatch.setenv(f"AZURE_{name}", value)
    with pytest.raises(ConfigurationError, match=r"AZURE_\*"):
        Identity(eventhub())


class Credential:
    """Stands in for DefaultAzureCredential: a token now, none later."""

    def __init__(self, **_: Any) -> None:
        self.error: Exception | None = None

    def get_token(self, *_: str) -> AccessToken:
        if self.error:
            raise self.error
        return AccessToken("a.b.c", int(time.time()) + 60)

    def close(self) -> None:
        pass


def test_a_managed_identity_that_the_settings_name_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    credential = Credential()
    credential.error = ClientAuthenticationError(tried(**UNAVAILABLE))
    monkeypatch.setattr(azure.identity, "DefaultAzureCredential", lambda **_: credential)
    assert type(reason(Identity(eventhub(managed_identity_client_id=UUID)))) is SourceUnavailable
    assert type(reason(Identity(eventhub()))) is NotPermitted


def test_who_signed_in_once_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    credential = Credential()
    monkeypatch.setattr(azure.identity, "DefaultAzureCredential", lambda **_: credential)
    Identity(eventhub()).get_token(SCOPE)
    credential.error = ClientAuthenticationError(tried(**UNAVAILABLE))
    assert type(reason(Identity(eventhub()))) is SourceUnavailable


def test_no_token_is_kept_over_a_step_of_the_clock_by_which_it_seems_to_last_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[Credential] = []

    def make(**_: Any) -> Credential:
        made.append(Credential())
        return made[-1]

    monkeypatch.setattr(azure.identity, "DefaultAzureCredential", make)
    identity = Identity(eventhub())
    identity.get_token(SCOPE)
    real = time.time
    for step_s, credentials in ((-30.0, 1), (-7200.0, 2), (-7200.0, 2), (0.0, 3)):
        monkeypatch.setattr(time, "time", lambda step_s=step_s: real() + step_s)
        identity.get_token(SCOPE)
        assert len(made) == credentials, step_s

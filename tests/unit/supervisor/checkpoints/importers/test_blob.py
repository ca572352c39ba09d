"""A credential is never sent to another account than the one that it belongs to."""

import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import DefaultAzureCredential

from shared.errors import ConfigurationError, NotPermitted, UsageError
from shared.eventhubs.identity import Identity
from supervisor.checkpoints.importers.blob import CONNECTION_STRING, open_container, read
from tests.unit.plain_settings import eventhub
from tests.unit.shared.control.stores import GROUP

STRING = "DefaultEndpointsProtocol=https;AccountName=mine;AccountKey=a2V5;EndpointSuffix=core.windows.net"


@pytest.mark.parametrize(
    "text", [STRING, "BlobEndpoint=https://mine.blob.core.windows.net/;SharedAccessSignature=sv=1&sig=a2V5"]
)
def test_a_connection_string_of_another_account_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(CONNECTION_STRING, text)
    url = "https://theirs.blob.core.windows.net/checkpoints"
    with pytest.raises(ConfigurationError, match="to another account") as refused, open_container(url, eventhub()):
        pass
    assert "a2V5" not in str(refused.value)


def test_a_connection_string_signs_in_to_its_own_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CONNECTION_STRING, STRING)
    with open_container("https://Mine.blob.core.windows.net/checkpoints", eventhub()) as client:
        assert client.url == "https://mine.blob.core.windows.net/checkpoints"


def test_a_signature_in_the_address_is_used_before_a_connection_string(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CONNECTION_STRING, STRING)
    with open_container("https://theirs.blob.core.windows.net/checkpoints?sv=1&sig=x", eventhub()) as client:
        assert client.url == "https://theirs.blob.core.windows.net/checkpoints?sv=1&sig=x"


def test_an_identity_is_refused_over_http(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CONNECTION_STRING, raising=False)
    with pytest.raises(UsageError, match="over https only"), open_container("http://mine/checkpoints", eventhub()):
        pass


def test_an_identity_without_a_token_names_the_container_and_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_token(*_: object, **__: object) -> None:
        raise ClientAuthenticationError("EnvironmentCredential authentication unavailable.")

    monkeypatch.delenv(CONNECTION_STRING, raising=False)
    monkeypatch.setattr(DefaultAzureCredential, "get_token", no_token)
    monkeypatch.setattr(Identity, "has_signed_in", False)
    with pytest.raises(NotPermitted) as refused:
        read("https://mine.blob.core.windows.net/checkpoints", GROUP, eventhub())
    assert refused.value.what == "The blob container https://mine.blob.core.windows.net/checkpoints cannot be read"
    assert "no identity of this host can sign in" in refused.value.why
    assert "managed identity" in refused.value.fix


@pytest.mark.parametrize("host", ["", "[::1", "a..b", "a" * 64])
@pytest.mark.parametrize("query", ["", "?sv=1&sig=a2V5"])
def test_an_address_that_can_be_none_is_a_mistake_of_the_command_line(
    monkeypatch: pytest.MonkeyPatch, host: str, query: str
) -> None:
    monkeypatch.setenv(CONNECTION_STRING, STRING)
    with pytest.raises((UsageError, ConfigurationError)) as refused:
        read(f"https://{host}/checkpoints{query}", GROUP, eventhub())
    assert refused.type is (ConfigurationError if host not in ("", "[::1") and not query else UsageError)
    assert "a2V5" not in str(refused.value)

"""Which credential reads a container: the address that was typed is never another account's."""

from contextlib import ExitStack

import pytest

from shared.errors import ConfigurationError
from supervisor.checkpoints.importers import blob

STRING = "DefaultEndpointsProtocol=https;AccountName=mine;AccountKey=a2V5;EndpointSuffix=core.windows.net"


@pytest.mark.parametrize(
    "text", [STRING, "BlobEndpoint=https://mine.blob.core.windows.net/;SharedAccessSignature=sv=1&sig=a2V5"]
)
def test_a_connection_string_of_another_account_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(blob.CONNECTION_STRING, text)
    with ExitStack() as stack, pytest.raises(ConfigurationError, match="of another account") as refused:
        blob._container("https://theirs.blob.core.windows.net/checkpoints", stack)
    assert "a2V5" not in str(refused.value)


def test_a_connection_string_signs_in_to_its_own_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(blob.CONNECTION_STRING, STRING)
    with ExitStack() as stack:
        client = blob._container("https://Mine.blob.core.windows.net/checkpoints", stack)
        assert client.url == "https://mine.blob.core.windows.net/checkpoints"


def test_a_signature_in_the_address_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(blob.CONNECTION_STRING, STRING)
    with ExitStack() as stack:
        client = blob._container("https://theirs.blob.core.windows.net/checkpoints?sv=1&sig=x", stack)
        assert client.url == "https://theirs.blob.core.windows.net/checkpoints?sv=1&sig=x"

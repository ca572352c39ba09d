"""Checkpoints in a blob container, read by the real SDK over a real socket."""

import sys
from collections.abc import Iterator

import pytest
from azure.storage.blob import ContainerClient

from scripts.localcloud.blob import CONTAINER, SAS, Blobs, local_blobs
from shared.errors import ConfigurationError, DataRefused, NotPermitted, ServiceUnavailable, UsageError
from shared.model import ConsumerGroup
from supervisor.checkpoints.documents import ImportedCheckpoints
from supervisor.checkpoints.importers import blob
from supervisor.checkpoints.move import Destination
from tests.unit.plain_settings import eventhub

GROUP = ConsumerGroup("NS.servicebus.windows.net", "Flights", "$Default")
PREFIX = "ns.servicebus.windows.net/flights/$default"


@pytest.fixture
def blobs() -> Iterator[Blobs]:
    with local_blobs() as served:
        yield served


@pytest.fixture
def with_key(blobs: Blobs, monkeypatch: pytest.MonkeyPatch) -> Blobs:
    monkeypatch.setenv(blob.CONNECTION_STRING, blobs.connection_string)
    return blobs


def read(url: str) -> ImportedCheckpoints:
    return blob.read(url, GROUP, eventhub())


def put(blobs: Blobs, name: str, **metadata: str) -> None:
    """As the Azure SDK's store writes a checkpoint."""
    with ContainerClient.from_connection_string(blobs.connection_string, CONTAINER) as container:
        container.upload_blob(name, b"", overwrite=True, metadata=metadata)


def test_the_groups_checkpoints_are_found_on_every_page_and_no_others(with_key: Blobs) -> None:
    for partition in range(5):
        put(with_key, f"{PREFIX}/checkpoint/{partition}", offset=f"o{partition}", sequencenumber=f"{partition}00")
    put(with_key, f"{PREFIX}/ownership/0", ownerid="me")
    put(with_key, f"{PREFIX}2/checkpoint/7", offset="o", sequencenumber="7")
    found = read(with_key.url)
    assert found.destinations == {str(n): Destination(n * 100, f"o{n}") for n in range(5)}
    assert with_key.pages == 3


def test_a_sas_in_the_address_is_enough(blobs: Blobs) -> None:
    put(blobs, f"{PREFIX}/checkpoint/0", offset="", sequencenumber="3")
    assert read(f"{blobs.url}?{SAS}").destinations == {"0": Destination(3)}


@pytest.mark.parametrize("number", ["", "-1", "x", "１２"])
def test_a_checkpoint_without_a_sequence_number_is_refused(with_key: Blobs, number: str) -> None:
    put(with_key, f"{PREFIX}/checkpoint/0")
    with_key.metadata[f"{PREFIX}/checkpoint/0"] = {"offset": "5", "sequencenumber": number}
    with pytest.raises(DataRefused, match="checkpoint/0 has no sequence number"):
        read(with_key.url)


@pytest.mark.parametrize("cut", ["EndpointSuffix", "EndpointSuffix=;AccountKey", "x"])
def test_a_connection_string_that_was_cut_off_is_a_fault_of_the_variable_and_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, cut: str
) -> None:
    key = "Q2FOYVJ5N2YzeFE5Q2FOYVJ5N2YzeFE5Q2FOYVJ5N2YzeFE5MDA="
    whole = f"DefaultEndpointsProtocol=https;AccountName=a;AccountKey={key};EndpointSuffix=core.windows.net"
    monkeypatch.setenv(blob.CONNECTION_STRING, whole.partition("EndpointSuffix")[0] + cut)
    with pytest.raises(ConfigurationError, match=f"{blob.CONNECTION_STRING} cannot be read") as raised:
        read("https://a.blob.core.windows.net/c")
    assert key[:12] not in str(raised.value)


def test_a_wrong_key_is_not_permitted_and_not_shown(blobs: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(blob.CONNECTION_STRING, blobs.connection_string)
    blobs.key = b"another"
    with pytest.raises(NotPermitted, match="Storage Blob Data Reader"):
        read(blobs.url)
    monkeypatch.delenv(blob.CONNECTION_STRING)
    with pytest.raises(NotPermitted) as refused:
        read(f"{blobs.url}?sv=1&sig=canary")
    assert "canary" not in str(refused.value)


def test_a_container_that_is_not_there_is_named(with_key: Blobs) -> None:
    with pytest.raises(ConfigurationError, match="nowhere cannot be read"):
        read(with_key.url.replace(CONTAINER, "nowhere"))


def test_a_storage_service_that_does_not_answer_is_reported_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(blob.LIMITS, "retry_total", 0)
    with local_blobs() as gone:
        url = gone.url
    with pytest.raises(ServiceUnavailable, match="can be reached"):
        read(f"{url}?{SAS}")


@pytest.mark.parametrize("address", ["", "container", "ftp://a/b", "https://account.blob.core.windows.net/"])
def test_what_is_no_address_of_a_container_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match="address of a container"):
        read(address)


def test_without_the_package_one_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "azure.storage.blob", None)
    with pytest.raises(ConfigurationError, match=r"pip install '\.\[blob\]'"):
        read("https://account.blob.core.windows.net/checkpoints")

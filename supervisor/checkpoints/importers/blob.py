"""Checkpoints in an Azure blob container, as the BlobCheckpointStore of the Azure SDKs keeps them.

Each partition has an empty blob `namespace/hub/group/checkpoint/partition` in small letters, with the position in its
metadata: https://github.com/Azure/azure-sdk-for-python/blob/main/sdk/eventhub/azure-eventhub-checkpointstoreblob/azure/eventhub/extensions/checkpointstoreblob/_blobstoragecs.py
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError

from shared.config.settings import EventHubSettings
from shared.errors import (
    ConfigurationError,
    DataRefused,
    EvsupError,
    NotPermitted,
    ServiceUnavailable,
    UsageError,
)
from shared.eventhubs.identity import Identity, SignInFailed
from shared.log.secret import mask
from shared.model import ConsumerGroup
from supervisor.checkpoints.documents import ImportedCheckpoints
from supervisor.checkpoints.move import Destination

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

LAYOUT = "Azure SDK blob checkpoints"
CONNECTION_STRING = "AZURE_STORAGE_CONNECTION_STRING"
# A person waits: with its own retries and timeouts the SDK takes minutes to report that nothing answers.
LIMITS: dict[str, Any] = {"retry_total": 2, "connection_timeout": 10, "read_timeout": 20}


def read(url: str, group: ConsumerGroup, settings: EventHubSettings) -> ImportedCheckpoints:
    """The group's checkpoints in the container at `url`, read with the credential that `open_container` chooses.

    Raises `ConfigurationError` for a connection string of another account, `DataRefused` for a checkpoint without a
    sequence number, and the service's errors as ours.
    """
    prefix = f"{group}/checkpoint/".lower()
    try:
        with open_container(url, settings) as container:
            blobs = container.list_blobs(prefix, include=["metadata"], **LIMITS)
            return ImportedCheckpoints(
                LAYOUT, {blob.name.rpartition("/")[2]: _destination(blob.name, blob.metadata) for blob in blobs}
            )
    except SignInFailed as error:
        raise _not_signed_in(error, url) from error
    except AzureError as error:
        raise translate(error, url) from error
    except ValueError as error:  # of urllib, the SDK or urllib3: no host, half an IPv6 address, what can be no name
        raise _no_address(url, mask(str(error))) from error


@contextmanager
def open_container(url: str, settings: EventHubSettings) -> Iterator["ContainerClient"]:
    """A client of the container. A SAS in `url` signs in, else AZURE_STORAGE_CONNECTION_STRING, else the identity that
    the settings name for Event Hubs.
    """
    container_client = _sdk()
    parts = urlsplit(url)
    name = parts.path.rpartition("/")[2]
    if parts.scheme not in {"http", "https"} or not parts.hostname or not name:
        raise _no_address(url)
    # The nearest first: a SAS was typed for this container, a variable set for this command, an identity for evsup.
    if parts.query:
        with container_client.from_container_url(url) as client:
            yield client
    elif text := os.environ.get(CONNECTION_STRING):
        with _client(text, name) as client:
            _refuse_another_account(client.url, url)
            yield client
    elif parts.scheme != "https":
        raise UsageError("An identity signs in over https only", mask(url), "Write https://, or give the URL a SAS.")
    else:
        with Identity(settings) as identity, container_client.from_container_url(url, credential=identity) as client:
            yield client


def _no_address(url: str, why: str = "") -> UsageError:
    shown = f"{why}, in {mask(url)}" if why else mask(url)
    fix = "For example blob:https://account.blob.core.windows.net/checkpoints"
    return UsageError("blob: needs the address of a container", shown, fix)


def _sdk() -> "type[ContainerClient]":
    try:
        from azure.storage.blob import ContainerClient
    except ImportError as error:
        raise ConfigurationError(
            "Reading a blob container needs another package",
            "azure-storage-blob is not installed",
            "Install evsup with its extra `blob`: pip install '.[blob]' in its source directory",
        ) from error
    return ContainerClient


def _client(connection_string: str, name: str) -> "ContainerClient":
    try:
        return _sdk().from_connection_string(connection_string, name)
    except ValueError:  # its text, and that of its cause, quote the key
        raise ConfigurationError(
            f"{CONNECTION_STRING} cannot be read",
            "the Azure SDK does not understand it (not shown, because it holds the account's key)",
            "Copy it again, whole: DefaultEndpointsProtocol=https;AccountName=…;AccountKey=…;EndpointSuffix=….",
        ) from None


def _refuse_another_account(of_string: str, typed: str) -> None:
    """The key of one account must not be sent to the address of another."""
    theirs, ours = _host_and_path(of_string), _host_and_path(typed)
    if theirs != ours:
        raise ConfigurationError(
            f"{CONNECTION_STRING} belongs to another account",
            f"it leads to {theirs}, the address is {ours}",
            f"Correct the address, or unset {CONNECTION_STRING} to sign in with an identity.",
        )


def _host_and_path(url: str) -> str:
    """Without user, password and SAS."""
    parts = urlsplit(url)
    return f"{parts.netloc.rpartition('@')[2].lower()}{parts.path}"


def _destination(name: str, metadata: Mapping[str, Any] | None) -> Destination:
    """The position in a blob's metadata, whose names ignore case.

    https://learn.microsoft.com/rest/api/storageservices/setting-and-retrieving-properties-and-metadata-for-blob-resources
    """
    values = {key.lower(): value for key, value in (metadata or {}).items()}
    number = values.get("sequencenumber") or ""  # the SDK makes None of an empty text
    if not (number.isascii() and number.isdigit()):
        raise DataRefused(
            f"The checkpoint blob {name} has no sequence number",
            f"its metadata is {values}",
            "An offset alone does not say which events are done: let the other program write one more checkpoint.",
        )
    return Destination(int(number), values.get("offset") or None)


def translate(error: AzureError, url: str) -> EvsupError:
    """The blob service's error as one of ours."""
    what = _cannot_be_read(url)
    why = " ".join(mask(str(error)).split())
    status = error.status_code if isinstance(error, HttpResponseError) else None
    if isinstance(error, ClientAuthenticationError) or status in {401, 403}:
        fix = f"Grant 'Storage Blob Data Reader', give the URL a SAS, or set {CONNECTION_STRING}."
        return NotPermitted(what, why, fix)
    if status == 404:
        return ConfigurationError(what, why, "Check account and container in the address.")
    return ServiceUnavailable(what, why, "Check the address, and that it can be reached from this host.")


def _not_signed_in(error: SignInFailed, url: str) -> EvsupError:
    """Why the identity has no token, with the reason and the fix that it has for Event Hubs, too."""
    reason = error.__cause__
    assert isinstance(reason, EvsupError)  # noqa: S101 (SignInFailed is raised from one)
    return type(reason)(_cannot_be_read(url), reason.why, reason.fix)


def _cannot_be_read(url: str) -> str:
    return f"The blob container {urlsplit(url)._replace(query='').geturl()} cannot be read"

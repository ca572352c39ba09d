"""Checkpoints in an Azure blob container, as the Azure SDKs' BlobCheckpointStore keeps them.

An empty blob for each partition, `namespace/hub/group/checkpoint/partition` in small letters, with the position in its
metadata: https://github.com/Azure/azure-sdk-for-python/blob/main/sdk/eventhub/azure-eventhub-checkpointstoreblob/azure/eventhub/extensions/checkpointstoreblob/_blobstoragecs.py
"""

import os
from collections.abc import Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError

from shared.errors import (
    ConfigurationError,
    DataRefused,
    EvsupError,
    NotPermitted,
    ServiceUnavailable,
    UsageError,
)
from shared.log.secret import mask
from shared.model import ConsumerGroup
from supervisor.checkpoints.documents import Found
from supervisor.checkpoints.plan import Position

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

LAYOUT = "Azure SDK blob checkpoints"
CONNECTION_STRING = "AZURE_STORAGE_CONNECTION_STRING"
# A person waits: the SDK's own retries and timeouts would take minutes to say that nobody answers.
_PATIENCE: dict[str, Any] = {"retry_total": 2, "connection_timeout": 10, "read_timeout": 20}


def read(url: str, group: ConsumerGroup) -> Found:
    """The group's positions in the container at `url`, which may carry a SAS.

    Without one the connection string in AZURE_STORAGE_CONNECTION_STRING signs in, else DefaultAzureCredential. Raises
    ConfigurationError for a connection string of another account, DataRefused for a checkpoint without a sequence
    number, otherwise what the service says in our words.
    """
    prefix = f"{group}/checkpoint/"
    try:
        with ExitStack() as stack:
            blobs = _container(url, stack).list_blobs(prefix.lower(), include=["metadata"], **_PATIENCE)
            return Found(LAYOUT, {blob.name.rpartition("/")[2]: _position(blob.name, blob.metadata) for blob in blobs})
    except AzureError as error:
        raise _translated(error, url) from error


def _container(url: str, stack: ExitStack) -> "ContainerClient":
    """A client of the container, closed with its credential by `stack`."""
    try:
        from azure.storage.blob import ContainerClient
    except ImportError as error:
        what, fix = (
            "Reading a blob container needs another package",
            "Install evsup with its extra `blob`: pip install '.[blob]' in its source directory",
        )
        raise ConfigurationError(what, "azure-storage-blob is not installed", fix) from error

    parts = urlsplit(url)
    name = parts.path.rpartition("/")[2]
    if parts.scheme not in {"http", "https"} or not name:
        raise UsageError(
            "blob: is to be followed by the address of a container",
            mask(url),
            "For example blob:https://account.blob.core.windows.net/checkpoints",
        )
    if parts.query:
        return stack.enter_context(ContainerClient.from_container_url(url))
    if text := os.environ.get(CONNECTION_STRING):
        client = stack.enter_context(_client(text, name))
        _refuse_another_account(client.url, url)
        return client
    from azure.identity import DefaultAzureCredential

    credential = stack.enter_context(DefaultAzureCredential())
    return stack.enter_context(ContainerClient.from_container_url(url, credential=credential))


def _client(connection_string: str, name: str) -> "ContainerClient":
    from azure.storage.blob import ContainerClient

    try:
        return ContainerClient.from_connection_string(connection_string, name)
    except ValueError:  # its text, and what it came from, quote the key
        raise ConfigurationError(
            f"{CONNECTION_STRING} cannot be read",
            "the Azure SDK does not understand it (not shown, for it holds the account's key)",
            "Copy it again, whole: DefaultEndpointsProtocol=https;AccountName=…;AccountKey=…;EndpointSuffix=….",
        ) from None


def _refuse_another_account(known: str, typed: str) -> None:
    theirs, ours = _place(known), _place(typed)
    if theirs != ours:
        raise ConfigurationError(
            f"{CONNECTION_STRING} is of another account",
            f"it leads to {theirs}, the address is of {ours}",
            f"Correct the address, or unset {CONNECTION_STRING} to sign in with an identity.",
        )


def _place(url: str) -> str:
    """Host and path, without what signs in."""
    parts = urlsplit(url)
    return f"{parts.netloc.rpartition('@')[2].lower()}{parts.path}"


def _position(name: str, metadata: Mapping[str, Any] | None) -> Position:
    """What a blob's metadata says; their names ignore case.

    https://learn.microsoft.com/rest/api/storageservices/setting-and-retrieving-properties-and-metadata-for-blob-resources
    """
    values = {key.lower(): value for key, value in (metadata or {}).items()}
    number = values.get("sequencenumber") or ""  # the SDK makes None of an empty text
    if not (number.isascii() and number.isdigit()):
        raise DataRefused(
            f"The checkpoint blob {name} has no sequence number",
            f"its metadata is {values}",
            "An offset alone says nothing of the events done: let the other program write one more checkpoint.",
        )
    return Position(int(number), values.get("offset") or None)


def _translated(error: AzureError, url: str) -> EvsupError:
    what = f"The blob container {urlsplit(url)._replace(query='').geturl()} cannot be read"
    why = " ".join(mask(str(error)).split())
    status = error.status_code if isinstance(error, HttpResponseError) else None
    if isinstance(error, ClientAuthenticationError) or status in {401, 403}:
        fix = f"Grant 'Storage Blob Data Reader', give the URL a SAS, or set {CONNECTION_STRING}."
        return NotPermitted(what, why, fix)
    if status == 404:
        return ConfigurationError(what, why, "Check account and container in the address.")
    return ServiceUnavailable(what, why, "Check the address, and that it can be reached from this host.")

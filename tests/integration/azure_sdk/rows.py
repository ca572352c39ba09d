"""Rows as the Azure SDK gives them to a checkpoint store, and gets them back."""

from typing import Any

from shared.control.azure_sdk import AzureCheckpointStore

PARTITIONS = ["0", "1", "2", "3"]


def key(sdk: AzureCheckpointStore) -> dict[str, Any]:
    group = sdk.store.group
    return {
        "fully_qualified_namespace": group.fully_qualified_namespace,
        "eventhub_name": group.eventhub_name,
        "consumer_group": group.consumer_group,
    }


def row(sdk: AzureCheckpointStore, owner_id: str, **more: Any) -> dict[str, Any]:
    return key(sdk) | {"partition_id": "0", "owner_id": owner_id} | more


def listed(sdk: AzureCheckpointStore) -> dict[str, Any]:
    return sdk.list_ownership(**key(sdk))[0]

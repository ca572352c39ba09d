"""The Azure SDK's own balancer over the control store: what it claims, and what it releases."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from azure.eventhub import LoadBalancingStrategy
from azure.eventhub._eventprocessor.ownership_manager import OwnershipManager
from azure.eventhub.aio._eventprocessor._ownership_manager import OwnershipManager as AsyncOwnershipManager

from shared.control.azure_sdk import AzureCheckpointStore
from shared.control.store import ControlStore
from shared.errors import StoreUnavailable
from tests.integration.azure_sdk.rows import PARTITIONS, key, row
from tests.integration.conftest import EXPIRATION_S, Site


def processor(
    sdk: AzureCheckpointStore,
    owner_id: str,
    strategy: LoadBalancingStrategy = LoadBalancingStrategy.BALANCED,
    expiration_s: float = EXPIRATION_S,
) -> OwnershipManager:
    """The SDK's own balancer, over a hub of four partitions; each call of `claim_ownership` is one of its rounds."""
    client: Any = SimpleNamespace(
        _address=SimpleNamespace(hostname=sdk.store.group.fully_qualified_namespace),
        eventhub_name=sdk.store.group.eventhub_name,
        get_partition_ids=lambda: PARTITIONS,
    )
    return OwnershipManager(client, sdk.store.group.consumer_group, owner_id, sdk, expiration_s, strategy, None)


def test_the_azure_sdk_processor_balances_over_the_store(site: Site) -> None:
    first, second = (
        processor(AzureCheckpointStore(site.open()), "first"),
        processor(AzureCheckpointStore(site.open()), "second"),
    )
    for _ in range(3):
        first.claim_ownership()
        second.claim_ownership()
    owners = [ownership.owner_id for ownership in site.open().ownerships()]
    assert sorted(owners) == ["first", "first", "second", "second"]


def test_an_azure_sdk_processor_steals_only_what_expired(site: Site) -> None:
    first = processor(AzureCheckpointStore(site.open()), "first", LoadBalancingStrategy.GREEDY)
    second = processor(AzureCheckpointStore(site.open()), "second", LoadBalancingStrategy.GREEDY)
    assert sorted(first.claim_ownership()) == PARTITIONS
    assert second.claim_ownership() == []
    site.age(EXPIRATION_S + 5, "2")
    assert second.claim_ownership() == ["2"]


def test_an_azure_sdk_processor_releases_what_it_closes(
    site: Site, store: ControlStore, sdk: AzureCheckpointStore
) -> None:
    manager = processor(sdk, "first", LoadBalancingStrategy.GREEDY)
    manager.claim_ownership()
    manager.release_ownership("1")
    owners = {ownership.partition_id: ownership.owner_id for ownership in store.ownerships()}
    assert owners == {"0": "first", "1": "", "2": "first", "3": "first"}


def held(*partitions: str) -> dict[str, str]:
    """Each by an owner of its own."""
    return {each: f"owner{each}" for each in partitions}


# Who holds what (2 has expired, 3 was released), of how many partitions; what a greedy processor asks for in one round,
# and a balanced one.
ROUNDS: list[tuple[dict[str, str], int, int, int]] = [
    ({}, 3, 3, 1),
    (held("0", "1"), 3, 1, 1),
    (held("0", "2"), 3, 2, 1),
    (held("0", "2", "3"), 4, 2, 1),
    (held("0"), 4, 2, 1),
    (held("2", "3"), 4, 4, 1),
    (held("0", "1"), 2, 0, 0),
    (held("0") | {"1": "sdk"}, 2, 1, 1),
]


def test_a_processor_asks_for_its_share_of_what_is_free_expired_or_released(site: Site) -> None:
    for holders, count, greedy, balanced in ROUNDS:
        one = site.beside()
        store = one.open()
        sdk = AzureCheckpointStore(store)
        won = sdk.claim_ownership([row(sdk, owner, partition_id=each) for each, owner in holders.items()])
        sdk.claim_ownership([released | {"owner_id": ""} for released in won if released["partition_id"] == "3"])
        one.age(EXPIRATION_S + 5, "2")
        asked = [
            processor(sdk, "sdk", strategy)._balance_ownership(sdk.list_ownership(**key(sdk)), PARTITIONS[:count])
            for strategy in (LoadBalancingStrategy.GREEDY, LoadBalancingStrategy.BALANCED)
        ]
        store.close()
        assert [len(rows) for rows in asked] == [greedy, balanced], (holders, count)


def test_a_processor_releases_nothing_that_it_has_lost(site: Site) -> None:
    manager = processor(AzureCheckpointStore(site.open()), "first", LoadBalancingStrategy.GREEDY)
    manager.claim_ownership()
    site.age(EXPIRATION_S + 5, "0")
    evsup = site.open()
    term = evsup.claim("0", "evsup", EXPIRATION_S)
    manager.release_ownership("0")
    assert term is not None
    assert evsup.renew([term]) == [term]


def test_a_release_that_fails_is_left_to_the_lease_for_the_sdk_would_end_with_it(
    store: ControlStore, sdk: AzureCheckpointStore
) -> None:
    """And a claim that fails raises, so that the SDK keeps what it reads."""
    manager = processor(sdk, "first", LoadBalancingStrategy.GREEDY)
    manager.claim_ownership()
    store.close()
    manager.release_ownership("0")
    with pytest.raises(StoreUnavailable):
        manager.claim_ownership()
    with pytest.raises(StoreUnavailable):
        sdk.claim_ownership([row(sdk, "first")])


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
def test_an_asyncio_client_fails_at_its_first_look_and_claims_nothing(
    store: ControlStore, sdk: AzureCheckpointStore
) -> None:
    client: Any = SimpleNamespace(_address=SimpleNamespace(hostname=store.group.fully_qualified_namespace))
    client.eventhub_name = store.group.eventhub_name
    asynchronous: Any = sdk
    strategy = LoadBalancingStrategy.GREEDY
    manager = AsyncOwnershipManager(client, "$Default", "first", asynchronous, EXPIRATION_S, strategy, None)
    manager.cached_parition_ids = PARTITIONS
    with pytest.raises(TypeError, match="await"):
        asyncio.run(manager.claim_ownership())
    assert store.ownerships() == []

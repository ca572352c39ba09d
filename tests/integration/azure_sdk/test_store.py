"""The control store as the Azure SDK uses it."""

import os
import time
from typing import Any

import pytest
from azure.eventhub._utils import event_position_selector

from scripts.harness.waiting import BUSY_S
from shared.control.azure_sdk import AzureCheckpointStore
from shared.control.store import ControlStore
from shared.errors import CheckpointMovedBack, ConfigurationError, OwnershipLost, StoreUnavailable
from shared.model import Checkpoint
from tests.integration.azure_sdk.rows import PARTITIONS, key, listed, row
from tests.integration.conftest import EXPIRATION_S, Site


def position(sdk: AzureCheckpointStore, sequence_number: int) -> dict[str, Any]:
    return key(sdk) | {"partition_id": "0", "sequence_number": sequence_number, "offset": f"o{sequence_number}"}


def test_an_sdk_claim_is_listed_with_a_float_time(sdk: AzureCheckpointStore) -> None:
    [won] = sdk.claim_ownership([row(sdk, "sdk")], timeout=3)
    assert listed(sdk) == won | {"last_modified_time": pytest.approx(won["last_modified_time"], abs=BUSY_S)}
    assert won["last_modified_time"] == pytest.approx(time.time(), abs=BUSY_S)


def test_the_listed_age_is_the_databases_own(site: Site, sdk: AzureCheckpointStore) -> None:
    sdk.claim_ownership([row(sdk, "sdk")])
    site.age(1000)
    assert time.time() - listed(sdk)["last_modified_time"] == pytest.approx(1000, abs=BUSY_S)


def test_a_stale_etag_is_left_out_and_never_raises(sdk: AzureCheckpointStore) -> None:
    [first] = sdk.claim_ownership([row(sdk, "sdk")])
    [second] = sdk.claim_ownership([first])
    assert second["etag"] != first["etag"]
    assert sdk.claim_ownership([first, row(sdk, "sdk")]) == []


def test_an_sdk_renewal_keeps_the_epoch_and_an_sdk_owner_change_raises_it(
    site: Site, store: ControlStore, sdk: AzureCheckpointStore
) -> None:
    sdk.claim_ownership([row(sdk, "sdk")])
    sdk.claim_ownership([listed(sdk)])
    assert store.ownerships()[0].epoch == 1
    site.age(EXPIRATION_S + 5)
    assert sdk.claim_ownership([listed(sdk) | {"owner_id": "other"}])
    assert store.ownerships()[0].epoch == 2
    assert [checkpoint.epoch for checkpoint in store.checkpoints()] == [2]


def test_a_live_partition_of_evsup_is_not_stolen_with_its_etag(store: ControlStore, sdk: AzureCheckpointStore) -> None:
    term = store.claim("0", "evsup", EXPIRATION_S)
    assert sdk.claim_ownership([listed(sdk) | {"owner_id": "sdk"}]) == []
    assert term is not None
    assert store.renew([term]) == [term]


def test_an_sdk_release_keeps_the_epoch_and_frees_the_partition(store: ControlStore, sdk: AzureCheckpointStore) -> None:
    [won] = sdk.claim_ownership([row(sdk, "sdk")])
    sdk.claim_ownership([won | {"owner_id": ""}])
    assert (store.ownerships()[0].owner_id, store.ownerships()[0].epoch) == ("", 1)
    term = store.claim("0", "evsup", EXPIRATION_S)
    assert term is not None
    assert term.epoch == 2


def test_an_sdk_release_frees_a_partition_that_a_round_under_way_has_renewed(
    store: ControlStore, sdk: AzureCheckpointStore
) -> None:
    """The SDK balances in one thread and closes in another, so the etag that it releases with may be an old one."""
    [seen] = sdk.claim_ownership([row(sdk, "sdk")])
    sdk.claim_ownership([seen])
    assert sdk.claim_ownership([seen | {"owner_id": ""}]) == []
    assert store.ownerships()[0].owner_id == ""


def test_an_etag_releases_nothing_that_another_client_claimed(site: Site, sdk: AzureCheckpointStore) -> None:
    sdk.claim_ownership([row(sdk, "sdk")])
    other = AzureCheckpointStore(site.open())
    other.claim_ownership([listed(sdk) | {"owner_id": ""}])
    assert listed(sdk)["owner_id"] == "sdk"


def test_names_are_compared_without_case_and_other_groups_are_refused(
    store: ControlStore, sdk: AzureCheckpointStore
) -> None:
    shouted = {name: value.upper() for name, value in key(sdk).items()}
    sdk.claim_ownership([row(sdk, "sdk") | shouted])
    assert len(sdk.list_ownership(**shouted)) == len(store.ownerships()) == 1
    with pytest.raises(ConfigurationError, match="another consumer group"):
        sdk.list_ownership(**key(sdk) | {"consumer_group": "other"})


def test_the_first_sdk_checkpoint_begins_the_next_channel_and_keeps_the_hub_creation_time(
    store: ControlStore, sdk: AzureCheckpointStore
) -> None:
    stored = Checkpoint("0", 5, "o5", 0, rows_error_count=3, hub_created_at_s=1700000000.0, enqueued_at_s=1700000001.0)
    store.save_checkpoint(stored)
    sdk.claim_ownership([row(sdk, "sdk")])
    sdk.update_checkpoint(position(sdk, 7), timeout=3)
    assert store.checkpoints()[0].enqueued_at_s is None
    sdk.update_checkpoint(position(sdk, 9), timeout=3)
    [checkpoint] = store.checkpoints()
    assert (checkpoint.sequence_number, checkpoint.offset, checkpoint.epoch) == (9, "o9", 1)
    assert (checkpoint.channel_generation, checkpoint.begins_channel, checkpoint.begins_after) == (1, True, 9)
    assert (checkpoint.rows_error_count, checkpoint.hub_created_at_s) == (0, 1700000000.0)
    assert sdk.list_checkpoints(**key(sdk)) == [position(sdk, 9)]


def test_each_sdk_claim_begins_a_channel_of_its_own_for_the_one_before_may_be_half_begun(
    store: ControlStore, sdk: AzureCheckpointStore
) -> None:
    for claims in (1, 2):
        [won] = sdk.claim_ownership([row(sdk, "sdk") | {"etag": listed_etag(sdk)}])
        sdk.update_checkpoint(position(sdk, 10 * claims))
        sdk.claim_ownership([won | {"owner_id": ""}])
        assert store.checkpoints()[0].channel_generation == claims


def listed_etag(sdk: AzureCheckpointStore) -> str | None:
    return next((row["etag"] for row in sdk.list_ownership(**key(sdk))), None)


def test_an_sdk_checkpoint_of_what_is_stored_already_begins_no_channel(
    store: ControlStore, sdk: AzureCheckpointStore
) -> None:
    store.save_checkpoint(Checkpoint("0", 5, "o5", 0))
    sdk.claim_ownership([row(sdk, "sdk")])
    sdk.update_checkpoint(position(sdk, 5))
    assert store.checkpoints()[0].channel_generation == 0


def test_a_partition_without_a_position_is_not_listed_as_a_checkpoint(sdk: AzureCheckpointStore) -> None:
    sdk.claim_ownership([row(sdk, "sdk")])
    assert sdk.list_checkpoints(**key(sdk)) == []


def test_a_position_without_an_offset_is_a_sequence_number_to_the_sdk(
    store: ControlStore, sdk: AzureCheckpointStore
) -> None:
    store.save_checkpoint(Checkpoint("0", 5, None, 0))
    [checkpoint] = sdk.list_checkpoints(**key(sdk))
    assert checkpoint["offset"] == checkpoint["sequence_number"] == 5
    assert event_position_selector(checkpoint["offset"]) == b"amqp.annotation.x-opt-sequence-number > '5'"


def test_the_one_position_that_the_sdk_takes_for_none_is_refused(
    store: ControlStore, sdk: AzureCheckpointStore
) -> None:
    store.save_checkpoint(Checkpoint("0", 0, None, 0))
    with pytest.raises(ConfigurationError, match="no offset"):
        sdk.list_checkpoints(**key(sdk))


def test_an_sdk_client_is_a_member_that_takes_what_it_asks_for_until_it_leaves(
    store: ControlStore, sdk: AzureCheckpointStore
) -> None:
    [won] = sdk.claim_ownership([row(sdk, "sdk")])
    sdk.claim_ownership([won, row(sdk, "sdk") | {"partition_id": "1"}])
    [member] = store.supervisors()
    assert (member.owner_id, member.pid, member.capacity, member.version) == ("sdk", os.getpid(), 2, "azure-sdk")
    sdk.claim_ownership([listed(sdk) | {"owner_id": ""}])
    assert store.supervisors() == []


def test_an_sdk_client_that_lost_its_partition_cannot_checkpoint(
    site: Site, store: ControlStore, sdk: AzureCheckpointStore
) -> None:
    sdk.claim_ownership([row(sdk, "sdk")])
    site.age(EXPIRATION_S + 5)
    site.open().claim("0", "evsup", EXPIRATION_S)
    with pytest.raises(OwnershipLost):
        sdk.update_checkpoint(position(sdk, 7))
    assert store.checkpoints()[0].sequence_number is None


def test_an_sdk_client_that_never_claimed_cannot_checkpoint(site: Site, sdk: AzureCheckpointStore) -> None:
    sdk.claim_ownership([row(sdk, "sdk")])
    with pytest.raises(OwnershipLost, match="has not claimed"):
        AzureCheckpointStore(site.open()).update_checkpoint(position(sdk, 7))


def test_an_sdk_client_that_released_cannot_checkpoint(sdk: AzureCheckpointStore) -> None:
    [won] = sdk.claim_ownership([row(sdk, "sdk")])
    sdk.claim_ownership([won | {"owner_id": ""}])
    with pytest.raises(OwnershipLost):
        sdk.update_checkpoint(position(sdk, 7))


def test_an_sdk_checkpoint_cannot_move_back(sdk: AzureCheckpointStore) -> None:
    sdk.claim_ownership([row(sdk, "sdk")])
    sdk.update_checkpoint(position(sdk, 7))
    with pytest.raises(CheckpointMovedBack):
        sdk.update_checkpoint(position(sdk, 6))


def test_a_failing_save_reaches_the_sdk(store: ControlStore, sdk: AzureCheckpointStore) -> None:
    store.close()
    with pytest.raises(StoreUnavailable):
        sdk.update_checkpoint(position(sdk, 7))


# What Microsoft's own tests ask of its stores in memory, in blobs and in tables:
# https://github.com/Azure/azure-sdk-for-python/tree/main/sdk/eventhub


def test_partitions_claimed_in_one_call_are_won_in_its_order_and_the_rows_that_were_given_stay_as_they_are(
    sdk: AzureCheckpointStore,
) -> None:
    assert list(sdk.list_ownership(**key(sdk))) == []
    given = [row(sdk, "sdk", partition_id=str(number), last_modified_time=1.0, offset="1") for number in range(8)]
    kept = [dict(one) for one in given]
    won = sdk.claim_ownership(given)
    assert given == kept
    assert [one["partition_id"] for one in won] == [one["partition_id"] for one in given]
    assert {one["partition_id"]: one["etag"] for one in sdk.list_ownership(**key(sdk))} == {
        one["partition_id"]: one["etag"] for one in won
    }
    assert all(one["last_modified_time"] == pytest.approx(time.time(), abs=4 * BUSY_S) for one in won)


def test_a_new_owner_s_row_takes_the_place_of_the_old_one_s(site: Site, sdk: AzureCheckpointStore) -> None:
    sdk.claim_ownership([row(sdk, "sdk")])
    site.age(EXPIRATION_S + 5)
    before = listed(sdk)
    [won] = sdk.claim_ownership([before | {"owner_id": "other"}])
    [after] = sdk.list_ownership(**key(sdk))
    assert (after["owner_id"], after["etag"]) == ("other", won["etag"])
    assert after["etag"] != before["etag"]
    assert after["last_modified_time"] > before["last_modified_time"] + EXPIRATION_S


def test_an_etag_of_a_row_that_is_not_there_any_more_claims_the_partition(sdk: AzureCheckpointStore) -> None:
    assert sdk.claim_ownership([row(sdk, "sdk", etag="W/\"datetime'2021-08-02T00%3A46%3A51.7645424Z'\"")])
    assert listed(sdk)["owner_id"] == "sdk"


def test_positions_of_partitions_are_kept_apart_and_an_offset_is_a_text(sdk: AzureCheckpointStore) -> None:
    sdk.claim_ownership([row(sdk, "sdk", partition_id=each) for each in PARTITIONS])
    for each in PARTITIONS:
        sdk.update_checkpoint(position(sdk, 20) | {"partition_id": each, "offset": 2})
    sdk.update_checkpoint(position(sdk, 42) | {"offset": "30"})
    found = {one["partition_id"]: (one["sequence_number"], one["offset"]) for one in sdk.list_checkpoints(**key(sdk))}
    assert found == dict.fromkeys(PARTITIONS, (20, "2")) | {"0": (42, "30")}


def test_a_store_is_of_one_group_and_a_call_for_two_claims_nothing(
    store: ControlStore, sdk: AzureCheckpointStore
) -> None:
    with pytest.raises(ConfigurationError, match="another consumer group"):
        sdk.claim_ownership([row(sdk, "sdk"), row(sdk, "sdk", consumer_group="other")])
    assert store.ownerships() == []

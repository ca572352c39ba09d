# ruff: noqa: ARG002 (the signatures are those of the SDK, which gives more than is needed)
"""The control store as Azure's `CheckpointStore`, for an `EventHubConsumerClient` that shares a group with evsup.

docs/azure-sdk.md says how to use it, and where it differs from Azure's own stores.
https://learn.microsoft.com/python/api/azure-eventhub/azure.eventhub.checkpointstore
"""

import os
import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from azure.eventhub import CheckpointStore

from shared.control.store import ControlStore
from shared.errors import ConfigurationError, EvsupError, OwnershipLost
from shared.model import Checkpoint, ConsumerGroup, Ownership, SupervisorRow, Term

SDK_VERSION = "azure-sdk"  # in the heartbeat row, where a supervisor has its version


class AzureCheckpointStore(CheckpointStore):
    """Use it as `EventHubConsumerClient(checkpoint_store=AzureCheckpointStore(store))`, one object for each client.

    Every method raises what `ControlStore` raises, and `ConfigurationError` for rows of another consumer group. Whoever
    opened `store` closes it.
    """

    def __init__(self, store: ControlStore) -> None:
        self.store = store
        self._terms: dict[str, Term] = {}
        """The last claim of each partition that the client holds."""
        self._channel_epochs: dict[str, int] = {}
        """The epoch in which each partition's next channel was begun, by its first checkpoint."""
        self._owner_id = ""

    def list_ownership(
        self, fully_qualified_namespace: str, eventhub_name: str, consumer_group: str, **kwargs: Any
    ) -> list[dict[str, Any]]:
        """The group's ownerships as the SDK wants them; `last_modified_time` is a float, whatever its docstring says.

        The SDK compares it with its own `time.time()` and its own expiration. So it is counted back from when the lease
        ends by the database's clock: a live lease looks live to the SDK, whatever this host's clock says and however
        long its owner was promised.
        """
        self._require_group(ConsumerGroup(fully_qualified_namespace, eventhub_name, consumer_group))
        return [self._as_sdk_ownership(ownership) for ownership in self.store.ownerships()]

    def claim_ownership(self, ownership_list: Iterable[dict[str, Any]], **kwargs: Any) -> list[dict[str, Any]]:
        """Compare-and-set by etag, row by row; what was not won is left out of the result.

        The SDK's balancer also "steals" live partitions from whoever has most. Here only an expired lease can be taken,
        because a steal would end a worker in the middle of its work. Instead the client is announced as a member of the
        group that takes as many partitions as it asks for: supervisors drain and release its share, and it claims that
        at its next round.

        A release is of the client's last claim, whatever its etag, and returns nothing.
        """
        wanted = list(ownership_list)
        for row in wanted:
            self._require_group(_group_of(row))
        try:
            # Before the announcement: what is free is claimed at once, and the others learn how much is wanted.
            won = self._claim_rows(wanted)
            self._announce(wanted)
        except EvsupError:
            if any(row["owner_id"] for row in wanted):
                raise  # on_error gets it, and what is being read goes on
            # An error of a release would end the SDK's receive(), which would then renew partitions that nobody reads.
            # The lease expires by itself.
            return []
        return won

    def update_checkpoint(self, checkpoint: Mapping[str, Any], **kwargs: Any) -> None:
        """Write a position under the epoch of the last claim that this object made for the partition.

        The SDK does not say who writes. The claim came through the same object, so its epoch is known here and fences
        an SDK client that lost the partition exactly as it fences a worker. Without a claim (a client that receives one
        partition by its id balances nothing) there is no epoch to write under: refused with `OwnershipLost`.

        What the client read did not go into Snowflake through evsup. So its first checkpoint of each claim begins the
        partition's next channel: the token of the present one would contradict the new position.
        """
        self._require_group(_group_of(checkpoint))
        partition_id = checkpoint["partition_id"]
        stored, term = self.store.load_checkpoint(partition_id), self._terms.get(partition_id)
        if stored is None or term is None:
            raise OwnershipLost(
                f"The checkpoint of partition {partition_id} was not written",
                "this client has not claimed the partition through this store",
                "Receive without partition_id, so that the SDK claims what it reads.",
            )
        self._write(stored, _moved(stored, checkpoint, term.epoch))

    def list_checkpoints(
        self, fully_qualified_namespace: str, eventhub_name: str, consumer_group: str, **kwargs: Any
    ) -> list[dict[str, Any]]:
        """The group's positions as the SDK wants them; partitions that have none yet are left out.

        The SDK goes by the offset alone. Where a position has none (imported, set by hand, or of a worker that was
        killed between two commits) the offset is the sequence number as an int, which the SDK accepts in its place.
        """
        self._require_group(ConsumerGroup(fully_qualified_namespace, eventhub_name, consumer_group))
        return [
            self._as_sdk_checkpoint(stored) for stored in self.store.checkpoints() if stored.sequence_number is not None
        ]

    def _claim_rows(self, wanted: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        won = []
        for row in wanted:
            partition_id, owner_id = row["partition_id"], row["owner_id"]
            if not owner_id:
                self._release(partition_id)
            elif ownership := self.store.compare_and_set(partition_id, owner_id, row.get("etag")):
                self._terms[partition_id] = Term(partition_id, owner_id, ownership.epoch)
                won.append(self._as_sdk_ownership(ownership))
        return won

    def _release(self, partition_id: str) -> None:
        """Not by the etag: the SDK gives its last round's, and a round in another thread may have renewed since."""
        if term := self._terms.pop(partition_id, None):
            self.store.release(term)

    def _announce(self, wanted: Sequence[Mapping[str, Any]]) -> None:
        """Write the client's heartbeat and how many partitions it asks for; remove it when the client releases one,
        because then it is about to leave.
        """
        for owner_id in {row["owner_id"] for row in wanted}:
            if owner_id:
                member = SupervisorRow(owner_id, socket.gethostname(), os.getpid(), len(wanted), SDK_VERSION)
                self.store.heartbeat(member)
                self._owner_id = owner_id
            elif self._owner_id:
                self.store.retire(self._owner_id)

    def _write(self, stored: Checkpoint, moved: Checkpoint) -> None:
        is_ahead = stored.sequence_number is None or (moved.sequence_number or 0) > stored.sequence_number
        if is_ahead and self._channel_epochs.get(moved.partition_id) != moved.epoch:
            self.store.move_checkpoint(moved, self._owner_id, "checkpoint of an Azure SDK client")
            self._channel_epochs[moved.partition_id] = moved.epoch
        else:
            self.store.save_checkpoint(moved)

    def _require_group(self, group: ConsumerGroup) -> None:
        """Azure's names ignore case; rows under another spelling would be a second ownership of the same partitions."""
        if group.key != self.store.group.key:
            raise ConfigurationError(
                "The control store was opened for another consumer group",
                f"opened for {self.store.group}, called for {group}",
                "Give each EventHubConsumerClient a store of its own group.",
            )

    def _as_sdk_ownership(self, ownership: Ownership) -> dict[str, Any]:
        # The SDK adds its own expiration, and comes to the time at which the lease really ends.
        renewed_ago_s = self.store.ownership_expiration_s - ownership.ends_in_s
        return self._as_sdk_key(ownership.partition_id) | {
            "owner_id": ownership.owner_id,
            "etag": ownership.etag,
            "last_modified_time": time.time() - renewed_ago_s,
        }

    def _as_sdk_checkpoint(self, stored: Checkpoint) -> dict[str, Any]:
        # https://github.com/Azure/azure-sdk-for-python/blob/main/sdk/eventhub/azure-eventhub/azure/eventhub/_eventprocessor/_eventprocessor_mixin.py
        offset = stored.offset or stored.sequence_number
        if not offset:
            raise ConfigurationError(
                f"The Azure SDK cannot start from the checkpoint of partition {stored.partition_id}",
                "it has sequence number 0 and no offset, which the SDK takes for no checkpoint",
                "Let evsup read this partition until it has written a checkpoint.",
            )
        return self._as_sdk_key(stored.partition_id) | {"sequence_number": stored.sequence_number, "offset": offset}

    def _as_sdk_key(self, partition_id: str) -> dict[str, Any]:
        return asdict(self.store.group) | {"partition_id": partition_id}


def _moved(stored: Checkpoint, checkpoint: Mapping[str, Any], epoch: int) -> Checkpoint:
    """The stored checkpoint, moved to the position that the SDK gave."""
    number = checkpoint["sequence_number"]
    return replace(
        stored,
        epoch=epoch,
        sequence_number=number,
        offset=checkpoint["offset"],
        begins_after=number if stored.begins_channel else stored.begins_after,  # the new channel has no row of ours yet
        enqueued_at_s=None,
        last_enqueued=None,
    )


def _group_of(row: Mapping[str, Any]) -> ConsumerGroup:
    return ConsumerGroup(row["fully_qualified_namespace"], row["eventhub_name"], row["consumer_group"])

# ruff: noqa: ARG002 (the SDK's methods may be given keywords that mean nothing here)
"""What every control store does. The databases differ, the promises do not."""

import os
import socket
import time
import uuid
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from azure.eventhub import CheckpointStore

from shared.errors import ConfigurationError, EvsupError, OwnershipLost
from shared.model import Checkpoint, ConsumerGroup, Ownership, Sessions, SupervisorRow, Term

SDK_VERSION = "azure-sdk"  # where a supervisor's heartbeat has its version


def new_etag() -> str:
    """A text that was never an etag before."""
    return uuid.uuid4().hex


class ControlStore(CheckpointStore):
    """Ownership, checkpoints and heartbeats of one consumer group.

    Every method may block for at most the store's own timeout and raises `StoreUnavailable` when the database does not
    answer, `NotPermitted` when it refuses. All are safe to call from several threads. Time is the database's clock.

    The last four methods are those of the Azure SDK, for an `EventHubConsumerClient(checkpoint_store=…)` that shares
    the group with evsup; give each client a store object of its own.
    """

    def __init__(self, group: ConsumerGroup, ownership_expiration_s: float) -> None:
        self.group = group
        self.ownership_expiration_s = ownership_expiration_s
        self._sdk_epochs: dict[str, int] = {}
        self._sdk_channels: dict[str, int] = {}
        """In which epoch a partition's next channel was begun, by its first checkpoint."""
        self._sdk_owner_id = ""

    @abstractmethod
    def initialise(self) -> None:
        """Create the control tables where they are missing."""

    @abstractmethod
    def check(self) -> None:
        """Raise `ConfigurationError`, with `evsup init` as the fix, when a table is missing, or holds rows of the group
        under another spelling of its names.
        """

    @abstractmethod
    def close(self) -> None:
        """Give all connections back. Further calls raise `StoreUnavailable`."""

    @abstractmethod
    def ownerships(self) -> list[Ownership]:
        """Every partition that was ever claimed in the group."""

    @abstractmethod
    def claim(self, partition_id: str, owner_id: str, expiration_s: float) -> Term | None:
        """Take a partition that nobody holds: never claimed, released, or not renewed for as long as its owner was
        promised. The new owner is promised `expiration_s`.

        One transaction: the epoch rises and the checkpoint row's epoch with it, which fences every older writer.
        None: somebody else holds it (or came first). Also for the owner's own live row: a second process with the same
        owner id must not share a term. After `StoreUnavailable` the claim may have been committed all the same: calling
        again on the same store object then gives the term that was won.
        """

    @abstractmethod
    def compare_and_set(self, partition_id: str, owner_id: str, seen_etag: str | None) -> Ownership | None:
        """Claim, renew or (owner "") release a partition whose row still carries `seen_etag`, or has no row yet.

        None when the row has another etag, or is held by somebody else and not expired. A changed owner raises the
        epochs as `claim` does.
        """

    @abstractmethod
    def renew(self, terms: Sequence[Term]) -> list[Term]:
        """Renew all terms in one statement; returns those that still hold. What is missing is lost."""

    @abstractmethod
    def release_all(self, terms: Sequence[Term]) -> int:
        """Give partitions back in one statement; returns how many. A term that was over already changes nothing."""

    def release(self, term: Term) -> bool:
        """Give a partition back; False when the term was over already."""
        return self.release_all([term]) == 1

    @abstractmethod
    def checkpoints(self) -> list[Checkpoint]:
        """The checkpoint rows of the group."""

    @abstractmethod
    def load_checkpoint(self, partition_id: str) -> Checkpoint | None:
        """The checkpoint row, or None. Never guesses: an unreadable row raises `DataRefused`."""

    @abstractmethod
    def save_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint under its epoch. The position may stay, for the counts beside it may change.

        Raises `OwnershipLost` when the row carries a newer epoch or another channel generation, which is never changed
        here, and `CheckpointMovedBack` when the position would shrink.
        """

    @abstractmethod
    def enrol(self, checkpoints: Sequence[Checkpoint]) -> bool:
        """Write the first rows of a group, all or none; False when the group has rows already."""

    @abstractmethod
    def move_checkpoint(self, checkpoint: Checkpoint, actor: str, action: str) -> None:
        """Write a position wherever it is, also back or (None) to none, for an operator who knows why.

        It begins the next channel of the partition, with no rejected rows; what `checkpoint` says of those is not
        looked at. The operator first claims the partition and writes under the epoch of that term, so that no worker is
        alive beside it. The same transaction writes an audit row. Raises `OwnershipLost` when the row carries a newer
        epoch.
        """

    @abstractmethod
    def begin_next_channel(self, checkpoint: Checkpoint) -> None:
        """Begin the next channel behind the position, as `move_checkpoint` does, for a worker whose channel is gone.

        No audit row is written: nobody decided anything. Raises `OwnershipLost` when the row carries a newer epoch.
        """

    @abstractmethod
    def accept_rejected(self, checkpoint: Checkpoint, actor: str, action: str) -> None:
        """Take the `rows_error_count` of `checkpoint` for known; position and channel stay. Otherwise as
        `move_checkpoint`.
        """

    @abstractmethod
    def record_quarantine(self, checkpoint: Checkpoint, actor: str, action: str) -> None:
        """Write a checkpoint behind rows that were set aside, with their count, as `save_checkpoint` does; the same
        transaction writes an audit row.
        """

    @abstractmethod
    def check_audit(self) -> None:
        """Raise `NotPermitted`, with the grant, when an audit row could not be written; nothing is written."""

    @abstractmethod
    def heartbeat(self, supervisor: SupervisorRow) -> None:
        """Say that a supervisor is alive."""

    @abstractmethod
    def supervisors(self) -> list[SupervisorRow]:
        """All supervisors of the group, also those whose heartbeat is old."""

    @abstractmethod
    def retire(self, owner_id: str) -> None:
        """Remove a supervisor's heartbeat row: it stopped in order."""

    @abstractmethod
    def sessions(self) -> Sessions | None:
        """How many clients the database takes; None where evsup's do not count against a limit."""

    # https://learn.microsoft.com/python/api/azure-eventhub/azure.eventhub.checkpointstore

    def list_ownership(
        self, fully_qualified_namespace: str, eventhub_name: str, consumer_group: str, **kwargs: Any
    ) -> list[dict[str, Any]]:
        """The group's ownerships as the SDK wants them; `last_modified_time` is a float, whatever its docstring says.

        The SDK compares it with its own `time.time()` and its own expiration. So it is counted back from when the lease
        ends by the database: whatever this host's clock says, and whatever its owner was promised, the SDK takes for
        live what is live.
        """
        self._require_group(ConsumerGroup(fully_qualified_namespace, eventhub_name, consumer_group))
        return [self._as_sdk_ownership(ownership) for ownership in self.ownerships()]

    def claim_ownership(self, ownership_list: Iterable[dict[str, Any]], **kwargs: Any) -> list[dict[str, Any]]:
        """Compare-and-set by etag, row by row; what was not won is left out of the result.

        The SDK's balancer also "steals" live partitions from whoever has most. Here only an expired lease can be taken:
        a steal would end a worker in the middle of its work. Instead the client is announced as a member of the group
        that takes as many partitions as it asks for: supervisors drain and release what is its share, and it claims
        that at its next round.

        Raises what `claim` raises, except for a release, which the SDK takes for something that cannot fail.
        """
        wanted = list(ownership_list)
        for row in wanted:
            self._require_group(_group_of(row))
        try:
            won = self._claim_rows(wanted)
            self._announce(wanted)
        except EvsupError:
            if any(row["owner_id"] for row in wanted):
                raise  # on_error gets it, and what is being read goes on
            return []  # The SDK's receive() would end with it, and go on to renew what nobody reads: leases expire.
        return won

    def update_checkpoint(self, checkpoint: Mapping[str, Any], **kwargs: Any) -> None:
        """Write a position for the SDK, under the epoch of the last claim this store object made for the partition.

        The SDK does not say who writes. The claim came through the same store object, so its epoch is known here and
        fences an SDK client that lost the partition exactly as it fences a worker. Without a claim (a client that
        receives one partition by its id balances nothing) there is no epoch to write under: refused.

        What the client read is not in Snowflake through us. So its first checkpoint of each claim begins the
        partition's next channel: the token of the present one would contradict the new position.
        Raises `OwnershipLost`, `CheckpointMovedBack` and what `save_checkpoint` raises; nothing is swallowed.
        """
        self._require_group(_group_of(checkpoint))
        partition_id = checkpoint["partition_id"]
        stored, epoch = self.load_checkpoint(partition_id), self._sdk_epochs.get(partition_id)
        if stored is None or epoch is None:
            raise OwnershipLost(
                f"The checkpoint of partition {partition_id} was not written",
                "this client has not claimed the partition through this store",
                "Receive without partition_id, so that the SDK claims what it reads.",
            )
        number = checkpoint["sequence_number"]
        begins_after = number if stored.begins_channel else stored.begins_after  # no row of ours is in it yet
        position = {"sequence_number": number, "offset": checkpoint["offset"], "begins_after": begins_after}
        moved = replace(stored, epoch=epoch, enqueued_at_s=None, **position)
        is_ahead = stored.sequence_number is None or number > stored.sequence_number
        if is_ahead and self._sdk_channels.get(partition_id) != epoch:
            self.move_checkpoint(moved, self._sdk_owner_id, "checkpoint of an Azure SDK client")
            self._sdk_channels[partition_id] = epoch
        else:
            self.save_checkpoint(moved)

    def list_checkpoints(
        self, fully_qualified_namespace: str, eventhub_name: str, consumer_group: str, **kwargs: Any
    ) -> list[dict[str, Any]]:
        """The group's positions as the SDK wants them; partitions that have none yet are left out.

        The SDK goes by the offset alone. Where a position has none (imported, set by hand, or of a worker that was
        killed between two commits) the offset is the sequence number as an int, which the SDK takes for one wherever it
        takes a position.
        """
        self._require_group(ConsumerGroup(fully_qualified_namespace, eventhub_name, consumer_group))
        return [self._as_sdk_checkpoint(stored) for stored in self.checkpoints() if stored.sequence_number is not None]

    def _claim_rows(self, wanted: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        won = []
        for row in wanted:
            ownership = self.compare_and_set(row["partition_id"], row["owner_id"], row.get("etag"))
            if ownership is not None:
                self._remember_epoch(ownership)
                won.append(self._as_sdk_ownership(ownership))
        return won

    def _announce(self, wanted: Sequence[Mapping[str, Any]]) -> None:
        """Say that the client lives and how much it would hold; one that releases a partition is about to leave."""
        for owner_id in {row["owner_id"] for row in wanted}:
            if owner_id:
                self.heartbeat(SupervisorRow(owner_id, socket.gethostname(), os.getpid(), len(wanted), SDK_VERSION))
                self._sdk_owner_id = owner_id
            elif self._sdk_owner_id:
                self.retire(self._sdk_owner_id)

    def _remember_epoch(self, ownership: Ownership) -> None:
        if ownership.owner_id:
            self._sdk_epochs[ownership.partition_id] = ownership.epoch
        else:
            self._sdk_epochs.pop(ownership.partition_id, None)

    def _require_group(self, group: ConsumerGroup) -> None:
        """Azure's names ignore case; rows under another spelling would be a second ownership of the same partitions."""
        if group.key != self.group.key:
            raise ConfigurationError(
                "The control store was opened for another consumer group",
                f"opened for {self.group}, called for {group}",
                "Give each EventHubConsumerClient a store of its own group.",
            )

    def _as_sdk_ownership(self, ownership: Ownership) -> dict[str, Any]:
        renewed_s = self.ownership_expiration_s - ownership.ends_in_s
        return self._as_sdk_key(ownership.partition_id) | {
            "owner_id": ownership.owner_id,
            "etag": ownership.etag,
            "last_modified_time": time.time() - renewed_s,
        }

    def _as_sdk_checkpoint(self, stored: Checkpoint) -> dict[str, Any]:
        # https://github.com/Azure/azure-sdk-for-python/blob/main/sdk/eventhub/azure-eventhub/azure/eventhub/_eventprocessor/_eventprocessor_mixin.py
        offset = stored.offset or stored.sequence_number
        if not offset:
            raise ConfigurationError(
                f"The Azure SDK cannot start from the checkpoint of partition {stored.partition_id}",
                "it has sequence number 0 and no offset, which the SDK takes for none",
                "Let evsup read this partition for a moment.",
            )
        return self._as_sdk_key(stored.partition_id) | {"sequence_number": stored.sequence_number, "offset": offset}

    def _as_sdk_key(self, partition_id: str) -> dict[str, Any]:
        return {
            "fully_qualified_namespace": self.group.fully_qualified_namespace,
            "eventhub_name": self.group.eventhub_name,
            "consumer_group": self.group.consumer_group,
            "partition_id": partition_id,
        }


def _group_of(row: Mapping[str, Any]) -> ConsumerGroup:
    return ConsumerGroup(row["fully_qualified_namespace"], row["eventhub_name"], row["consumer_group"])

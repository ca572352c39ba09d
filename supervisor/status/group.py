"""The consumer group as the control store shows it: every supervisor and partition, on this host and others."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec
from msgspec.structs import replace

from shared.model import Checkpoint, Ownership, SupervisorRow, by_number, lag
from shared.timeout import side_by_side
from supervisor.version import JSON_VERSION

if TYPE_CHECKING:
    from shared.control.store import ControlStore


ASKED_AT_ONCE = 8

Lease: TypeAlias = Literal["held", "expired", "free", "gone"]


class GroupSupervisor(msgspec.Struct, frozen=True, kw_only=True):
    """One supervisor, by its heartbeat."""

    owner_id: str
    """Under which it holds leases."""
    host: str
    """Its name."""
    pid: int
    """On that host."""
    evsup: str
    """Its version."""
    capacity: int | None
    """The most partitions it may hold; None: no limit. 0 while it drains."""
    partitions: int
    """How many it holds."""
    age_s: float
    """Seconds since its last heartbeat."""
    is_live: bool
    """Whether its last heartbeat is young enough."""


class GroupPartition(msgspec.Struct, frozen=True, kw_only=True):
    """One partition, by its ownership and checkpoint rows."""

    partition: str
    """Its id."""
    lease: Lease
    """`gone`: the hub no longer has the partition, and nobody holds it."""
    owner_id: str | None
    """Who holds it, or held it last; None: it was released."""
    host: str | None
    """Of the owner, while its heartbeat is there."""
    epoch: int
    """Grows by one at every change of owner."""
    age_s: float | None
    """Seconds since the lease was renewed."""
    checkpointed: int | None
    """Sequence number of the checkpoint; None: nothing is checkpointed yet."""
    begins_after: int | None = None
    """The event after which the partition begins, where nothing is checkpointed yet."""
    lag: int | None
    """Events in the partition beyond the checkpoint; None when the hub was not asked or did not answer."""
    time_to_loss_s: float | None = None
    """Of a partition that nobody holds: seconds until the event after the checkpoint may leave the hub, 0 when events
    are lost already. None: no event waits, or the time is not known, or somebody holds the partition and shows it."""


class GroupStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The consumer group. It is healthy when every partition of the hub has a live lease."""

    version: int = JSON_VERSION
    """Of the document."""
    healthy: bool
    """Whether every partition of the hub has a live lease."""
    source: str
    """Namespace and hub."""
    consumer_group: str
    """Its name."""
    store: str
    """Kind of the control store."""
    supervisors: tuple[GroupSupervisor, ...]
    """Those with a heartbeat, on this host and others."""
    partitions: tuple[GroupPartition, ...]
    """Those of the hub, and those with a row in the control store."""


def read_group(store: "ControlStore", kind: str, last: Mapping[str, int]) -> GroupStatus:
    """The group, by three reads of the store; blocks and raises as they do.

    `last` is the last sequence number of each of the hub's partitions; when it is empty, only the rows are known.
    """
    # Three transactions, so a partition that moves in between may be shown with the owner before.
    owned = {row.partition_id: row for row in store.ownerships()}
    checkpoints = {row.partition_id: row for row in store.checkpoints()}
    hosts = {row.owner_id: row for row in store.supervisors()}
    everything = sorted({*last, *owned, *checkpoints}, key=by_number)
    partitions = tuple(_partition(each, owned.get(each), checkpoints.get(each), hosts, last) for each in everything)
    held = Counter(row.owner_id for row in partitions if row.lease == "held")
    return GroupStatus(
        # A group that nobody has begun is not healthy because it lacks nothing.
        healthy=held.total() > 0 and all(row.lease in ("held", "gone") for row in partitions),
        source=store.group.hub,
        consumer_group=store.group.consumer_group,
        store=kind,
        supervisors=tuple(_supervisor(row, held) for row in hosts.values()),
        partitions=partitions,
    )


def with_losses(group: GroupStatus, loss_s: Callable[[str, int | None], float | None]) -> GroupStatus:
    """The same group, with the time to loss of the partitions that nobody holds and in which events wait.

    `loss_s` is called for each of them, with the partition and its checkpoint, on several threads.
    """
    # Only those: a supervisor that holds a partition shows its time to loss itself, and each question takes seconds.
    waiting = {row.partition: _reached(row) for row in group.partitions if row.lag and row.lease != "held"}
    with side_by_side(ASKED_AT_ONCE, "losses") as pool:
        losses = dict(zip(waiting, pool.map(loss_s, waiting, waiting.values()), strict=True))
    partitions = (replace(row, time_to_loss_s=losses.get(row.partition)) for row in group.partitions)
    return replace(group, partitions=tuple(partitions))


def _supervisor(row: SupervisorRow, held: Mapping[str | None, int]) -> GroupSupervisor:
    return GroupSupervisor(
        owner_id=row.owner_id,
        host=row.host,
        pid=row.pid,
        evsup=row.version,
        capacity=row.capacity,
        partitions=held.get(row.owner_id, 0),
        age_s=round(row.age_s, 1),
        is_live=row.is_live,
    )


def _partition(
    partition_id: str,
    owned: Ownership | None,
    checkpoint: Checkpoint | None,
    hosts: Mapping[str, SupervisorRow],
    last: Mapping[str, int],
) -> GroupPartition:
    owner_id = owned.owner_id if owned else ""
    position = checkpoint.durable_up_to if checkpoint else None
    return GroupPartition(
        partition=partition_id,
        lease=_lease(owned, is_removed=bool(last) and partition_id not in last),
        owner_id=owner_id or None,
        host=hosts[owner_id].host if owner_id in hosts else None,
        epoch=owned.epoch if owned else 0,
        age_s=round(owned.age_s, 1) if owned and owner_id else None,
        checkpointed=checkpoint.sequence_number if checkpoint else None,
        begins_after=position if checkpoint and checkpoint.sequence_number is None else None,
        lag=lag(last[partition_id], position) if partition_id in last else None,
    )


def _reached(row: GroupPartition) -> int | None:
    return row.begins_after if row.checkpointed is None else row.checkpointed


def _lease(owned: Ownership | None, *, is_removed: bool) -> Lease:
    if owned and owned.is_live:
        return "held"
    if is_removed:
        return "gone"
    return "expired" if owned and owned.owner_id else "free"

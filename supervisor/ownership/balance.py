"""Which partitions to claim and which to hand over: a pure decision over what the control store shows.

Every member of the group has a share: as many partitions as any other member, within its capacity. All members compute
the same shares from the same rows, so none has to be asked. A member that holds less claims what is free, or waits for
it. A member that holds more drains its surplus and releases it. A live lease is never taken.

A hub may get more partitions while members run, and a member may not know of them yet: the hub did not answer it, or it
is of an older version, which asks once at its start. Two rules have every partition read all the same. Shares are
counted over all partitions that the hub has or that anybody holds. And a partition that its member does not claim is
claimed by another one (`passive_members`).
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal, TypeAlias

from shared.model import Ownership, SupervisorRow, by_number

Strategy: TypeAlias = Literal["greedy", "balanced"]


@dataclass(frozen=True, slots=True)
class GroupView:
    """What the control store shows of a consumer group, and what this supervisor holds of it."""

    partition_ids: Collection[str]
    """Those of the hub, as far as this supervisor knows."""
    ownerships: Collection[Ownership]
    supervisors: Collection[SupervisorRow]
    held: Collection[str] = ()
    leaving: Collection[str] = ()
    """Those of `held` that are being handed over: their workers drain already."""
    spare: Mapping[str, int] = field(default_factory=dict)
    """By owner id, for passive members: how many partitions more than it holds the member is counted on for."""
    overdue: Collection[str] = ()
    """Free partitions that another member has not claimed for too long: anybody with room claims them."""


@dataclass(frozen=True, slots=True)
class HeldElsewhere:
    """A live lease of another owner."""

    partition: str
    """Its id."""
    owner_id: str
    """Who holds it."""
    ends_in_s: float
    """Seconds until the lease ends unless it is renewed."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """What one balancing round decided."""

    claim: tuple[str, ...] = ()
    surplus: tuple[str, ...] = ()
    """Held beyond the share: to be drained and released."""
    unowned: tuple[str, ...] = ()
    """Partitions that nobody holds and no member has capacity for."""
    elsewhere: tuple[HeldElsewhere, ...] = ()
    """The live leases of other members."""
    is_waiting: bool = False
    """Whether this member holds less than its share, and the rest is about to be released or to expire."""
    for_others: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By owner id: the free partitions that other members are to claim."""


def assign(view: GroupView, me: SupervisorRow, strategy: Strategy = "greedy") -> Assignment:
    """Claim up to the share of `me` from what is free, hand over what is held beyond it.

    A partition is free if it was never claimed, was released, or was not renewed for as long as its owner was promised.
    Also free is one that the store shows as owned by `me` and that is not in `held`: the reply to its claim was lost,
    so it is claimed again. `greedy` moves everything at once, `balanced` one partition a round, as the Azure SDK's
    strategies of these names do.
    """
    elsewhere = _live_elsewhere(view, me)
    taken = {lease.partition for lease in elsewhere}.union(view.held)
    free = [partition for partition in view.partition_ids if partition not in taken]
    # What this member holds is counted from its own terms: the store may not show the last claim yet.
    holding = held_by(elsewhere) + Counter({me.owner_id: len(view.held)})
    # With those that others hold and this member does not know of, or all shares would be too small.
    total = len(taken) + len(free)
    share = shares(_capacities(view, me, holding, total), holding, total)
    # Sorted, because all members have to deal out the free partitions in the same order.
    room = {owner: max(0, share[owner] - holding[owner]) for owner in sorted(share)}
    allotted = _allotted(free, room)
    mine = allotted[me.owner_id]
    claim, surplus = (*mine, *_beyond_share(view, me, free, mine)), _surplus(view, share[me.owner_id])
    if strategy == "balanced":
        claim, surplus = claim[:1], surplus[: 0 if view.leaving else 1]
    return Assignment(
        claim=claim,
        surplus=surplus,
        unowned=tuple(free[sum(room.values()) :]),
        elsewhere=elsewhere,
        is_waiting=room[me.owner_id] > len(mine),
        for_others={owner: partitions for owner, partitions in allotted.items() if partitions and owner != me.owner_id},
    )


def _beyond_share(view: GroupView, me: SupervisorRow, free: Sequence[str], mine: Collection[str]) -> Sequence[str]:
    """What others leave unclaimed, within the capacity: a partition that nobody reads is worse than unequal shares."""
    others = [partition for partition in free if partition in view.overdue and partition not in mine]
    return others if me.capacity is None else others[: max(0, me.capacity - len(view.held) - len(mine))]


def _surplus(view: GroupView, share: int) -> tuple[str, ...]:
    staying = [partition for partition in view.held if partition not in view.leaving]
    # The lowest ids are handed over first: a hub adds partitions at the end, so every member knows the first ones.
    return tuple(sorted(staying, key=by_number)[: max(0, len(staying) - share)])


def starting(view: GroupView, me: SupervisorRow, assignment: Assignment) -> int:
    """How many members start workers now, with `me`: the others have just claimed something, or are about to.

    A round renews what a member holds and then sends its heartbeat. So a lease that is younger than its owner's
    heartbeat was claimed since.
    """
    seen_s = {row.owner_id: row.last_seen_s for row in view.supervisors if row.is_live and row.last_seen_s is not None}
    claimed = {
        row.owner_id
        for row in view.ownerships
        if row.is_live and row.last_modified_s > seen_s.get(row.owner_id, float("inf"))
    }
    return len({me.owner_id, *claimed, *assignment.for_others})


def held_by(leases: Collection[HeldElsewhere]) -> Counter[str]:
    """How many of these leases each owner has."""
    return Counter(lease.owner_id for lease in leases)


def by_owner(leases: Collection[HeldElsewhere]) -> dict[str, list[str]]:
    """The partitions of these leases, by owner id."""
    owners: dict[str, list[str]] = {}
    for lease in leases:
        owners.setdefault(lease.owner_id, []).append(lease.partition)
    return owners


def shares(capacity: Mapping[str, int], holding: Mapping[str, int], total: int) -> dict[str, int]:
    """How many of `total` partitions each member is to hold: equal numbers, as far as its capacity goes.

    What cannot be divided evenly goes to the members that hold most, so that no partition moves without need.
    """
    share = dict.fromkeys(capacity, 0)
    for _ in range(min(total, sum(capacity.values()))):
        smallest = min(
            (owner for owner in share if share[owner] < capacity[owner]),
            key=lambda owner: (share[owner], -holding.get(owner, 0), owner),
        )
        share[smallest] += 1
    return share


def _allotted(free: Sequence[str], room: Mapping[str, int]) -> dict[str, tuple[str, ...]]:
    """Which free partitions each member is to claim: in one order for all, so that no two claim the same."""
    rest = iter(free)
    return {owner: tuple(islice(rest, count)) for owner, count in room.items()}


def _live_elsewhere(view: GroupView, me: SupervisorRow) -> tuple[HeldElsewhere, ...]:
    return tuple(
        HeldElsewhere(row.partition_id, row.owner_id, row.ends_in_s)
        for row in view.ownerships
        if row.is_live and row.owner_id != me.owner_id and row.partition_id not in view.held
    )


def _capacities(view: GroupView, me: SupervisorRow, holding: Mapping[str, int], total: int) -> dict[str, int]:
    """How many partitions each member may hold. One without a heartbeat keeps what it holds, and gets no more."""
    alive = [row for row in view.supervisors if row.is_live]
    most = {row.owner_id: total if row.capacity is None else row.capacity for row in (*alive, me)}
    passive = {owner: holding.get(owner, 0) + spare for owner, spare in view.spare.items()}
    return {**holding, **{owner: min(capacity, passive.get(owner, total)) for owner, capacity in most.items()}}

"""Which partitions to claim: a pure decision over what the control store shows."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from shared.store.types import Ownership


@dataclass(frozen=True, slots=True)
class Plan:
    """What one balancing round is to do."""

    claim: tuple[str, ...]
    unowned: tuple[str, ...]
    """Partitions that nobody holds and this supervisor has no room for."""


def plan(
    partition_ids: Collection[str],
    ownerships: Collection[Ownership],
    me: str,
    held: Collection[str],
    capacity: int | None,
    expiration_s: float,
    strategy: Literal["greedy", "balanced"] = "greedy",
) -> Plan:
    """Claim what is free, up to `capacity`: never claimed, released, or not renewed for `expiration_s`.

    `greedy` takes all of it at once, `balanced` one a round, as the Azure SDK's strategies of these names do. A live
    lease is never claimed, unless it is `me`'s own and not in `held`: a claim whose reply was lost is asked for again.
    """
    live = {row.partition_id for row in ownerships if row.owner_id not in ("", me) and row.age_s < expiration_s}
    free = [partition for partition in partition_ids if partition not in live and partition not in held]
    room = len(free) if capacity is None else max(0, capacity - len(held))
    wanted = free[: min(room, 1) if strategy == "balanced" else room]
    return Plan(tuple(wanted), tuple(free[room:]))

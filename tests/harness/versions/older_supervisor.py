"""A supervisor as it was before it asked again for the hub's partitions: it knows those of its start, and no other.

It is kept because a rolling restart has supervisors of both versions in one group.
"""

from collections import Counter

from shared.model import SupervisorRow
from supervisor.ownership.balance import Assignment, GroupView, shares
from supervisor.ownership.leases import Leases


class OlderLeases(Leases):
    """Decides over the partitions of its start."""

    def decide(self, view: GroupView) -> Assignment:
        return older_assignment(view, self.me)


def older_assignment(view: GroupView, me: SupervisorRow) -> Assignment:
    """Claims and surplus, greedily."""
    known = [row for row in view.ownerships if row.partition_id in view.partition_ids]
    live = [row for row in known if row.is_live and row.owner_id != me.owner_id and row.partition_id not in view.held]
    taken = {row.partition_id for row in live}
    free = [each for each in view.partition_ids if each not in taken and each not in view.held]
    holding = Counter(row.owner_id for row in live) + Counter({me.owner_id: len(view.held)})
    total = len(view.partition_ids)
    alive = [row for row in view.supervisors if row.is_live and row.owner_id != me.owner_id]
    counted = {row.owner_id: total if row.capacity is None else row.capacity for row in (*alive, me)}
    share = shares({**holding, **counted}, holding, total)
    room = {owner: max(0, share[owner] - holding[owner]) for owner in sorted(share)}
    before_me = sum(count for owner, count in room.items() if owner < me.owner_id)
    staying = [each for each in view.held if each not in view.leaving]
    return Assignment(tuple(free[before_me : before_me + room[me.owner_id]]), tuple(staying[share[me.owner_id] :]))

"""How long partitions are left to other members of the group, and who has not taken what was left to it.

A member may not claim its share because it does not know that the partitions exist: it cannot ask the hub, or it is of
an older version, which asks once at its start. What is left lying is then anybody's, and the member is passive: it is
not counted on for more than it holds. After a while it is tried with one partition, for two rounds of balancing. When
it takes that, it is counted on again, as at first. When it does not, the next trial comes much later: most of
these members never learn of more, and a partition is not read while it is tried.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from shared.config.settings import EventHubSettings
from supervisor.ownership.balance import Assignment, held_by

TRIED_LEASES = 3  # a passive member is tried for the first time after so many lease times
TRIAL_ROUNDS = 2  # one that lives and knows the partition looks within one
RARER = 4.0  # each vain trial makes the pause before the next one so many times as long
MOST_VAIN = 4  # but no longer than this many of them do: some 13 hours with a lease of 60 s


@dataclass(frozen=True, slots=True)
class Doubt:
    """Since when a member leaves free partitions lie, how many it held then, and how often it was tried in vain."""

    held: int
    since_s: float
    vain: int = 0
    lying_since_s: float = float("inf")
    """Since when what is left to it lies there; infinite while nothing does."""


@dataclass(frozen=True, slots=True)
class PassiveMembers:
    """What was left to others, as of the last look at the group. Times are moments on the monotonic clock."""

    limit_s: float
    tried_after_s: float
    trial_s: float
    left_since_s: Mapping[str, float] = field(default_factory=dict)
    """By partition."""
    doubts: Mapping[str, Doubt] = field(default_factory=dict)
    """By owner id."""

    @classmethod
    def of(cls, settings: EventHubSettings) -> "PassiveMembers":
        """Members look once an interval. One and a half of them are kept back, for others to notice what is left
        lying: so nothing is free for longer than a lease.
        """
        lease_s, interval_s = settings.ownership_expiration, settings.load_balancing_interval
        return cls(lease_s - 1.5 * interval_s, TRIED_LEASES * lease_s, TRIAL_ROUNDS * interval_s)

    def overdue(self, now_s: float) -> tuple[str, ...]:
        """Partitions that were left lying for too long."""
        return tuple(each for each, since_s in self.left_since_s.items() if now_s - since_s >= self.limit_s)

    def spare(self, now_s: float) -> dict[str, int]:
        """How many partitions more than it holds a member in doubt is counted on for."""
        return {owner: int(self._is_tried(doubt, now_s)) for owner, doubt in self._passive(now_s)}

    def after(self, plan: Assignment, now_s: float) -> "PassiveMembers":
        """What is known after one more look."""
        holding, passive = held_by(plan.elsewhere), dict(self._passive(now_s))
        left = {partition for partitions in plan.left.values() for partition in partitions}
        left_since_s = {each: self.left_since_s.get(each, now_s) for each in left}
        # What nobody took before it was left to this member is in doubt for as long as it lies there.
        lying_since_s = {owner: min(left_since_s[each] for each in left) for owner, left in plan.left.items()}
        doubts = {owner: Doubt(holding[owner], since_s, 0, since_s) for owner, since_s in lying_since_s.items()}
        for owner, doubt in self.doubts.items():
            if holding[owner] > doubt.held or not (owner in plan.left or owner in passive):
                continue
            known = replace(doubt, held=holding[owner], lying_since_s=lying_since_s.get(owner, float("inf")))
            again = replace(known, since_s=now_s - self.limit_s, vain=min(doubt.vain + 1, MOST_VAIN))
            doubts[owner] = again if self._is_vain(doubt, now_s) else known
        return replace(self, left_since_s=left_since_s, doubts=doubts)

    def ends_in_s(self, now_s: float) -> float:
        """Seconds until the next partition is overdue or a trial is in vain, infinite without one."""
        ends_s = [since_s + self.limit_s - now_s for since_s in self.left_since_s.values()]
        tried = (doubt for _, doubt in self._passive(now_s) if self._is_tried(doubt, now_s))
        ends_s += [doubt.lying_since_s + self.trial_s - now_s for doubt in tried]
        return min((each for each in ends_s if each > 0), default=float("inf"))

    def _passive(self, now_s: float) -> Iterator[tuple[str, Doubt]]:
        return ((owner, doubt) for owner, doubt in self.doubts.items() if now_s - doubt.since_s >= self.limit_s)

    def _tried_for_s(self, doubt: Doubt, now_s: float) -> float:
        """How long the trial lasts already; less than 0 before it."""
        return now_s - doubt.since_s - self.limit_s - self.tried_after_s * RARER**doubt.vain

    def _is_tried(self, doubt: Doubt, now_s: float) -> bool:
        return self._tried_for_s(doubt, now_s) >= 0 and not self._is_vain(doubt, now_s)

    def _is_vain(self, doubt: Doubt, now_s: float) -> bool:
        """Whether a trial is over: something has lain there for two rounds, or none came free, or another took it."""
        tried_s = self._tried_for_s(doubt, now_s)
        return tried_s >= self.limit_s or (tried_s >= 0 and now_s - doubt.lying_since_s >= self.trial_s)

"""How long partitions are left to other members of the group, and who has not taken what was left to it.

A member may not claim its share because it does not know that the partitions exist: it cannot ask the hub, or it is of
an older version, which asks once at its start. What is left lying is then anybody's, and the member is passive: it is
not counted on for more than it holds. After a while it is tried with one partition; when it takes that, it is counted
on again, as at first.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from shared.config.settings import EventHubSettings
from supervisor.ownership.balance import Plan, held_by

TRIED_LEASES = 3  # a passive member is tried again after so many lease times


@dataclass(frozen=True, slots=True)
class Doubt:
    """Since when a member leaves free partitions lie, and how many it held then."""

    held: int
    since_s: float


@dataclass(frozen=True, slots=True)
class Patience:
    """What was left to others, as of the last look at the group. Times are moments on the monotonic clock."""

    limit_s: float
    tried_after_s: float
    left_since_s: Mapping[str, float] = field(default_factory=dict)
    """By partition."""
    doubts: Mapping[str, Doubt] = field(default_factory=dict)
    """By owner id."""

    @classmethod
    def of(cls, settings: EventHubSettings) -> "Patience":
        """Members look once an interval. One and a half of them are kept back, for others to notice what is left
        lying: so nothing is free for longer than a lease.
        """
        lease_s = settings.ownership_expiration
        return cls(lease_s - 1.5 * settings.load_balancing_interval, TRIED_LEASES * lease_s)

    def overdue(self, now_s: float) -> tuple[str, ...]:
        """Partitions that were left lying for too long."""
        return tuple(each for each, since_s in self.left_since_s.items() if now_s - since_s >= self.limit_s)

    def spare(self, now_s: float) -> dict[str, int]:
        """How many partitions more than it holds a member in doubt is counted on for."""
        return {owner: int(self._is_tried(doubt, now_s)) for owner, doubt in self._passive(now_s)}

    def after(self, plan: Plan, now_s: float) -> "Patience":
        """What is known after one more look."""
        holding, passive = held_by(plan.elsewhere), dict(self._passive(now_s))
        doubts = {owner: Doubt(holding[owner], now_s) for owner in plan.left}
        for owner, doubt in self.doubts.items():
            if holding[owner] > doubt.held or not (owner in plan.left or owner in passive):
                continue
            # One that was tried and left that lying as well is passive for as long again.
            is_vain = owner in passive and not set(plan.left.get(owner, ())).isdisjoint(self.overdue(now_s))
            doubts[owner] = Doubt(holding[owner], now_s - self.limit_s if is_vain else doubt.since_s)
        left = {partition for partitions in plan.left.values() for partition in partitions}
        left_since_s = {each: self.left_since_s.get(each, now_s) for each in left}
        return replace(self, left_since_s=left_since_s, doubts=doubts)

    def ends_in_s(self, now_s: float) -> float:
        """Seconds until the next partition is overdue, infinite without one."""
        ends_s = (since_s + self.limit_s - now_s for since_s in self.left_since_s.values())
        return min((each for each in ends_s if each > 0), default=float("inf"))

    def _passive(self, now_s: float) -> Iterator[tuple[str, Doubt]]:
        return ((owner, doubt) for owner, doubt in self.doubts.items() if now_s - doubt.since_s >= self.limit_s)

    def _is_tried(self, doubt: Doubt, now_s: float) -> bool:
        return now_s - doubt.since_s >= self.limit_s + self.tried_after_s

"""Partitions that other members of the group leave unclaimed, and the members that leave them: a pure value.

A member may not claim its share because it does not know that the partitions exist: it cannot ask the hub, or it is of
an older version, which asks once at its start. A partition that it leaves for too long is then anybody's, and the
member is *passive*: the others do not count on it for more than it holds.

Later a passive member is tried with one partition, for two balancing rounds. If it claims that, it is counted on again.
If it does not, the next trial comes much later: most of these members never learn of more partitions, and a partition
is not read while it is tried.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from shared.config.settings import EventHubSettings
from supervisor.ownership.balance import Assignment, held_by

FIRST_TRIAL_LEASES = 3  # a passive member is tried for the first time after so many lease times
TRIAL_ROUNDS = 2  # a member that runs and knows the partition balances within one
TRIAL_BACKOFF = 4.0  # each failed trial makes the pause before the next one so many times as long
MOST_FAILED = 4  # more failed trials lengthen the pause no further: some 13 hours with a lease of 60 s


@dataclass(frozen=True, slots=True)
class Doubt:
    """A member that leaves free partitions unclaimed. Times are on the monotonic clock."""

    held: int
    """How many partitions it held when the doubt began."""
    since_s: float
    failed_trials: int = 0
    unclaimed_since_s: float = float("inf")
    """Since when what is left to it is unclaimed; infinite while nothing is."""


@dataclass(frozen=True, slots=True)
class PassiveMembers:
    """What was left to others, as of the last balancing round. Times are on the monotonic clock."""

    limit_s: float
    """How long a partition may stay unclaimed before it is anybody's, and its member passive."""
    first_trial_s: float
    """How long a member is passive before its first trial."""
    trial_s: float
    """How long a trial lasts."""
    unclaimed_since_s: Mapping[str, float] = field(default_factory=dict)
    """By partition."""
    doubts: Mapping[str, Doubt] = field(default_factory=dict)
    """By owner id."""

    @classmethod
    def of(cls, settings: EventHubSettings) -> "PassiveMembers":
        """Nobody yet. A partition is overdue one and a half balancing intervals before a lease time has passed.

        Members balance once an interval, so another one has claimed it before that time is over.
        """
        lease_s, interval_s = settings.ownership_expiration, settings.load_balancing_interval
        return cls(lease_s - 1.5 * interval_s, FIRST_TRIAL_LEASES * lease_s, TRIAL_ROUNDS * interval_s)

    def overdue(self, now_s: float) -> tuple[str, ...]:
        """Partitions that have been unclaimed for too long."""
        return tuple(each for each, since_s in self.unclaimed_since_s.items() if now_s - since_s >= self.limit_s)

    def spare(self, now_s: float) -> dict[str, int]:
        """How many partitions more than it holds each passive member is counted on for."""
        return {owner: int(self._is_tried(doubt, now_s)) for owner, doubt in self._passive(now_s)}

    def after(self, assignment: Assignment, now_s: float) -> "PassiveMembers":
        """What is known after one more balancing round."""
        holding, passive = held_by(assignment.elsewhere), dict(self._passive(now_s))
        unclaimed = (partition for partitions in assignment.for_others.values() for partition in partitions)
        unclaimed_since_s = {each: self.unclaimed_since_s.get(each, now_s) for each in unclaimed}
        # A partition may have been left to another member before: this one is in doubt for all of that time.
        owner_since_s = {
            owner: min(unclaimed_since_s[each] for each in partitions)
            for owner, partitions in assignment.for_others.items()
        }
        doubts = {owner: Doubt(holding[owner], since_s, 0, since_s) for owner, since_s in owner_since_s.items()}
        for owner, doubt in self.doubts.items():
            has_claimed = holding[owner] > doubt.held
            if has_claimed or not (owner in assignment.for_others or owner in passive):
                continue
            known = replace(doubt, held=holding[owner], unclaimed_since_s=owner_since_s.get(owner, float("inf")))
            failed = replace(
                known, since_s=now_s - self.limit_s, failed_trials=min(doubt.failed_trials + 1, MOST_FAILED)
            )
            doubts[owner] = failed if self._is_trial_over(doubt, now_s) else known
        return replace(self, unclaimed_since_s=unclaimed_since_s, doubts=doubts)

    def ends_in_s(self, now_s: float) -> float:
        """Seconds until the next partition is overdue or a trial is over, infinite without one."""
        ends_s = [since_s + self.limit_s - now_s for since_s in self.unclaimed_since_s.values()]
        tried = (doubt for _, doubt in self._passive(now_s) if self._is_tried(doubt, now_s))
        ends_s += [doubt.unclaimed_since_s + self.trial_s - now_s for doubt in tried]
        return min((each for each in ends_s if each > 0), default=float("inf"))

    def _passive(self, now_s: float) -> Iterator[tuple[str, Doubt]]:
        return ((owner, doubt) for owner, doubt in self.doubts.items() if now_s - doubt.since_s >= self.limit_s)

    def _tried_for_s(self, doubt: Doubt, now_s: float) -> float:
        """How long the trial has lasted; negative before it."""
        pause_s = self.first_trial_s * TRIAL_BACKOFF**doubt.failed_trials
        return now_s - doubt.since_s - self.limit_s - pause_s

    def _is_tried(self, doubt: Doubt, now_s: float) -> bool:
        return self._tried_for_s(doubt, now_s) >= 0 and not self._is_trial_over(doubt, now_s)

    def _is_trial_over(self, doubt: Doubt, now_s: float) -> bool:
        """Its partition was unclaimed for two rounds, or no partition came free, or another member took it."""
        tried_s = self._tried_for_s(doubt, now_s)
        return tried_s >= self.limit_s or (tried_s >= 0 and now_s - doubt.unclaimed_since_s >= self.trial_s)

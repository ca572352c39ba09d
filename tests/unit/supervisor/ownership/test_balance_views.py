"""Members that know different numbers of partitions: nothing that was read stays without an owner."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.model import Ownership, SupervisorRow
from supervisor.ownership.balance import Assignment, GroupView, Strategy, assign
from supervisor.ownership.passive_members import PassiveMembers
from tests.harness.versions.older_supervisor import older_assignment
from tests.unit.plain_settings import eventhub

EXPIRATION_S, INTERVAL_S = 60.0, 10.0
HOUR_S = 3600.0
NEW = PassiveMembers.of(eventhub(ownership_expiration=EXPIRATION_S, load_balancing_interval=INTERVAL_S))
GROWTHS = [(2, 3), (2, 4), (3, 4), (4, 5), (4, 6), (4, 8), (8, 9), (8, 12), (8, 16), (32, 40), (32, 64)]


@dataclass
class Member:
    """A supervisor that knows the first `knows` partitions of the hub."""

    name: str
    knows: int
    is_older: bool = False
    """Of a version that never learns of more."""
    strategy: Strategy = "greedy"
    passive: PassiveMembers = NEW
    looks_s: float = 0.0
    """When it looks at the group next."""

    @property
    def row(self) -> SupervisorRow:
        """Its heartbeat."""
        return SupervisorRow(self.name, "host", 1, None, "0")

    def decide(self, owners: dict[str, str], members: list["Member"], now_s: float) -> Assignment:
        """One look at the group."""
        rows = [Ownership(partition, owner, "etag", 1, 0.0, 1.0, EXPIRATION_S) for partition, owner in owners.items()]
        held = [partition for partition, owner in owners.items() if owner == self.name]
        ids = [str(number) for number in range(self.knows)]
        view = GroupView(
            ids,
            rows,
            [member.row for member in members],
            held,
            (),
            self.passive.spare(now_s),
            self.passive.overdue(now_s),
        )
        self.looks_s = now_s + INTERVAL_S
        if self.is_older:
            return older_assignment(view, self.row)
        made = assign(view, self.row, self.strategy)
        self.passive = self.passive.after(made, now_s)
        self.looks_s = min(self.looks_s, now_s + self.passive.ends_in_s(now_s))
        return made


@dataclass
class Group:
    """Members that take turns over one table of owners, each once a round; a hand-over is done at once."""

    members: list[Member]
    owners: dict[str, str] = field(default_factory=dict)
    now_s: float = 0.0
    free_since_s: dict[str, float] = field(default_factory=dict)
    free_s: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    """For how long each was free in all, of what was ever read."""
    longest_free_s: float = 0.0
    """Of all that was ever read."""
    most_free: int = 0
    """Partitions without an owner at one time."""

    def rounds(self, count: float) -> "Group":
        """Each looks once a round, and when it has waited long enough for others."""
        until_s = self.now_s + count * INTERVAL_S
        while (member := min(self.members, key=lambda each: each.looks_s)).looks_s <= until_s:
            before_s, self.now_s = self.now_s, max(self.now_s, member.looks_s)
            for partition in (each for each, owner in self.owners.items() if not owner):
                self.free_s[partition] += self.now_s - before_s
            self._turn(member)
        self.now_s = until_s
        return self

    def _turn(self, member: Member) -> None:
        made = member.decide(self.owners, self.members, self.now_s)
        self.owners |= dict.fromkeys(made.surplus, "")
        self.owners |= dict.fromkeys((each for each in made.claim if not self.owners.get(each)), member.name)
        self.most_free = max(self.most_free, sum(not owner for owner in self.owners.values()))
        for partition, owner in self.owners.items():
            since_s = self.free_since_s.setdefault(partition, self.now_s)
            if owner:
                self.free_since_s[partition] = self.now_s
            self.longest_free_s = max(self.longest_free_s, self.now_s - since_s)

    @property
    def held(self) -> Counter[str]:
        """How many each member holds."""
        return Counter(owner for owner in self.owners.values() if owner)


@pytest.mark.parametrize(("before", "after"), GROWTHS)
@pytest.mark.parametrize("newer", ["a", "z"])
def test_beside_a_member_of_an_older_version_no_partition_stays_without_an_owner(
    before: int, after: int, newer: str
) -> None:
    older = Member("m", before, is_older=True)
    group = Group([older]).rounds(2)
    group.members.append(Member(newer, after))
    group.rounds(8)
    assert set(group.owners) == {str(number) for number in range(after)}
    group.most_free = 0
    group.rounds(60)
    assert group.longest_free_s <= EXPIRATION_S
    assert group.most_free <= 1, "the older one is tried with one partition at a time"


@pytest.mark.parametrize(("before", "after"), GROWTHS)
def test_once_the_last_older_member_was_restarted_shares_are_fair_and_nothing_moves(before: int, after: int) -> None:
    group = Group([Member("a", before, is_older=True), Member("b", before, is_older=True)]).rounds(3)
    for name in ("a", "b"):
        group.members = [member for member in group.members if member.name != name]
        group.owners = {partition: "" if owner == name else owner for partition, owner in group.owners.items()}
        group.members.append(Member(f"{name}-new", after))
        group.rounds(12)
    settled = dict(group.owners)
    assert max(group.held.values()) - min(group.held.values()) <= 1
    assert sum(group.held.values()) == after
    assert group.rounds(20).owners == settled


def test_a_passive_member_is_tried_again_later_and_gets_its_share_once_it_claims() -> None:
    blind, seeing = Member("a", 2), Member("b", 8)
    group = Group([blind, seeing]).rounds(20)
    assert group.held == {"a": 1, "b": 7} or group.held == {"a": 2, "b": 6}
    blind.knows = 8
    group.rounds(round((NEW.limit_s + NEW.first_trial_s) / INTERVAL_S) + 3)
    assert group.held == {"a": 4, "b": 4}
    assert group.longest_free_s <= EXPIRATION_S


@pytest.mark.parametrize("strategy", ["greedy", "balanced"])
@pytest.mark.parametrize(
    "views",
    [(4, 2), (2, 4), (8, 4), (4, 4, 8), (4, 8, 4), (8, 4, 4), (8, 2, 2), (2, 4, 8), (4, 8, 8, 4), (8, 4, 4, 8),
     (8, 4, 4, 4), (4, 4, 4, 8)],
)  # fmt: skip
def test_members_that_never_learn_of_all_partitions_keep_each_of_them_unread_for_less_than_three_minutes_an_hour(
    views: tuple[int, ...], strategy: Strategy
) -> None:
    members = [Member(name, knows, strategy=strategy) for name, knows in zip("abcd", views, strict=False)]
    for place, member in enumerate(members):
        member.looks_s = 0.3 * place * INTERVAL_S
    group = Group(members).rounds(HOUR_S / INTERVAL_S)
    assert len(group.owners) == max(views)
    assert max(group.free_s.values(), default=0.0) < HOUR_S / 20
    group.free_s.clear()
    group.rounds(3 * HOUR_S / INTERVAL_S)
    assert max(group.free_s.values(), default=0.0) < 3 * HOUR_S / 50, "later they are tried more rarely"


members = st.lists(
    st.tuples(st.integers(1, 16), st.booleans(), st.sampled_from(["greedy", "greedy", "balanced"])),
    min_size=1,
    max_size=4,
)


@settings(max_examples=50)
@given(members, st.integers(1, 12), st.permutations("abcdef"), st.integers(0, 8))
def test_whatever_members_know_no_partition_is_free_for_longer_than_a_lease_once_it_was_read(
    drawn: list[tuple[int, bool, Strategy]], total: int, names: list[str], before: int
) -> None:
    """One member knows all, which is what asking the hub gives; the others know less, and some never learn."""
    others = [Member(name, min(knows, total), is_older=older, strategy=strategy)
              for name, (knows, older, strategy) in zip(names, drawn, strict=False)]  # fmt: skip
    group = Group(list(others)).rounds(before)
    group.members.append(Member(names[-1], total))
    group.rounds(30)
    assert group.longest_free_s <= EXPIRATION_S
    assert len(group.owners) == total
    for member in group.members:
        member.knows = total if not member.is_older else member.knows
    group.rounds(30)
    assert group.longest_free_s <= EXPIRATION_S


@settings(max_examples=50)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=4), st.integers(1, 12))
def test_added_partitions_are_shared_fairly_two_rounds_after_the_last_member_knows_them(
    learned: list[int], added: int
) -> None:
    """`learned` is when each member learns of the added partitions, in tenths of a round after the first query."""
    group = Group([Member(name, 4) for name, _ in zip("abcd", learned, strict=False)]).rounds(4)
    for tenth in range(10):
        for member, at in zip(group.members, learned, strict=True):
            member.knows = 4 + added if tenth >= at else 4
        group.rounds(0.1)
    group.rounds(2)
    assert sum(group.held.values()) == 4 + added
    assert not group.held or max(group.held.values()) - min(group.held.values()) <= 1

"""What a balancing round claims, hands over and leaves, and that many of them reach fair shares and rest there."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.model import Ownership, SupervisorRow
from supervisor.ownership.balance import Assignment, GroupView, HeldElsewhere, Strategy, assign, shares, starting

IDS = ("0", "1", "2", "3")
EXPIRATION_S = 60.0
ME, OTHER, RELEASED = "me", "other", ""
STRATEGIES: tuple[Strategy, ...] = ("greedy", "balanced")


def row(partition_id: str, owner_id: str, age_s: float = 0.0) -> Ownership:
    return Ownership(partition_id, owner_id, "etag", 1, 0.0, age_s, EXPIRATION_S)


def supervisor(owner_id: str, capacity: int | None = None, age_s: float = 0.0) -> SupervisorRow:
    return SupervisorRow(owner_id, "host", 1, capacity, "0", age_s)


def planned(
    *rows: Ownership,
    held: Sequence[str] = (),
    leaving: Sequence[str] = (),
    capacity: int | None = None,
    others: Sequence[SupervisorRow] = (),
    strategy: Strategy = "greedy",
) -> Assignment:
    view = GroupView(IDS, rows, others, held, leaving)
    return assign(view, supervisor(ME, capacity), strategy)


# --- alone ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "claimed"),
    [
        ([], IDS),
        ([row("0", RELEASED)], IDS),
        ([row("0", OTHER)], ("1", "2", "3")),
        ([row("0", OTHER, EXPIRATION_S - 0.001)], ("1", "2", "3")),
        ([row("0", OTHER, EXPIRATION_S)], IDS),
        ([row("0", OTHER, EXPIRATION_S + 1)], IDS),
        ([row("0", RELEASED, 0.0), row("1", OTHER, 0.0)], ("0", "2", "3")),
        ([row(partition, OTHER) for partition in IDS], ()),
        ([row("9", OTHER)], IDS),  # of a partition the hub does not have
        ([row("0", ME)], IDS),  # a claim whose reply was lost
    ],
)
def test_partitions_that_nobody_holds_are_claimed(rows: list[Ownership], claimed: tuple[str, ...]) -> None:
    assert planned(*rows).claim == claimed


def test_a_partition_that_is_held_is_not_claimed_again_even_when_its_row_looks_expired() -> None:
    assert planned(row("0", ME, 1000.0), held=("0",)).claim == ("1", "2", "3")


@pytest.mark.parametrize(
    ("held", "capacity", "claimed", "unowned"),
    [
        ((), 2, ("0", "1"), ("2", "3")),
        (("0",), 2, ("1",), ("2", "3")),
        (("0", "1"), 2, (), ("2", "3")),
        (("0", "1", "2"), 3, (), ("3",)),
        ((), 4, IDS, ()),
        ((), 9, IDS, ()),
    ],
)
def test_no_more_is_claimed_than_the_capacity_and_the_rest_is_unowned(
    held: tuple[str, ...], capacity: int, claimed: tuple[str, ...], unowned: tuple[str, ...]
) -> None:
    assert planned(held=held, capacity=capacity) == Assignment(claimed, (), unowned)


def test_balanced_claims_one_partition_a_round_and_reports_only_those_beyond_its_capacity_as_unowned() -> None:
    assert planned(strategy="balanced") == Assignment(("0",))
    assert planned(held=("0",), capacity=2, strategy="balanced") == Assignment(("1",), (), ("2", "3"))
    assert planned(held=("0", "1"), capacity=2, strategy="balanced") == Assignment((), (), ("2", "3"))


# --- with others ------------------------------------------------------------------------------------------------------


def test_live_leases_of_other_members_are_reported_with_the_time_until_they_end() -> None:
    made = planned(row("0", OTHER, 12.0), row("1", OTHER, 61.0), row("2", RELEASED))
    assert made.elsewhere == (HeldElsewhere("0", OTHER, 48.0),)


def test_surplus_over_the_share_is_handed_over_once_and_all_at_once() -> None:
    assert planned(held=IDS, others=[supervisor(OTHER)]).surplus == ("0", "1")
    assert planned(held=IDS, leaving=("0", "1"), others=[supervisor(OTHER)]).surplus == ()


def test_the_lowest_partition_ids_are_handed_over_because_every_member_knows_them() -> None:
    held = ("9", "10", "2", "1")
    view = GroupView(("1", "2", "9", "10"), [], [supervisor(OTHER)], held)
    assert assign(view, supervisor(ME)).surplus == ("1", "2")


def test_shares_also_count_partitions_that_another_member_holds_and_this_one_does_not_know() -> None:
    unknown = [row(partition, OTHER) for partition in ("4", "5", "6")]
    made = planned(*unknown, held=IDS, others=[supervisor(OTHER)])
    assert (made.claim, made.surplus) == ((), ())
    assert {lease.partition for lease in made.elsewhere} == {"4", "5", "6"}


def test_a_partition_left_to_another_member_is_claimed_within_the_capacity_once_it_is_overdue() -> None:
    view = GroupView(IDS, [], [supervisor("another")])
    assert assign(view, supervisor(ME)).for_others == {"another": ("0", "1")}
    overdue = replace(view, overdue=("0", "1"))
    assert assign(overdue, supervisor(ME)).claim == ("2", "3", "0", "1")
    assert assign(overdue, supervisor(ME, 3)).claim == ("2", "3", "0")
    assert assign(overdue, supervisor(ME, 1)).claim == ("3",)


@pytest.mark.parametrize(("spare", "surplus"), [({}, ("0", "1")), ({OTHER: 0}, ()), ({OTHER: 1}, ("0",))])
def test_a_passive_member_gets_no_larger_share_than_it_is_counted_on_for(
    spare: dict[str, int], surplus: tuple[str, ...]
) -> None:
    view = GroupView(IDS, [], [supervisor(OTHER)], IDS, spare=spare)
    assert assign(view, supervisor(ME)).surplus == surplus


def test_balanced_hands_over_one_partition_at_a_time() -> None:
    assert planned(held=IDS, others=[supervisor(OTHER)], strategy="balanced").surplus == ("0",)
    assert planned(held=IDS, leaving=("0",), others=[supervisor(OTHER)], strategy="balanced").surplus == ()


@pytest.mark.parametrize("other", [supervisor(OTHER, 0), supervisor(OTHER, age_s=EXPIRATION_S)])
def test_nothing_is_handed_over_to_a_member_without_capacity_or_without_a_heartbeat(other: SupervisorRow) -> None:
    assert planned(held=IDS, others=[other]) == Assignment()


def test_a_member_waits_for_the_rest_of_its_share() -> None:
    made = planned(*(row(partition, OTHER) for partition in IDS), others=[supervisor(OTHER)])
    assert (made.claim, made.is_waiting) == ((), True)
    assert not planned(row("2", OTHER), row("3", OTHER), held=("0", "1"), others=[supervisor(OTHER)]).is_waiting


def test_two_members_that_see_the_same_rows_claim_different_partitions() -> None:
    first = assign(GroupView(IDS, (), [supervisor("b")]), supervisor("a"))
    second = assign(GroupView(IDS, (), [supervisor("a")]), supervisor("b"))
    assert (first.claim, second.claim) == (("0", "1"), ("2", "3"))


def test_an_owner_without_a_heartbeat_keeps_what_it_holds_and_gets_no_more() -> None:
    made = planned(row("0", "an-sdk-client"))
    assert (made.claim, made.unowned, made.surplus) == (("1", "2", "3"), (), ())


@given(
    st.lists(st.builds(row, st.sampled_from(IDS), st.sampled_from([ME, OTHER, RELEASED]), st.floats(0, 120))),
    st.frozensets(st.sampled_from(IDS)),
    st.none() | st.integers(1, 5),
    st.lists(st.builds(supervisor, st.just(OTHER), st.none() | st.integers(0, 5), st.floats(0, 120)), max_size=1),
    st.sampled_from(STRATEGIES),
)
def test_no_assignment_claims_a_live_lease_or_more_than_the_capacity(
    rows: list[Ownership],
    held: frozenset[str],
    capacity: int | None,
    others: list[SupervisorRow],
    strategy: Strategy,
) -> None:
    one_a_partition = list({entry.partition_id: entry for entry in rows}.values())
    made = planned(*one_a_partition, held=sorted(held), capacity=capacity, others=others, strategy=strategy)
    live = {entry.partition_id for entry in one_a_partition if entry.owner_id == OTHER and entry.age_s < EXPIRATION_S}
    assert not {*made.claim, *made.unowned} & (live | held)
    assert not set(made.claim) & set(made.unowned)
    assert set(made.surplus) <= held
    assert capacity is None or len(made.claim) <= max(0, capacity - len(held))
    assert not (made.claim and made.surplus)


@given(st.dictionaries(st.text("abc", min_size=1), st.integers(0, 9), min_size=1), st.integers(0, 40))
def test_shares_are_as_equal_as_capacities_allow_and_leave_nothing_over(capacity: dict[str, int], total: int) -> None:
    made = shares(capacity, {}, total)
    assert sum(made.values()) == min(total, sum(capacity.values()))
    assert all(made[owner] <= capacity[owner] for owner in made)
    below_capacity = [made[owner] for owner in made if made[owner] < capacity[owner]]
    assert not below_capacity or max(made.values()) - min(below_capacity) <= 1


# --- many rounds ------------------------------------------------------------------------------------------------------


@dataclass
class Group:
    """Supervisors that plan in turns over one table of owners; a hand-over is done by the time of the next turn."""

    capacities: dict[str, int | None]
    total: int
    strategy: Strategy
    owners: dict[str, str] = field(default_factory=dict)
    moves: int = 0

    def turn(self, me: str) -> Assignment:
        partition_ids = [str(number) for number in range(self.total)]
        rows = [row(partition, owner) for partition, owner in self.owners.items()]
        alive = [supervisor(owner, capacity) for owner, capacity in self.capacities.items()]
        held = [partition for partition in partition_ids if self.owners.get(partition) == me]
        view = GroupView(partition_ids, rows, alive, held)
        made = assign(view, supervisor(me, self.capacities[me]), self.strategy)
        self.owners |= dict.fromkeys(made.claim, me)
        self.owners |= dict.fromkeys(made.surplus, RELEASED)
        self.moves += len(made.claim) + len(made.surplus)
        return made

    def settle(self) -> None:
        """Rounds enough for every partition to move twice, one at a time."""
        for _ in range(4 * self.total + 4):
            for me in self.capacities:
                self.turn(me)

    def held(self) -> Counter[str]:
        return Counter(owner for owner in self.owners.values() if owner)


members = st.dictionaries(st.sampled_from("abcdef"), st.none() | st.integers(1, 6), min_size=1, max_size=5)


@given(members, st.integers(1, 16), st.sampled_from(STRATEGIES), st.none() | st.integers(1, 6))
def test_any_group_reaches_fair_shares_keeps_them_and_makes_room_for_a_new_member(
    capacities: dict[str, int | None], total: int, strategy: Strategy, joining: int | None
) -> None:
    group = Group(capacities, total, strategy)
    group.settle()
    joined = replace(group, capacities={**capacities, "new": joining}, owners=dict(group.owners), moves=0)
    joined.settle()
    assert joined.moves <= 2 * joined.held()["new"]  # a release and a claim of what moved, and nothing else
    for settled in (group, joined):
        caps = [total if capacity is None else capacity for capacity in settled.capacities.values()]
        held = {owner: settled.held()[owner] for owner in settled.capacities}
        assert sum(held.values()) == min(total, sum(caps))
        fair = shares(dict(zip(settled.capacities, caps, strict=True)), held, total)
        assert held == fair
        before = settled.moves
        settled.settle()
        assert settled.moves == before


# --- who starts workers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claimed_s", "others"),
    [({"0": 9.0, "1": 9.0}, 0), ({"0": 9.0, "1": 11.0}, 1), ({"0": 11.0}, 1), ({}, 1)],
    ids=["renewed", "claimed one", "claimed all", "about to claim"],
)
def test_members_that_claim_start_workers_and_those_that_only_renew_do_not(
    claimed_s: dict[str, float], others: int
) -> None:
    rows = [replace(row(each, OTHER), last_modified_s=at_s) for each, at_s in claimed_s.items()]
    room = 1 if not claimed_s else len(claimed_s)
    view = GroupView(IDS, rows, [replace(supervisor(OTHER, room), last_seen_s=10.0)])
    me = supervisor(ME, 0)
    assert starting(view, me, assign(view, me)) == 1 + others

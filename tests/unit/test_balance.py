"""What a balancing round claims, and what it leaves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.store.types import Ownership
from supervisor.balance import Plan, plan

IDS = ("0", "1", "2", "3")
EXPIRATION_S = 60.0
ME, OTHER, RELEASED = "me", "other", ""


def row(partition_id: str, owner_id: str, age_s: float = 0.0) -> Ownership:
    return Ownership(partition_id, owner_id, "etag", 1, 0.0, age_s)


def greedy(*rows: Ownership, held: tuple[str, ...] = (), capacity: int | None = None) -> Plan:
    return plan(IDS, rows, ME, held, capacity, EXPIRATION_S)


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
def test_what_nobody_holds_is_claimed(rows: list[Ownership], claimed: tuple[str, ...]) -> None:
    assert greedy(*rows) == Plan(claimed, ())


def test_what_is_held_is_not_claimed_again_even_when_its_row_looks_expired() -> None:
    assert greedy(row("0", ME, 1000.0), held=("0",)).claim == ("1", "2", "3")


@pytest.mark.parametrize(
    ("held", "capacity", "claimed", "unowned"),
    [
        ((), 2, ("0", "1"), ("2", "3")),
        (("0",), 2, ("1",), ("2", "3")),
        (("0", "1"), 2, (), ("2", "3")),
        (("0", "1", "2"), 2, (), ("3",)),
        ((), 4, IDS, ()),
        ((), 9, IDS, ()),
    ],
)
def test_capacity_caps_and_the_rest_is_named(
    held: tuple[str, ...], capacity: int, claimed: tuple[str, ...], unowned: tuple[str, ...]
) -> None:
    assert greedy(held=held, capacity=capacity) == Plan(claimed, unowned)


def test_balanced_claims_one_a_round_and_calls_nothing_unowned_that_it_has_room_for() -> None:
    assert plan(IDS, [], ME, (), None, EXPIRATION_S, "balanced") == Plan(("0",), ())
    assert plan(IDS, [], ME, ("0",), 2, EXPIRATION_S, "balanced") == Plan(("1",), ("2", "3"))
    assert plan(IDS, [], ME, ("0", "1"), 2, EXPIRATION_S, "balanced") == Plan((), ("2", "3"))


@given(
    st.lists(st.builds(row, st.sampled_from(IDS), st.sampled_from([ME, OTHER, RELEASED]), st.floats(0, 120))),
    st.frozensets(st.sampled_from(IDS)),
    st.none() | st.integers(1, 5),
    st.sampled_from(["greedy", "balanced"]),
)
def test_no_plan_takes_a_live_lease_or_more_than_its_capacity(
    rows: list[Ownership], held: frozenset[str], capacity: int | None, strategy: str
) -> None:
    made = plan(IDS, rows, ME, held, capacity, EXPIRATION_S, "balanced" if strategy == "balanced" else "greedy")
    live = {entry.partition_id for entry in rows if entry.owner_id == OTHER and entry.age_s < EXPIRATION_S}
    assert not {*made.claim, *made.unowned} & (live | held)
    assert not set(made.claim) & set(made.unowned)
    assert capacity is None or len(made.claim) <= max(0, capacity - len(held))
    if strategy == "greedy":
        assert {*made.claim, *made.unowned} == set(IDS) - live - held

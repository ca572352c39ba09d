"""Leases are claimed, handed over, lost and released, on a real store and a clock that stands still."""

from shared.model import SupervisorRow, Term
from supervisor.ownership.balance import Assignment
from supervisor.ownership.lease_events import Balanced, Claimed, LeaseEvent, Lost, Renewed
from supervisor.ownership.leases import WAITING_S
from supervisor.ownership.trust import RETRY_S
from tests.unit.shared.control.stores import EXPIRATION_S, Clock
from tests.unit.supervisor.ownership.rig import IDS, ROUND_S, WINDOW_S, Make, partitions, stepped, terms

INTERVAL_S = 10.0


def surplus(events: list[LeaseEvent]) -> list[tuple[str, ...]]:
    """What each round decided to hand over."""
    return [event.assignment.surplus for event in events if isinstance(event, Balanced)]


# --- claiming ---------------------------------------------------------------------------------------------------------


def test_a_first_round_claims_everything(make: Make, clock: Clock) -> None:
    leases, store, _ = make("a")
    claimed = [Claimed(Term(partition, "a", 1), clock.now_s + WINDOW_S) for partition in IDS]
    assert stepped(leases) == [*claimed, Balanced(Assignment(IDS))]
    assert [row.owner_id for row in store.supervisors()] == ["a"]


def test_the_capacity_is_filled_and_what_nobody_has_room_for_is_reported(make: Make) -> None:
    leases, _, _ = make("a", capacity=2)
    events = stepped(leases)
    assert partitions(events) == ["0", "1"]
    assert events[-1] == Balanced(Assignment(("0", "1"), (), ("2", "3")))
    assert terms(stepped(leases)) == []


def test_two_supervisors_share_what_there_is(make: Make) -> None:
    one, _, _ = make("a", capacity=3)
    two, _, _ = make("b", capacity=3)
    assert partitions(stepped(one)) == ["0", "1", "2"]
    assert partitions(stepped(two)) == ["3"]


def test_a_round_ends_in_the_balancing_interval(make: Make) -> None:
    leases, _, _ = make("a")
    assert 0.9 * INTERVAL_S <= leases.step() <= 1.1 * INTERVAL_S


def test_after_a_withdrawal_terms_are_renewed_and_none_is_claimed(make: Make, clock: Clock) -> None:
    leases, _, _ = make("a", capacity=2)
    held = tuple(terms(stepped(leases)))
    leases.withdraw()
    clock.move(ROUND_S)
    (event,) = stepped(leases)
    assert isinstance(event, Renewed)
    assert event.terms == held


def test_a_claim_whose_reply_was_lost_succeeds_in_the_next_round(make: Make) -> None:
    leases, _, wire = make("a", capacity=1)
    _, watcher, _ = make("w")

    def lose_the_claims_reply() -> None:
        wire.loses_replies = bool(watcher.ownerships())

    wire.on_call = lose_the_claims_reply
    assert leases.step() == RETRY_S
    assert terms(leases.events.receive()) == []
    assert [row.owner_id for row in watcher.ownerships()] == ["a"]
    wire.on_call, wire.loses_replies = (lambda: None), False
    assert terms(stepped(leases)) == [Term("0", "a", 1)]


# --- handing over -----------------------------------------------------------------------------------------------------


def test_surplus_is_reported_once_and_claimed_by_another_after_its_release(make: Make, clock: Clock) -> None:
    owner, store, _ = make("a")
    stepped(owner)
    newcomer, _, _ = make("b")
    assert terms(stepped(newcomer)) == []
    clock.move(ROUND_S)
    assert surplus(stepped(owner)) == [("0", "1")]
    clock.move(ROUND_S)
    assert surplus(stepped(owner)) == [()]
    owner.release([Term("0", "a", 1)])
    assert [row.owner_id for row in store.ownerships()] == ["", "a", "a", "a"]
    assert terms(stepped(newcomer)) == [Term("0", "b", 2)]
    assert terms(stepped(owner)) == []


def test_a_member_that_waits_for_its_share_looks_every_second_and_renews_no_more_often(
    make: Make, clock: Clock
) -> None:
    owner, _, _ = make("a")
    stepped(owner)
    newcomer, _, _ = make("b")
    newcomer.partition_ids = (*IDS, "9")
    assert newcomer.step() <= 1.1 * WAITING_S
    assert partitions(newcomer.events.receive()) == ["9"]
    clock.move(WAITING_S)
    assert not [event for event in stepped(newcomer) if isinstance(event, Renewed)]


def test_the_partitions_of_a_killed_member_are_claimed_when_its_leases_end_and_not_a_round_later(
    make: Make, clock: Clock
) -> None:
    killed, survivor = make("a", capacity=2)[0], make("b")[0]
    killed.step()
    survivor.step()
    clock.move(EXPIRATION_S - 3.0)
    pause_s = survivor.step()
    assert 3.0 < pause_s < 4.0
    survivor.events.receive()
    clock.move(pause_s)
    assert partitions(stepped(survivor)) == ["0", "1"]


def test_a_member_starts_workers_from_a_claim_to_its_next_renewal(make: Make, clock: Clock) -> None:
    (busy, store, _), observer = make("a", capacity=1), make("b", capacity=0)[0]
    store.heartbeat(busy.me)
    clock.move(1.0)
    term = store.claim("0", "a", EXPIRATION_S)
    observer.step()
    assert term
    assert observer.starting == 2
    clock.move(1.0)
    store.renew([term])
    store.heartbeat(busy.me)
    observer.step()
    assert observer.starting == 1


def test_a_killed_member_counts_as_lost_for_ten_lease_times_and_one_that_left_does_not(
    make: Make, clock: Clock
) -> None:
    killed, left, survivor = make("a")[0], make("b")[0], make("c")[0]
    for member in (killed, left, survivor):
        member.step()
    left.retire()
    survivor.step()
    assert (survivor.group_size, survivor.lost_members) == (2, 0)
    clock.move(EXPIRATION_S + 1)
    survivor.step()
    assert (survivor.group_size, survivor.lost_members) == (1, 1)
    clock.move(10 * EXPIRATION_S)
    survivor.step()
    survivor.step()
    assert survivor.lost_members == 0


def test_a_partition_that_was_added_to_the_hub_is_claimed_in_the_next_round(make: Make) -> None:
    leases, _, _ = make("a")
    stepped(leases)
    leases.partition_ids = (*IDS, "4")
    assert partitions(stepped(leases)) == ["4"]


def test_a_partition_that_the_hub_no_longer_has_is_kept_while_it_is_held_and_not_claimed_again(
    make: Make, clock: Clock
) -> None:
    leases, _, _ = make("a")
    stepped(leases)
    leases.partition_ids = ("0", "1")
    clock.move(ROUND_S)
    events = stepped(leases)
    assert [len(event.terms) for event in events if isinstance(event, Renewed)] == [4]
    assert surplus(events) == [()]
    leases.release([Term("3", "a", 1)])
    assert terms(stepped(leases)) == []


def test_partitions_that_another_member_does_not_claim_are_claimed_before_a_lease_time_has_passed(
    make: Make, clock: Clock
) -> None:
    leases, store, _ = make("b")
    silent = SupervisorRow("a", "host", 1, None, "0")
    store.heartbeat(silent)
    pause_s = leases.step()
    assert partitions(leases.events.receive()) == ["2", "3"]
    assert leases.group_size == 2
    began_s = clock.now_s
    while not (taken := terms(leases.events.receive())):
        clock.move(pause_s)
        store.heartbeat(silent)
        pause_s = leases.step()
    assert [term.partition_id for term in taken] == ["0", "1"]
    assert clock.now_s - began_s < EXPIRATION_S


def test_a_member_that_withdraws_leaves_its_share_to_the_others(make: Make, clock: Clock) -> None:
    leaver, _, _ = make("a")
    heir, _, _ = make("b")
    held = terms(stepped(leaver))
    leaver.withdraw()
    for term in held:
        leaver.release([term])
    assert len(terms(stepped(heir))) == len(IDS)


# --- losing -----------------------------------------------------------------------------------------------------------


def test_a_term_is_lost_when_another_member_has_claimed_the_partition(make: Make, clock: Clock) -> None:
    owner, _, _ = make("a", capacity=1)
    rival, _, _ = make("b", capacity=1)
    (term,) = terms(stepped(owner))
    clock.move(EXPIRATION_S + 1)  # the owner was stopped all this time
    assert terms(stepped(rival)) == [Term("0", "b", 2)]
    events = stepped(owner)
    assert events[:2] == [Lost(term), Renewed((), clock.now_s + WINDOW_S)]
    assert terms(events) == [Term("1", "a", 1)]


def test_two_supervisors_with_one_owner_id_never_share_a_term(make: Make, clock: Clock) -> None:
    one, _, _ = make("a", capacity=1)
    two, _, _ = make("a", capacity=1)
    (term,) = terms(stepped(one))
    assert terms(stepped(two)) == []
    clock.move(EXPIRATION_S + 1)  # the first was stopped all this time
    assert terms(stepped(two)) == [Term("0", "a", 2)]
    assert stepped(one)[0] == Lost(term)


def test_a_worker_of_an_old_term_that_exits_late_releases_nothing_of_the_new_one(make: Make, clock: Clock) -> None:
    owner, store, _ = make("a")
    rival, _, _ = make("b")
    old = terms(stepped(owner))
    clock.move(EXPIRATION_S + 1)  # the owner was stopped all this time
    assert len(terms(stepped(rival))) == len(IDS)
    rival.retire()
    new = terms(stepped(owner))
    assert [term.epoch for term in new] == [3, 3, 3, 3]
    make("c")[0].step()
    clock.move(ROUND_S)
    assert surplus(stepped(owner)) == [("0", "1")]
    owner.release(old)
    assert owner.held == tuple(new)
    assert [(row.owner_id, row.epoch) for row in store.ownerships()] == [("a", 3)] * len(IDS)
    clock.move(ROUND_S)
    assert surplus(stepped(owner)) == [()], "both are still on their way out"


def test_a_lease_that_expired_and_that_nobody_claimed_is_renewed(make: Make, clock: Clock) -> None:
    owner, _, _ = make("a", capacity=1)
    (term,) = terms(stepped(owner))
    clock.move(EXPIRATION_S + 1)
    assert stepped(owner)[0] == Renewed((term,), clock.now_s + WINDOW_S)

"""Leases: claimed, handed over, lost and given back, on a real store and a clock that stands still."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.clock import Deadline
from shared.errors import Bug, EvsupError, NotPermitted, OwnershipLost, StoreUnavailable
from shared.model import SupervisorRow, Term
from supervisor.ownership.balance import Assignment
from supervisor.ownership.lease import (
    RETRY_S,
    WAITING_S,
    Balanced,
    Claimed,
    LeaseEvent,
    LeaseKeeper,
    LeasesFailed,
    Lost,
    Renewed,
)
from tests.unit.readable import DEADLINE_S, readable
from tests.unit.shared.control.stores import EXPIRATION_S, Clock
from tests.unit.supervisor.ownership.rig import IDS, ROUND_S, WINDOW_S, Make, stepped, supervisors, terms

INTERVAL_S = 10.0


@pytest.fixture
def clock() -> Clock:
    """The monotonic clock of every supervisor, and the database's."""
    return Clock()


@pytest.fixture
def make(tmp_path: Path, clock: Clock) -> Iterator[Make]:
    with supervisors(tmp_path / "control.db", clock) as made:
        yield made


# --- claiming ---------------------------------------------------------------------------------------------------------


def test_a_first_round_claims_everything(make: Make, clock: Clock) -> None:
    keeper, store, _ = make("a")
    claimed = [Claimed(Term(partition, "a", 1), clock.now_s + WINDOW_S) for partition in IDS]
    assert stepped(keeper) == [*claimed, Balanced(Assignment(IDS))]
    assert [row.owner_id for row in store.supervisors()] == ["a"]


def test_capacity_is_filled_and_the_rest_is_told(make: Make) -> None:
    keeper, _, _ = make("a", capacity=2)
    events = stepped(keeper)
    assert [term.partition_id for term in terms(events)] == ["0", "1"]
    assert events[-1] == Balanced(Assignment(("0", "1"), (), ("2", "3")))
    assert terms(stepped(keeper)) == []


def test_two_supervisors_share_what_there_is(make: Make) -> None:
    one, _, _ = make("a", capacity=3)
    two, _, _ = make("b", capacity=3)
    assert [term.partition_id for term in terms(stepped(one))] == ["0", "1", "2"]
    assert [term.partition_id for term in terms(stepped(two))] == ["3"]


def test_a_round_ends_in_the_balancing_interval(make: Make) -> None:
    keeper, _, _ = make("a")
    assert 0.9 * INTERVAL_S <= keeper.step() <= 1.1 * INTERVAL_S


def test_after_stop_claiming_terms_are_renewed_and_none_is_claimed(make: Make, clock: Clock) -> None:
    keeper, _, _ = make("a", capacity=2)
    held = tuple(terms(stepped(keeper)))
    keeper.stop_claiming()
    clock.move(ROUND_S)
    (event,) = stepped(keeper)
    assert isinstance(event, Renewed)
    assert event.terms == held


def test_a_claim_whose_reply_was_lost_is_had_in_the_next_round(make: Make) -> None:
    keeper, _, wire = make("a", capacity=1)
    _, watcher, _ = make("w")

    def lose_the_claims_reply() -> None:
        wire.loses_replies = bool(watcher.ownerships())

    wire.on_call = lose_the_claims_reply
    assert keeper.step() == RETRY_S
    assert terms(keeper.receive()) == []
    assert [row.owner_id for row in watcher.ownerships()] == ["a"]
    wire.on_call, wire.loses_replies = (lambda: None), False
    assert terms(stepped(keeper)) == [Term("0", "a", 1)]


# --- handing over -----------------------------------------------------------------------------------------------------


def test_surplus_is_told_once_and_released_when_its_worker_is_gone(make: Make, clock: Clock) -> None:
    owner, store, _ = make("a")
    stepped(owner)
    newcomer, _, _ = make("b")
    assert terms(stepped(newcomer)) == []
    clock.move(ROUND_S)
    (plan,) = (event.assignment for event in stepped(owner) if isinstance(event, Balanced))
    assert plan.surplus == ("0", "1")
    clock.move(ROUND_S)
    assert [event.assignment.surplus for event in stepped(owner) if isinstance(event, Balanced)] == [()]
    owner._release([Term("0", "a", 1)])
    assert [row.owner_id for row in store.ownerships()] == ["", "a", "a", "a"]
    assert terms(stepped(newcomer)) == [Term("0", "b", 2)]
    assert terms(stepped(owner)) == []


def test_one_that_waits_for_its_share_looks_every_second_and_renews_no_more_often(make: Make, clock: Clock) -> None:
    owner, _, _ = make("a")
    stepped(owner)
    newcomer, _, _ = make("b")
    assert newcomer.step() <= 1.1 * WAITING_S
    newcomer.receive()
    clock.move(WAITING_S)
    newcomer._held[Term("9", "b", 1)] = clock.now_s + WINDOW_S
    assert not [event for event in stepped(newcomer) if isinstance(event, Renewed)]


def test_what_a_killed_supervisor_left_is_taken_when_its_leases_end_and_not_a_round_later(
    make: Make, clock: Clock
) -> None:
    killed, survivor = make("a", capacity=2)[0], make("b")[0]
    killed.step()
    survivor.step()
    clock.move(EXPIRATION_S - 3.0)
    pause_s = survivor.step()
    assert 3.0 < pause_s < 4.0
    survivor.receive()
    clock.move(pause_s)
    assert [term.partition_id for term in terms(stepped(survivor))] == ["0", "1"]


def test_a_partition_that_the_hub_has_got_is_claimed_at_the_next_look(make: Make) -> None:
    keeper, _, _ = make("a")
    stepped(keeper)
    keeper.learn((*IDS, "4"))
    assert [term.partition_id for term in terms(stepped(keeper))] == ["4"]


def test_what_the_hub_has_no_more_is_kept_while_it_is_held_and_not_claimed_again(make: Make, clock: Clock) -> None:
    keeper, _, _ = make("a")
    stepped(keeper)
    keeper.learn(("0", "1"))
    clock.move(ROUND_S)
    events = stepped(keeper)
    assert [len(event.terms) for event in events if isinstance(event, Renewed)] == [4]
    assert [event.assignment.surplus for event in events if isinstance(event, Balanced)] == [()]
    keeper._release([Term("3", "a", 1)])
    assert terms(stepped(keeper)) == []


def test_what_another_leaves_lying_is_taken_before_a_lease_time_has_passed(make: Make, clock: Clock) -> None:
    keeper, store, _ = make("b")
    silent = SupervisorRow("a", "host", 1, None, "0")
    store.heartbeat(silent)
    pause_s = keeper.step()
    assert [term.partition_id for term in terms(keeper.receive())] == ["2", "3"]
    assert keeper.group_size == 2
    began_s = clock.now_s
    while not (taken := terms(keeper.receive())):
        clock.move(pause_s)
        store.heartbeat(silent)
        pause_s = keeper.step()
    assert [term.partition_id for term in taken] == ["0", "1"]
    assert clock.now_s - began_s < EXPIRATION_S


def test_one_that_stops_claiming_leaves_its_share_to_the_others(make: Make, clock: Clock) -> None:
    leaver, _, _ = make("a")
    heir, _, _ = make("b")
    held = terms(stepped(leaver))
    leaver._step_back()
    for term in held:
        leaver._release([term])
    assert len(terms(stepped(heir))) == len(IDS)


# --- losing -----------------------------------------------------------------------------------------------------------


def test_a_term_that_somebody_else_took_is_lost(make: Make, clock: Clock) -> None:
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


def test_a_worker_of_an_old_term_that_ends_late_releases_nothing_of_the_new_one(make: Make, clock: Clock) -> None:
    owner, store, _ = make("a", capacity=1)
    rival, _, _ = make("b", capacity=1)
    (old,) = terms(stepped(owner))
    clock.move(EXPIRATION_S + 1)
    (taken,) = terms(stepped(rival))
    rival._release([taken])
    assert [event for event in stepped(owner) if isinstance(event, Lost)] == [Lost(old)]
    (new,) = owner._held
    owner._leaving.add(new.partition_id)
    owner._release([old])
    assert new.epoch == 3
    assert (store.ownerships()[0].owner_id, store.ownerships()[0].epoch) == ("a", 3)
    assert owner._leaving == {new.partition_id}
    assert owner._held.keys() == {new}


def test_a_lease_that_expired_and_nobody_took_goes_on(make: Make, clock: Clock) -> None:
    owner, _, _ = make("a", capacity=1)
    (term,) = terms(stepped(owner))
    clock.move(EXPIRATION_S + 1)
    assert stepped(owner)[0] == Renewed((term,), clock.now_s + WINDOW_S)


# --- the thread -------------------------------------------------------------------------------------------------------


def next_events(keeper: LeaseKeeper) -> list[LeaseEvent]:
    assert readable(keeper)
    return keeper.receive()


def until(keeper: LeaseKeeper, kind: type[LeaseEvent]) -> LeaseEvent:
    while True:
        for event in next_events(keeper):
            if isinstance(event, kind):
                return event


def test_the_thread_tells_what_happened_and_gives_back_what_is_held(make: Make) -> None:
    keeper, store, _ = make("a", capacity=2)
    keeper.start()
    first = until(keeper, Claimed)
    assert isinstance(first, Claimed)
    keeper.release(first.term)
    keeper.close(Deadline.after(DEADLINE_S))
    assert [row.owner_id for row in store.ownerships()] == ["", ""]
    assert [row.epoch for row in store.ownerships()] == [1, 1]
    assert store.supervisors() == []


@pytest.mark.parametrize(
    ("error", "expected"),
    [(NotPermitted("no"), NotPermitted), (KeyError("epoch"), Bug), (OwnershipLost("x"), OwnershipLost)],
)
def test_the_thread_outlives_any_error_and_tells_it(
    make: Make, monkeypatch: pytest.MonkeyPatch, error: Exception, expected: type[EvsupError]
) -> None:
    keeper, store, _ = make("a")

    def fail(_: SupervisorRow) -> None:
        raise error

    monkeypatch.setattr(store, "heartbeat", fail)
    keeper.start()
    broken = until(keeper, LeasesFailed)
    assert isinstance(broken, LeasesFailed)
    assert type(broken.error) is expected
    keeper.close(Deadline.after(DEADLINE_S))
    assert not keeper._thread.is_alive()


def test_a_release_that_fails_ends_nothing(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper, store, _ = make("a", capacity=1)
    keeper.start()
    claimed = until(keeper, Claimed)
    assert isinstance(claimed, Claimed)

    def fail(_: Term) -> bool:
        raise StoreUnavailable("away")

    monkeypatch.setattr(store, "release", fail)
    keeper.release(claimed.term)
    keeper.close(Deadline.after(DEADLINE_S))
    assert not keeper._thread.is_alive()


def test_a_release_that_breaks_in_an_unknown_way_is_told_and_the_leases_are_kept(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper, store, _ = make("a", capacity=1)
    keeper.start()
    claimed = until(keeper, Claimed)
    assert isinstance(claimed, Claimed)

    def fail(_: object) -> int:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(store, "release_all", fail)
    keeper.release(claimed.term)
    assert isinstance(until(keeper, LeasesFailed), LeasesFailed)
    monkeypatch.undo()
    keeper.close(Deadline.after(DEADLINE_S))
    assert store.supervisors() == [], "the thread was there to retire"


def test_what_is_held_is_released_although_the_heartbeat_could_not_be_taken_back(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper, store, _ = make("a")
    keeper.start()
    until(keeper, Balanced)

    def fail(_: str) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(store, "retire", fail)
    keeper.close(Deadline.after(DEADLINE_S))
    assert {row.owner_id for row in store.ownerships()} == {""}


def test_with_no_news_there_is_nothing_to_take(make: Make) -> None:
    keeper, _, _ = make("a")
    assert keeper.receive() == []
    assert not readable(keeper, 0)
    keeper.step()
    assert readable(keeper)
    assert keeper.receive()
    assert not readable(keeper, 0)

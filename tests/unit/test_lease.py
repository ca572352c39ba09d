"""Leases: claimed, renewed, trusted, lost and given back, on a real store and a clock that stands still."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shared.clock import Deadline
from shared.errors import Bug, EvsupError, NotPermitted, OwnershipLost, StoreUnavailable
from shared.store.relational import RelationalStore
from shared.store.types import SupervisorRow, Term
from supervisor.balance import Plan
from supervisor.lease import (
    RETRY_S,
    WAITING_S,
    Broken,
    Claimed,
    LeaseEvent,
    LeaseKeeper,
    Lost,
    Planned,
    Renewed,
    trust_window_s,
)
from tests.unit.plain_settings import eventhub
from tests.unit.readable import DEADLINE_S, readable
from tests.unit.stores import EXPIRATION_S, Clock, Stores, Wire

IDS = ("0", "1", "2", "3")
WINDOW_S = trust_window_s(EXPIRATION_S)
INTERVAL_S = 10.0
ROUND_S = 11.0  # by then the next renewal is due, whatever the jitter

Supervisor = tuple[LeaseKeeper, RelationalStore, Wire]
Make = Callable[..., Supervisor]


@pytest.fixture
def clock() -> Clock:
    """The monotonic clock of every supervisor, and the database's."""
    return Clock()


@pytest.fixture
def make(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Makes supervisors that share one control store."""
    stores = Stores(tmp_path / "control.db", clock, monkeypatch)

    def supervisor(owner_id: str, capacity: int | None = None) -> Supervisor:
        store, wire = stores.open()
        me = SupervisorRow(owner_id, "host", 1, capacity, "0")
        return LeaseKeeper(store, me, IDS, eventhub(), clock), store, wire

    yield supervisor
    stores.close()


def stepped(keeper: LeaseKeeper) -> list[LeaseEvent]:
    keeper.step()
    return keeper.take()


def terms(events: list[LeaseEvent]) -> list[Term]:
    return [event.term for event in events if isinstance(event, Claimed)]


# --- claiming ---------------------------------------------------------------------------------------------------------


def test_a_first_round_claims_everything(make: Make, clock: Clock) -> None:
    keeper, store, _ = make("a")
    claimed = [Claimed(Term(partition, "a", 1), clock.now_s + WINDOW_S) for partition in IDS]
    assert stepped(keeper) == [*claimed, Planned(Plan(IDS))]
    assert [row.owner_id for row in store.supervisors()] == ["a"]


def test_capacity_is_filled_and_the_rest_is_told(make: Make) -> None:
    keeper, _, _ = make("a", capacity=2)
    events = stepped(keeper)
    assert [term.partition_id for term in terms(events)] == ["0", "1"]
    assert events[-1] == Planned(Plan(("0", "1"), (), ("2", "3")))
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
    assert terms(keeper.take()) == []
    assert [row.owner_id for row in watcher.ownerships()] == ["a"]
    wire.on_call, wire.loses_replies = (lambda: None), False
    assert terms(stepped(keeper)) == [Term("0", "a", 1)]


# --- trust ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expiration_s", "window_s"), [(60.0, 54.0), (20.0, 18.0), (10.0, 8.0), (6.0, 4.0), (600.0, 540.0)]
)
def test_trust_ends_before_the_lease_does(expiration_s: float, window_s: float) -> None:
    assert trust_window_s(expiration_s) == window_s


def test_a_renewal_is_trusted_from_its_start(make: Make, clock: Clock) -> None:
    keeper, _, _ = make("a", capacity=1)
    (term,) = terms(stepped(keeper))
    clock.move(ROUND_S)
    assert stepped(keeper)[0] == Renewed((term,), clock.now_s + WINDOW_S)


def test_a_slow_success_does_not_stretch_trust(make: Make, clock: Clock) -> None:
    keeper, _, wire = make("a", capacity=1)
    wire.on_call = lambda: clock.move(7)  # after the commit: the lease runs already
    began_s = clock.now_s + 21  # the heartbeat and two looks at the group come before the claim
    (claimed, _) = stepped(keeper)
    assert isinstance(claimed, Claimed)
    assert claimed.trusted_until_s == began_s + WINDOW_S
    began_s = clock.now_s
    renewed = stepped(keeper)[0]
    assert isinstance(renewed, Renewed)
    assert renewed.trusted_until_s == began_s + WINDOW_S


def test_a_renewal_answered_after_the_lease_gives_no_trust_and_what_was_taken_meanwhile_is_lost(
    make: Make, clock: Clock
) -> None:
    keeper, _, wire = make("a", capacity=1)
    rival, _, _ = make("b", capacity=1)
    (term,) = terms(stepped(keeper))
    clock.move(ROUND_S)

    def answer_late() -> None:
        wire.on_call = lambda: None
        clock.move(EXPIRATION_S + 1)
        assert terms(stepped(rival)) == [Term("0", "b", 2)]

    wire.on_call = answer_late
    renewed = stepped(keeper)[0]
    assert isinstance(renewed, Renewed)
    assert renewed.terms == (term,)
    assert renewed.trusted_until_s < clock.now_s
    clock.move(ROUND_S)
    assert stepped(keeper)[0] == Lost(term)


def test_a_wall_clock_that_jumps_by_an_hour_moves_no_moment_of_trust(
    make: Make, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper, _, _ = make("a", capacity=1)
    (term,) = terms(stepped(keeper))
    for jump_s in (3600.0, -3600.0):
        monkeypatch.setattr("time.time", lambda jump_s=jump_s: 1_700_000_000.0 + jump_s)
        clock.move(ROUND_S)
        assert stepped(keeper)[0] == Renewed((term,), clock.now_s + WINDOW_S)


def test_nobody_can_claim_while_the_owner_trusts_its_lease(make: Make, clock: Clock) -> None:
    owner, _, wire = make("a")
    rival, _, _ = make("b")
    wire.on_call = lambda: clock.move(3)
    trusted = {event.term: event.trusted_until_s for event in stepped(owner) if isinstance(event, Claimed)}
    while clock.now_s <= max(trusted.values()):
        taken = {term.partition_id for term in terms(stepped(rival))}
        assert not taken & {term.partition_id for term, until_s in trusted.items() if clock.now_s <= until_s}
        clock.move(1)
    clock.move(EXPIRATION_S)
    stepped(rival)
    assert len(rival._held) == len(IDS)


# --- handing over -----------------------------------------------------------------------------------------------------


def test_surplus_is_told_once_and_released_when_its_worker_is_gone(make: Make, clock: Clock) -> None:
    owner, store, _ = make("a")
    stepped(owner)
    newcomer, _, _ = make("b")
    assert terms(stepped(newcomer)) == []
    clock.move(ROUND_S)
    (plan,) = (event.plan for event in stepped(owner) if isinstance(event, Planned))
    assert plan.surplus == ("2", "3")
    clock.move(ROUND_S)
    assert [event.plan.surplus for event in stepped(owner) if isinstance(event, Planned)] == [()]
    owner._release(Term("2", "a", 1))
    assert [row.owner_id for row in store.ownerships()] == ["a", "a", "", "a"]
    assert terms(stepped(newcomer)) == [Term("2", "b", 2)]
    assert terms(stepped(owner)) == []


def test_one_that_waits_for_its_share_looks_every_second_and_renews_no_more_often(make: Make, clock: Clock) -> None:
    owner, _, _ = make("a")
    stepped(owner)
    newcomer, _, _ = make("b")
    assert newcomer.step() <= 1.1 * WAITING_S
    newcomer.take()
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
    survivor.take()
    clock.move(pause_s)
    assert [term.partition_id for term in terms(stepped(survivor))] == ["0", "1"]


def test_one_that_stops_claiming_leaves_its_share_to_the_others(make: Make, clock: Clock) -> None:
    leaver, _, _ = make("a")
    heir, _, _ = make("b")
    held = terms(stepped(leaver))
    leaver._step_back()
    for term in held:
        leaver._release(term)
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
    rival._release(taken)
    assert [event for event in stepped(owner) if isinstance(event, Lost)] == [Lost(old)]
    (new,) = owner._held
    owner._leaving.add(new.partition_id)
    owner._release(old)
    assert new.epoch == 3
    assert (store.ownerships()[0].owner_id, store.ownerships()[0].epoch) == ("a", 3)
    assert owner._leaving == {new.partition_id}
    assert owner._held.keys() == {new}


def test_a_lease_that_expired_and_nobody_took_goes_on(make: Make, clock: Clock) -> None:
    owner, _, _ = make("a", capacity=1)
    (term,) = terms(stepped(owner))
    clock.move(EXPIRATION_S + 1)
    assert stepped(owner)[0] == Renewed((term,), clock.now_s + WINDOW_S)


# --- a store that fails -----------------------------------------------------------------------------------------------


def test_a_store_that_is_away_is_asked_again_while_trust_lasts(make: Make, clock: Clock) -> None:
    keeper, _, wire = make("a", capacity=1)
    (term,) = terms(stepped(keeper))
    wire.away = True
    for _ in range(30):
        assert keeper.step() == RETRY_S
        clock.move(RETRY_S)
    assert keeper.take() == []
    wire.away = False
    assert stepped(keeper)[0] == Renewed((term,), clock.now_s + WINDOW_S)


def test_the_last_quarter_of_trust_is_left_to_the_drain(make: Make, clock: Clock) -> None:
    keeper, _, wire = make("a", capacity=1)
    stepped(keeper)
    wire.away = True
    clock.move(WINDOW_S * 3 / 4 - RETRY_S)
    assert keeper.step() == RETRY_S
    clock.move(0.001)
    with pytest.raises(OwnershipLost, match="could not be renewed") as lost:
        keeper.step()
    assert "away" in lost.value.why


def test_the_oldest_trust_counts(make: Make, clock: Clock) -> None:
    keeper, _, wire = make("a", capacity=2)
    stepped(keeper)
    keeper._held[Term("1", "a", 1)] += 1000
    wire.away = True
    clock.move(WINDOW_S)
    with pytest.raises(OwnershipLost):
        keeper.step()


def test_without_a_term_there_is_nothing_to_lose(make: Make, clock: Clock) -> None:
    keeper, _, wire = make("a")
    wire.away = True
    for _ in range(10):
        assert keeper.step() == RETRY_S
        clock.move(EXPIRATION_S)
    wire.away = False
    assert len(terms(stepped(keeper))) == len(IDS)


def test_a_store_that_refuses_is_not_asked_again(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper, store, _ = make("a")

    def refuse(_: SupervisorRow) -> None:
        raise NotPermitted("The heartbeat was refused")

    monkeypatch.setattr(store, "heartbeat", refuse)
    with pytest.raises(NotPermitted):
        keeper.step()


# --- the thread -------------------------------------------------------------------------------------------------------


def next_events(keeper: LeaseKeeper) -> list[LeaseEvent]:
    assert readable(keeper)
    return keeper.take()


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
    broken = until(keeper, Broken)
    assert isinstance(broken, Broken)
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


def test_with_no_news_there_is_nothing_to_take(make: Make) -> None:
    keeper, _, _ = make("a")
    assert keeper.take() == []
    assert not readable(keeper, 0)
    keeper.step()
    assert readable(keeper)
    assert keeper.take()
    assert not readable(keeper, 0)

"""The thread that keeps the leases: it reports what happens, outlives any error, and releases what it holds."""

import threading

import pytest

from shared.clock import Deadline
from shared.errors import Bug, EvsupError, NotPermitted, OwnershipLost, StoreUnavailable
from shared.model import SupervisorRow, Term
from supervisor.ownership.lease_events import Balanced, Claimed, LeaseEvent, LeasesFailed
from supervisor.ownership.lease_keeper import LeaseKeeper
from supervisor.ownership.leases import Leases
from tests.unit.readable import DEADLINE_S, readable
from tests.unit.shared.control.stores import Clock
from tests.unit.supervisor.ownership.rig import Make


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "lease"]


def next_events(keeper: LeaseKeeper) -> list[LeaseEvent]:
    assert readable(keeper)
    return keeper.receive()


def until(keeper: LeaseKeeper, kind: type[LeaseEvent]) -> LeaseEvent:
    while True:
        for event in next_events(keeper):
            if isinstance(event, kind):
                return event


def started(leases: Leases, clock: Clock) -> tuple[LeaseKeeper, Claimed]:
    """A keeper whose thread runs, and the first partition that it claimed."""
    keeper = LeaseKeeper(leases, clock)
    keeper.start()
    claimed = until(keeper, Claimed)
    assert isinstance(claimed, Claimed)
    return keeper, claimed


def test_the_thread_reports_what_happened_and_releases_what_is_held(make: Make, clock: Clock) -> None:
    leases, store, _ = make("a", capacity=2)
    keeper, first = started(leases, clock)
    keeper.release(first.term)
    keeper.close(Deadline.after(DEADLINE_S))
    assert [row.owner_id for row in store.ownerships()] == ["", ""]
    assert [row.epoch for row in store.ownerships()] == [1, 1]
    assert store.supervisors() == []


def test_a_lease_whose_worker_cannot_be_ended_is_not_released(make: Make, clock: Clock) -> None:
    leases, store, _ = make("a", capacity=1)
    keeper, claimed = started(leases, clock)
    keeper.forget(claimed.term)
    keeper.close(Deadline.after(DEADLINE_S))
    assert [(row.partition_id, row.owner_id) for row in store.ownerships()] == [(claimed.term.partition_id, "a")]


@pytest.mark.parametrize(
    ("error", "expected"),
    [(NotPermitted("no"), NotPermitted), (KeyError("epoch"), Bug), (OwnershipLost("x"), OwnershipLost)],
)
def test_the_thread_outlives_any_error_and_reports_it(
    make: Make, clock: Clock, monkeypatch: pytest.MonkeyPatch, error: Exception, expected: type[EvsupError]
) -> None:
    leases, store, _ = make("a")
    keeper = LeaseKeeper(leases, clock)

    def fail(_: SupervisorRow) -> None:
        raise error

    monkeypatch.setattr(store, "heartbeat", fail)
    keeper.start()
    failed = until(keeper, LeasesFailed)
    assert isinstance(failed, LeasesFailed)
    assert type(failed.error) is expected
    keeper.close(Deadline.after(DEADLINE_S))
    assert not threads()


def test_a_release_that_fails_does_not_end_the_thread(
    make: Make, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    leases, store, _ = make("a", capacity=1)
    keeper, claimed = started(leases, clock)

    def fail(_: Term) -> bool:
        raise StoreUnavailable("away")

    monkeypatch.setattr(store, "release", fail)
    keeper.release(claimed.term)
    keeper.close(Deadline.after(DEADLINE_S))
    assert not threads()


def test_a_release_that_fails_for_an_unknown_reason_is_reported_and_the_leases_are_kept(
    make: Make, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    leases, store, _ = make("a", capacity=1)
    keeper, claimed = started(leases, clock)

    def fail(_: object) -> int:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(store, "release_all", fail)
    keeper.release(claimed.term)
    assert isinstance(until(keeper, LeasesFailed), LeasesFailed)
    monkeypatch.undo()
    keeper.close(Deadline.after(DEADLINE_S))
    assert store.supervisors() == [], "the thread was there to retire"


def test_what_is_held_is_released_although_the_heartbeat_could_not_be_removed(
    make: Make, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    leases, store, _ = make("a")
    keeper = LeaseKeeper(leases, clock)
    keeper.start()
    until(keeper, Balanced)

    def fail(_: str) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(store, "retire", fail)
    keeper.close(Deadline.after(DEADLINE_S))
    assert {row.owner_id for row in store.ownerships()} == {""}


def test_the_keeper_is_readable_only_while_an_event_waits(make: Make, clock: Clock) -> None:
    leases, _, _ = make("a")
    keeper = LeaseKeeper(leases, clock)
    assert keeper.receive() == []
    assert not readable(keeper, 0)
    leases.step()
    assert readable(keeper)
    assert keeper.receive()
    assert not readable(keeper, 0)


def test_a_keeper_that_stops_claiming_claims_nothing_and_shows_no_capacity(make: Make, clock: Clock) -> None:
    leases, store, _ = make("a")
    keeper = LeaseKeeper(leases, clock)
    keeper.stop_claiming()
    keeper.start()
    while not [row for row in store.supervisors() if row.capacity == 0]:
        readable(keeper, 0.01)
    assert store.ownerships() == []
    keeper.close(Deadline.after(DEADLINE_S))

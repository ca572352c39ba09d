"""Trust in a lease begins with the renewal, ends before the lease does, and outlasts a store that is away."""

import pytest

from shared.errors import NotPermitted, OwnershipLost
from shared.model import SupervisorRow, Term
from supervisor.ownership.lease_events import Claimed, Lost, Renewed
from supervisor.ownership.trust import RETRY_S, trust_window_s
from tests.unit.shared.control.stores import EXPIRATION_S, Clock
from tests.unit.supervisor.ownership.rig import IDS, ROUND_S, WINDOW_S, Make, stepped, terms


@pytest.mark.parametrize(
    ("expiration_s", "window_s"), [(60.0, 54.0), (20.0, 18.0), (10.0, 8.0), (6.0, 4.0), (600.0, 540.0)]
)
def test_trust_ends_before_the_lease_does(expiration_s: float, window_s: float) -> None:
    assert trust_window_s(expiration_s) == window_s


def test_a_renewal_is_trusted_from_its_start(make: Make, clock: Clock) -> None:
    leases, _, _ = make("a", capacity=1)
    (term,) = terms(stepped(leases))
    clock.move(ROUND_S)
    assert stepped(leases)[0] == Renewed((term,), clock.now_s + WINDOW_S)


def test_a_slow_success_does_not_stretch_trust(make: Make, clock: Clock) -> None:
    leases, _, wire = make("a", capacity=1)
    wire.on_call = lambda: clock.move(7)  # after the commit: the lease runs already
    began_s = clock.now_s + 21  # the heartbeat and two looks at the group come before the claim
    (claimed, _) = stepped(leases)
    assert isinstance(claimed, Claimed)
    assert claimed.trusted_until_s == began_s + WINDOW_S
    began_s = clock.now_s
    renewed = stepped(leases)[0]
    assert isinstance(renewed, Renewed)
    assert renewed.trusted_until_s == began_s + WINDOW_S


def test_a_renewal_answered_after_the_lease_gives_no_trust_and_what_was_taken_meanwhile_is_lost(
    make: Make, clock: Clock
) -> None:
    leases, _, wire = make("a", capacity=1)
    rival, _, _ = make("b", capacity=1)
    (term,) = terms(stepped(leases))
    clock.move(ROUND_S)

    def answer_late() -> None:
        wire.on_call = lambda: None
        clock.move(EXPIRATION_S + 1)
        assert terms(stepped(rival)) == [Term("0", "b", 2)]

    wire.on_call = answer_late
    renewed = stepped(leases)[0]
    assert isinstance(renewed, Renewed)
    assert renewed.terms == (term,)
    assert renewed.trusted_until_s < clock.now_s
    clock.move(ROUND_S)
    assert stepped(leases)[0] == Lost(term)


def test_a_wall_clock_that_jumps_by_an_hour_changes_no_trust(
    make: Make, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    leases, _, _ = make("a", capacity=1)
    (term,) = terms(stepped(leases))
    for jump_s in (3600.0, -3600.0):
        monkeypatch.setattr("time.time", lambda jump_s=jump_s: 1_700_000_000.0 + jump_s)
        clock.move(ROUND_S)
        assert stepped(leases)[0] == Renewed((term,), clock.now_s + WINDOW_S)


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
    assert len(rival.held) == len(IDS)


# --- a store that fails -----------------------------------------------------------------------------------------------


def test_a_store_that_is_away_is_asked_again_while_trust_lasts(make: Make, clock: Clock) -> None:
    leases, _, wire = make("a", capacity=1)
    (term,) = terms(stepped(leases))
    wire.away = True
    for _ in range(30):
        assert leases.step() == RETRY_S
        clock.move(RETRY_S)
    assert leases.events.receive() == []
    assert leases.trouble
    wire.away = False
    assert stepped(leases)[0] == Renewed((term,), clock.now_s + WINDOW_S)
    assert leases.trouble is None


@pytest.mark.parametrize(
    ("expiration_s", "interval_s"),
    [(5.0, 1.66), (5.0, 1.0), (5.0, 0.1), (6.0, 1.99), (9.0, 2.99), (10.0, 3.3), (60.0, 19.9), (3600.0, 1190.0)],
)
def test_every_lease_that_the_settings_allow_outlives_two_renewals_that_fail(
    make: Make, clock: Clock, expiration_s: float, interval_s: float
) -> None:
    leases, _, wire = make("a", capacity=1, ownership_expiration=expiration_s, load_balancing_interval=interval_s)
    (term,) = terms(stepped(leases))
    clock.move(1.1 * interval_s)
    wire.away = True
    for _ in range(2):
        clock.move(leases.step())
    wire.away = False
    assert stepped(leases)[0] == Renewed((term,), clock.now_s + trust_window_s(expiration_s))


def test_the_last_quarter_of_trust_is_left_to_the_drain(make: Make, clock: Clock) -> None:
    leases, _, wire = make("a", capacity=1)
    stepped(leases)
    wire.away = True
    clock.move(WINDOW_S * 3 / 4 - RETRY_S)
    assert leases.step() == RETRY_S
    clock.move(0.001)
    with pytest.raises(OwnershipLost, match="could not be renewed") as lost:
        leases.step()
    assert "away" in lost.value.why


def test_the_drain_begins_by_the_oldest_of_all_renewals(make: Make, clock: Clock) -> None:
    leases, _, wire = make("a", capacity=2)
    stepped(leases)
    leases.trust((Term("1", "a", 1),), clock.now_s + 1000)
    wire.away = True
    clock.move(WINDOW_S)
    with pytest.raises(OwnershipLost):
        leases.step()


def test_a_supervisor_without_a_term_waits_for_the_store_without_end(make: Make, clock: Clock) -> None:
    leases, _, wire = make("a")
    wire.away = True
    for _ in range(10):
        assert leases.step() == RETRY_S
        clock.move(EXPIRATION_S)
    wire.away = False
    assert len(terms(stepped(leases))) == len(IDS)


def test_a_store_that_refuses_is_not_asked_again(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    leases, store, _ = make("a")

    def refuse(_: SupervisorRow) -> None:
        raise NotPermitted("The heartbeat was refused")

    monkeypatch.setattr(store, "heartbeat", refuse)
    with pytest.raises(NotPermitted):
        leases.step()

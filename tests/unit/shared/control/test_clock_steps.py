"""SQLite, when somebody sets the host's clock."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.control.store import ControlStore
from shared.model import Checkpoint, SupervisorRow, Term
from tests.unit.shared.control.stores import EXPIRATION_S, Clock, Stores

STEPS_S = (-86_400.0, -EXPIRATION_S, -1.0, 1.0, EXPIRATION_S, 86_400.0)


@pytest.fixture
def clock() -> Clock:
    """Since the boot."""
    return Clock()


@pytest.fixture
def stores(tmp_path: Path, clock: Clock) -> Iterator[Stores]:
    made = Stores(tmp_path / "control.db", clock)
    yield made
    made.close()


def claimed(store: ControlStore) -> Term:
    """Partition 0, by "a"."""
    term = store.claim("0", "a", EXPIRATION_S)
    assert term is not None
    return term


@pytest.mark.parametrize("step_s", STEPS_S)
def test_a_lease_keeps_its_age_when_the_clock_is_set(stores: Stores, clock: Clock, step_s: float) -> None:
    owner, other = stores.open()[0], stores.open()[0]
    term = claimed(owner)
    owner.heartbeat(SupervisorRow("a", "host", 1, None, "0"))
    clock.move(10.0)
    stores.host.set_s = step_s
    for _ in range(2):  # before and after a transaction that writes has moved the leases along
        (row,), (member,) = other.ownerships(), other.supervisors()
        assert [row.age_s, member.age_s] == pytest.approx([10.0, 10.0])
        assert row.is_live
        assert member.is_live
        assert other.claim("0", "b", EXPIRATION_S) is None
    assert owner.renew([term]) == [term]
    clock.move(EXPIRATION_S + 1)
    assert other.claim("0", "b", EXPIRATION_S) == Term("0", "b", 2)


@pytest.mark.parametrize("step_s", STEPS_S)
def test_a_checkpoint_keeps_its_age_when_the_clock_is_set(stores: Stores, clock: Clock, step_s: float) -> None:
    """By that age a start decides whether rows of a lost channel may still be counted as rejected."""
    store = stores.open()[0]
    term = claimed(store)
    store.save_checkpoint(Checkpoint("0", 5, None, term.epoch))
    clock.move(10.0)
    stores.host.set_s = step_s
    for _ in range(2):  # before and after a transaction that writes has moved it along
        checkpoint = store.load_checkpoint("0")
        assert checkpoint is not None
        assert checkpoint.age_s == pytest.approx(10.0)
        assert store.renew([term]) == [term]


def test_a_clock_that_is_set_again_and_again_takes_no_lease(stores: Stores, clock: Clock) -> None:
    owner, other = stores.open()[0], stores.open()[0]
    term = claimed(owner)
    for step_s in STEPS_S * 2:
        stores.host.set_s = step_s
        clock.move(EXPIRATION_S / 3)
        assert other.claim("0", "b", EXPIRATION_S) is None
        assert owner.renew([term]) == [term]


@pytest.mark.parametrize("step_s", STEPS_S)
def test_what_is_written_has_the_time_that_the_clock_was_set_to(stores: Stores, clock: Clock, step_s: float) -> None:
    store = stores.open()[0]
    stores.host.set_s = step_s
    store.claim("0", "a", EXPIRATION_S)
    (row,) = store.ownerships()
    assert row.last_modified_s == pytest.approx(clock.now_s + step_s)


def test_leases_of_an_earlier_boot_are_left_as_they_are_for_their_owners_are_dead(stores: Stores, clock: Clock) -> None:
    store = stores.open()[0]
    store.claim("0", "a", EXPIRATION_S)
    stores.host.boots += 1
    stores.host.set_s = EXPIRATION_S + 1
    assert store.claim("0", "b", EXPIRATION_S) == Term("0", "b", 2)


def test_where_the_system_does_not_name_its_boots_no_lease_is_moved(
    stores: Stores, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The step may be that of another boot, whose owners are dead."""
    monkeypatch.setattr(stores.host, "boot_id", lambda: "")
    store = stores.open()[0]
    store.claim("0", "a", EXPIRATION_S)
    stores.host.set_s = EXPIRATION_S + 1
    assert store.claim("0", "b", EXPIRATION_S) == Term("0", "b", 2)

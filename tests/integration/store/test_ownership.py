"""The control store's promises about leases and heartbeats, the same for every database."""

from dataclasses import replace
from functools import partial

import pytest

from scripts.harness.waiting import BUSY_S
from shared.control.store import ControlStore
from shared.errors import (
    Bug,
)
from shared.model import SupervisorRow, Term
from tests.integration.conftest import EXPIRATION_S, Site
from tests.integration.store.rows import all_at_once, at, claim, stored, won

# --- claim ------------------------------------------------------------------------------------------------------------


def test_a_new_partition_starts_with_epoch_one(store: ControlStore) -> None:
    assert claim(store) == Term("0", "a", 1)
    [ownership] = store.ownerships()
    assert (ownership.owner_id, ownership.epoch) == ("a", 1)
    assert 0 <= ownership.age_s < BUSY_S


def test_a_live_partition_cannot_be_claimed(site: Site, store: ControlStore) -> None:
    won(store)
    site.age(EXPIRATION_S / 2)
    assert claim(store, "b") is None


def test_a_second_process_with_the_same_owner_id_gets_no_term(site: Site, store: ControlStore) -> None:
    won(store)
    assert claim(site.open()) is None
    assert claim(store) is None


def test_a_lease_lasts_as_long_as_its_owner_was_promised_whatever_the_claimer_says(
    site: Site, store: ControlStore
) -> None:
    won(store)
    site.age(EXPIRATION_S / 2)
    assert store.claim("0", "hasty", 1.0) is None
    assert store.ownerships()[0].expiration_s == EXPIRATION_S
    site.age(EXPIRATION_S)
    assert store.claim("0", "hasty", 1.0) == Term("0", "hasty", 2)
    site.age(2)
    assert not store.ownerships()[0].is_live
    assert claim(store, "patient") == Term("0", "patient", 3)


def test_a_row_of_an_older_version_lasts_as_long_as_whoever_looks_at_it_says(site: Site, store: ControlStore) -> None:
    won(store)
    site.sql(f"UPDATE evsup_ownership SET expiration_s = NULL WHERE eventhub_name = '{site.group.eventhub_name}'")  # noqa: S608
    site.age(EXPIRATION_S / 2)
    assert store.ownerships()[0].expiration_s == EXPIRATION_S
    assert claim(store, "b") is None
    assert store.claim("0", "b", EXPIRATION_S / 3) == Term("0", "b", 2)


@pytest.mark.parametrize("ahead_s", [EXPIRATION_S + 5, 3600.0, 3 * 86_400.0])
def test_a_lease_from_before_the_clock_was_set_back_has_ended(site: Site, store: ControlStore, ahead_s: float) -> None:
    won(store)
    site.age(-ahead_s)
    [ownership] = store.ownerships()
    assert (ownership.is_live, ownership.is_from_the_future) == (False, True)
    assert claim(store, "b") == Term("0", "b", 2)


def test_a_clock_that_was_set_back_by_less_than_a_lease_takes_none_away(site: Site, store: ControlStore) -> None:
    won(store)
    site.age(5 - EXPIRATION_S)
    assert store.ownerships()[0].is_live
    assert claim(store, "b") is None


def test_an_expired_partition_goes_to_the_next_with_a_new_epoch(site: Site, store: ControlStore) -> None:
    won(store)
    site.age(EXPIRATION_S + 5)
    assert claim(store, "b") == Term("0", "b", 2)


def test_twenty_racing_owners_yield_one_winner(site: Site) -> None:
    stores = [site.open() for _ in range(4)]
    calls = [partial(claim, stores[n % 4], f"owner{n}") for n in range(20)]
    terms = [term for term in all_at_once(calls) if term]
    assert [term.epoch for term in terms] == [1]
    assert [ownership.owner_id for ownership in stores[0].ownerships()] == [terms[0].owner_id]


def test_twenty_racing_owners_of_an_expired_partition_yield_one_winner(site: Site) -> None:
    stores = [site.open() for _ in range(4)]
    won(stores[0])
    site.age(EXPIRATION_S + 5)
    calls = [partial(claim, stores[n % 4], f"owner{n}") for n in range(20)]
    assert [term.epoch for term in all_at_once(calls) if term] == [2]


def test_the_epoch_stays_above_a_checkpoint_that_outlived_its_ownership(site: Site, store: ControlStore) -> None:
    store.save_checkpoint(at(100, epoch=7))
    assert won(store).epoch == 8
    store.save_checkpoint(at(101, epoch=20))
    site.age(EXPIRATION_S + 5)
    assert won(store, "b").epoch == 21


def test_the_epoch_does_not_shrink_when_the_checkpoint_was_deleted(site: Site, store: ControlStore) -> None:
    store.release(won(store))
    site.sql("DELETE FROM evsup_checkpoint")
    assert won(store).epoch == 2
    assert stored(store).epoch == 2


def test_groups_do_not_see_each_other(site: Site, store: ControlStore) -> None:
    won(store)
    other = site.beside()
    site.stores.append(other.open())
    assert other.stores[0].ownerships() == []
    assert claim(other.stores[0], "b") == Term("0", "b", 1)


def test_nobody_cannot_be_an_owner(store: ControlStore) -> None:
    with pytest.raises(Bug, match="owner id is empty"):
        claim(store, "")


# --- renew, release ---------------------------------------------------------------------------------------------------


def test_a_renewed_lease_is_young_again(site: Site, store: ControlStore) -> None:
    term = won(store)
    site.age(EXPIRATION_S * 3 / 4)
    assert store.renew([term]) == [term]
    site.age(EXPIRATION_S / 2)
    assert claim(store, "b") is None


def test_all_terms_are_renewed_together_and_lost_ones_are_missing(site: Site, store: ControlStore) -> None:
    terms = [won(store, "a", str(partition)) for partition in range(12)]
    site.age(EXPIRATION_S + 5, "3")
    won(store, "b", "3")
    assert store.renew(terms) == [term for term in terms if term.partition_id != "3"]


def test_an_earlier_term_of_the_same_owner_is_not_renewed(site: Site, store: ControlStore) -> None:
    first = won(store)
    site.age(EXPIRATION_S + 5)
    second = won(store)
    before = store.ownerships()[0].etag
    assert store.renew([first]) == []
    assert store.ownerships()[0].etag == before
    assert store.renew([first, second]) == [second]


def test_renewing_nothing_asks_nothing(store: ControlStore) -> None:
    store.close()
    assert store.renew([]) == []


def test_every_change_of_a_row_changes_its_etag(store: ControlStore) -> None:
    term = won(store)
    claimed = store.ownerships()[0].etag
    store.renew([term])
    renewed = store.ownerships()[0].etag
    store.release(term)
    assert len({claimed, renewed, store.ownerships()[0].etag}) == 3


def test_a_released_partition_keeps_its_epoch(store: ControlStore) -> None:
    term = won(store)
    assert store.release(term)
    [ownership] = store.ownerships()
    assert (ownership.owner_id, ownership.epoch) == ("", term.epoch)


def test_a_released_partition_can_be_claimed_at_once(store: ControlStore) -> None:
    store.release(won(store))
    assert claim(store, "b") == Term("0", "b", 2)


def test_all_terms_are_released_together_and_lost_ones_stay_with_their_owner(site: Site, store: ControlStore) -> None:
    terms = [won(store, "a", str(partition)) for partition in range(12)]
    site.age(EXPIRATION_S + 5, "3")
    won(store, "b", "3")
    assert store.release_all(terms) == 11
    assert {row.owner_id for row in store.ownerships() if row.partition_id != "3"} == {""}
    assert [row.owner_id for row in store.ownerships() if row.partition_id == "3"] == ["b"]
    assert store.release_all([]) == 0


def test_a_late_release_changes_nothing(site: Site, store: ControlStore) -> None:
    late = won(store)
    site.age(EXPIRATION_S + 5)
    won(store)
    before = store.ownerships()[0].etag
    assert not store.release(late)
    assert not store.release(Term("99", "a", 1))
    assert store.ownerships()[0].etag == before


# --- heartbeats -------------------------------------------------------------------------------------------------------


ROW = SupervisorRow("a", "host", 4711, None, "0.1.0")


def test_a_heartbeat_is_seen_until_it_is_retired(store: ControlStore) -> None:
    store.heartbeat(ROW)
    store.heartbeat(replace(ROW, owner_id="b", capacity=4))
    store.heartbeat(replace(ROW, pid=12))
    seen = store.supervisors()
    assert all(row.last_seen_s for row in seen)
    assert [replace(row, age_s=0.0, last_seen_s=None) for row in seen] == [
        replace(ROW, pid=12),
        replace(ROW, owner_id="b", capacity=4),
    ]
    assert all(0 <= row.age_s < BUSY_S for row in store.supervisors())
    store.retire("a")
    assert [row.owner_id for row in store.supervisors()] == ["b"]


def test_a_heartbeat_says_how_long_its_leases_last(store: ControlStore) -> None:
    store.heartbeat(replace(ROW, expiration_s=1.0))
    assert [row.expiration_s for row in store.supervisors()] == [EXPIRATION_S]

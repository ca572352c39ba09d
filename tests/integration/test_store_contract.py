"""The control store's promises, the same for every database."""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from threading import Barrier
from typing import TypeVar

import pytest

from shared.control import schema
from shared.control.open import open_store
from shared.control.store import ControlStore
from shared.errors import (
    Bug,
    CheckpointMovedBack,
    ConfigurationError,
    DataRefused,
    OwnershipLost,
    PartitionHeld,
    StoreUnavailable,
)
from shared.model import Checkpoint, SupervisorRow, Term
from tests.integration.conftest import EXPIRATION_S, Site

Result = TypeVar("Result")


def claim(store: ControlStore, owner_id: str = "a", partition_id: str = "0") -> Term | None:
    return store.claim(partition_id, owner_id, EXPIRATION_S)


def won(store: ControlStore, owner_id: str = "a", partition_id: str = "0") -> Term:
    term = claim(store, owner_id, partition_id)
    assert term is not None
    return term


def at(sequence_number: int | None, epoch: int, **more: object) -> Checkpoint:
    offset = None if sequence_number is None else f"o{sequence_number}"
    return replace(Checkpoint("0", sequence_number, offset, epoch), **more)  # type: ignore[arg-type]


def stored(store: ControlStore, partition_id: str = "0") -> Checkpoint:
    checkpoint = store.load_checkpoint(partition_id)
    assert checkpoint is not None
    return checkpoint


def as_written(loaded: Checkpoint) -> Checkpoint:
    """Without what the database says of the write."""
    return replace(loaded, updated_at_s=None)


def damage(site: Site, change: str) -> None:
    """Write it into the checkpoint row, as a person at a prompt could."""
    site.sql(f"UPDATE evsup_checkpoint SET {change} WHERE eventhub_name = '{site.group.eventhub_name}'")  # noqa: S608


def all_at_once(calls: Sequence[Callable[[], Result]]) -> list[Result]:
    barrier = Barrier(len(calls))

    def run(call: Callable[[], Result]) -> Result:
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(run, calls))


# --- claim ------------------------------------------------------------------------------------------------------------


def test_a_new_partition_starts_with_epoch_one(store: ControlStore) -> None:
    assert claim(store) == Term("0", "a", 1)
    [ownership] = store.ownerships()
    assert (ownership.owner_id, ownership.epoch) == ("a", 1)
    assert 0 <= ownership.age_s < 5


def test_a_live_partition_cannot_be_claimed(site: Site, store: ControlStore) -> None:
    won(store)
    site.age(EXPIRATION_S - 5)
    assert claim(store, "b") is None


def test_a_second_process_with_the_same_owner_id_gets_no_term(site: Site, store: ControlStore) -> None:
    won(store)
    assert claim(site.open()) is None
    assert claim(store) is None


def test_a_lease_lasts_as_long_as_its_owner_was_promised_whatever_the_claimer_says(
    site: Site, store: ControlStore
) -> None:
    won(store)
    site.age(EXPIRATION_S - 5)
    assert store.claim("0", "hasty", 1.0) is None
    assert store.ownerships()[0].expiration_s == EXPIRATION_S
    site.age(10)
    assert store.claim("0", "hasty", 1.0) == Term("0", "hasty", 2)
    site.age(2)
    assert not store.ownerships()[0].is_live
    assert claim(store, "patient") == Term("0", "patient", 3)


def test_a_row_of_an_older_version_lasts_as_long_as_whoever_looks_at_it_says(site: Site, store: ControlStore) -> None:
    won(store)
    site.sql(f"UPDATE evsup_ownership SET expiration_s = NULL WHERE eventhub_name = '{site.group.eventhub_name}'")  # noqa: S608
    site.age(EXPIRATION_S - 5)
    assert store.ownerships()[0].expiration_s == EXPIRATION_S
    assert claim(store, "b") is None
    assert store.claim("0", "b", EXPIRATION_S - 10) == Term("0", "b", 2)


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
    site.age(EXPIRATION_S - 5)
    assert store.renew([term]) == [term]
    site.age(EXPIRATION_S - 5)
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


# --- checkpoints ------------------------------------------------------------------------------------------------------


def test_a_claim_makes_a_checkpoint_without_a_position(store: ControlStore) -> None:
    assert store.load_checkpoint("0") is None
    won(store)
    assert (stored(store).sequence_number, stored(store).offset, stored(store).epoch) == (None, None, 1)


def test_what_is_saved_is_loaded(store: ControlStore) -> None:
    times = {"hub_created_at_s": 1700000000.123, "enqueued_at_s": 1700000001.456}
    saved = at(2**62, won(store).epoch, offset="geo:1:2", rows_error_count=3, **times)
    store.save_checkpoint(saved)
    loaded = stored(store)
    assert as_written(loaded) == saved
    assert loaded.updated_at_s is not None
    assert loaded.age_s is not None
    assert 0 <= loaded.age_s < 5
    assert [as_written(row) for row in store.checkpoints()] == [saved]
    store.save_checkpoint(replace(saved, enqueued_at_s=None))
    assert stored(store).enqueued_at_s is None


def test_a_late_checkpoint_of_an_old_epoch_is_refused(store: ControlStore) -> None:
    late = won(store)
    store.save_checkpoint(at(10, late.epoch))
    store.release(late)
    won(store, "b")
    with pytest.raises(OwnershipLost, match="epoch 2 owns"):
        store.save_checkpoint(at(11, late.epoch))
    assert (stored(store).sequence_number, stored(store).epoch) == (10, 2)


def test_a_checkpoint_that_moves_back_is_refused(store: ControlStore) -> None:
    epoch = won(store).epoch
    store.save_checkpoint(at(10, epoch))
    for back in (at(9, epoch), at(None, epoch), at(9, epoch + 1)):
        with pytest.raises(CheckpointMovedBack):
            store.save_checkpoint(back)
    assert stored(store).sequence_number == 10


def test_the_same_position_can_be_written_with_another_error_count(store: ControlStore) -> None:
    epoch = won(store).epoch
    store.save_checkpoint(at(10, epoch))
    store.save_checkpoint(at(10, epoch, rows_error_count=2))
    assert stored(store).rows_error_count == 2


def test_an_operator_who_holds_the_partition_can_move_it_anywhere(store: ControlStore) -> None:
    epoch = won(store).epoch
    store.save_checkpoint(at(10, epoch))
    store.move_checkpoint(at(3, epoch, enqueued_at_s=1700000001.456), "me@host", "import")
    assert (stored(store).sequence_number, stored(store).offset) == (3, "o3")
    assert stored(store).enqueued_at_s == 1700000001.456
    store.move_checkpoint(at(None, epoch), "me@host", "reset")
    assert (stored(store).sequence_number, stored(store).enqueued_at_s) == (None, None)


def test_every_move_begins_the_next_channel_with_no_rejected_rows(store: ControlStore) -> None:
    epoch = won(store).epoch
    store.save_checkpoint(at(10, epoch, rows_error_count=2))
    for generation in (1, 2):
        store.move_checkpoint(at(10, epoch), "me@host", "set")
        moved = stored(store)
        assert (moved.channel_generation, moved.opened_generation, moved.begins_channel) == (generation, 0, True)
        assert moved.rows_error_count == 0


def test_a_worker_says_which_channel_it_opened_and_cannot_change_which_it_is_to_open(store: ControlStore) -> None:
    epoch = won(store).epoch
    store.move_checkpoint(at(10, epoch), "me@host", "set")
    with pytest.raises(OwnershipLost, match="channel 1 is in use, this writer has channel 0"):
        store.save_checkpoint(at(11, epoch))
    with pytest.raises(OwnershipLost, match="channel 1 is in use, this writer has channel 2"):
        store.save_checkpoint(at(11, epoch, channel_generation=2, opened_generation=2))
    store.save_checkpoint(at(10, epoch, channel_generation=1, opened_generation=1))
    assert not stored(store).begins_channel
    store.save_checkpoint(at(11, epoch, channel_generation=1, opened_generation=0))
    assert (stored(store).sequence_number, stored(store).opened_generation) == (11, 1)


def test_rejected_rows_are_accepted_where_the_partition_stands(store: ControlStore) -> None:
    epoch = won(store).epoch
    store.save_checkpoint(at(10, epoch, enqueued_at_s=1700000001.456, unsettled_from=3))
    store.accept_rejected(at(None, epoch, rows_error_count=3), "me@host", "set")
    accepted = as_written(stored(store))
    assert accepted == at(10, epoch, rows_error_count=3, enqueued_at_s=1700000001.456)


def test_a_worker_begins_the_next_channel_behind_its_checkpoint_with_nothing_rejected(store: ControlStore) -> None:
    epoch = won(store).epoch
    known = at(10, epoch, rows_error_count=3, hub_created_at_s=1700000000.0, enqueued_at_s=1700000001.456)
    store.save_checkpoint(replace(known, unsettled_from=3, repeats_up_to=2))
    store.begin_next_channel(replace(known, unsettled_from=3, repeats_up_to=2))
    begun = replace(known, rows_error_count=0, channel_generation=1, begins_after=10, repeats_up_to=2)
    assert as_written(stored(store)) == begun
    with pytest.raises(OwnershipLost, match=f"epoch {epoch} owns"):
        store.begin_next_channel(replace(begun, epoch=epoch - 1))
    assert stored(store).channel_generation == 1


def test_what_an_operator_does_leaves_an_audit_row_with_it(site: Site, store: ControlStore) -> None:
    epoch = won(store).epoch
    store.save_checkpoint(at(10, epoch))
    store.move_checkpoint(at(3, epoch), "me@host", "set")
    store.accept_rejected(at(3, epoch, rows_error_count=1), "you@host", "accept")
    group = f"eventhub_name = '{site.group.eventhub_name}' AND partition_id = '0'"
    rows = site.sql(f"SELECT actor, action, before, after FROM evsup_audit WHERE {group} ORDER BY action DESC")  # noqa: S608
    assert [row[:2] for row in rows] == [("me@host", "set"), ("you@host", "accept")]
    moved, accepted = [(json.loads(before), json.loads(after)) for _, _, before, after in rows]
    assert [row["sequence_number"] for row in moved] == [10, 3]
    assert [row["rows_error_count"] for row in accepted] == [0, 1]


def test_rows_set_aside_move_the_position_and_their_count_together_and_leave_an_audit_row(
    site: Site, store: ControlStore
) -> None:
    epoch = won(store).epoch
    store.save_checkpoint(at(10, epoch))
    store.check_audit()  # writes nothing
    store.record_quarantine(at(20, epoch, rows_error_count=3), "worker", "quarantined")
    assert as_written(stored(store)) == at(20, epoch, rows_error_count=3)
    group = f"eventhub_name = '{site.group.eventhub_name}' AND partition_id = '0'"
    [(before, after)] = site.sql(f"SELECT before, after FROM evsup_audit WHERE {group}")  # noqa: S608
    assert [json.loads(row)["sequence_number"] for row in (before, after)] == [10, 20]
    with pytest.raises(CheckpointMovedBack):
        store.record_quarantine(at(19, epoch, rows_error_count=4), "worker", "quarantined")


def test_only_a_partition_that_was_claimed_can_be_moved(store: ControlStore) -> None:
    with pytest.raises(Bug, match="never claimed"):
        store.move_checkpoint(at(3, 1), "me@host", "set")


def test_the_first_rows_of_a_group_are_written_once_and_a_claim_keeps_them(site: Site, store: ControlStore) -> None:
    assert store.enrol([at(None, 0, begins_after=7), Checkpoint("1", None, "-1", 0)])
    assert not site.open().enrol([at(None, 0, begins_after=9)])
    assert not store.ownerships()
    assert won(store) == Term("0", "a", 1)
    assert (stored(store).epoch, stored(store).begins_after, stored(store).durable_up_to) == (1, 7, 7)
    assert (stored(store, "1").offset, stored(store, "1").durable_up_to) == ("-1", None)


def test_of_two_first_starts_at_once_one_says_where_the_whole_group_begins(site: Site, store: ControlStore) -> None:
    numbers, ids = (7, 9), [str(number) for number in range(8)]
    rows = [[Checkpoint(each, None, None, 0, begins_after=number) for each in ids] for number in numbers]

    def begin(one: ControlStore, first: Sequence[Checkpoint]) -> bool:
        with suppress(StoreUnavailable):  # Snowflake gives up a wait for another's row locks
            return one.enrol(first)
        return False

    assert any(all_at_once([partial(begin, one, first) for one, first in zip((store, site.open()), rows, strict=True)]))
    begun = {row.partition_id: row.begins_after for row in store.checkpoints()}
    assert begun in [dict.fromkeys(ids, number) for number in numbers]


def test_an_operator_of_an_old_epoch_moves_nothing(site: Site, store: ControlStore) -> None:
    store.release(won(store))
    won(store, "b")
    for act in (store.move_checkpoint, store.accept_rejected, store.record_quarantine):
        with pytest.raises(OwnershipLost):
            act(at(3, 1), "me@host", "set")
    assert site.sql(f"SELECT * FROM evsup_audit WHERE eventhub_name = '{site.group.eventhub_name}'") == []  # noqa: S608


def test_a_position_that_is_no_number_is_not_guessed(site: Site, store: ControlStore) -> None:
    won(store)
    damage(site, "sequence_number = -5")
    with pytest.raises(DataRefused, match=r"sequence_number is -5: expected a whole number"):
        store.load_checkpoint("0")


def test_an_epoch_that_cannot_rise_any_more_is_refused(site: Site, store: ControlStore) -> None:
    store.release(won(store))
    is_snowflake = (
        site.settings.store == "snowflake"
    )  # the local one counts in 64 bits and calls it an error of its own
    damage(site, f"epoch = {2**62 if is_snowflake else 2**63 - 1}")
    with pytest.raises(DataRefused, match="restore the value"):
        won(store)


def test_a_legacy_row_without_an_offset_loads(store: ControlStore) -> None:
    store.save_checkpoint(at(10, won(store).epoch, offset=None))
    assert (stored(store).sequence_number, stored(store).offset) == (10, None)


# --- heartbeats -------------------------------------------------------------------------------------------------------


ROW = SupervisorRow("a", "host", 4711, None, "0.1.0")


def test_a_heartbeat_is_seen_until_it_is_retired(store: ControlStore) -> None:
    store.heartbeat(ROW)
    store.heartbeat(replace(ROW, owner_id="b", capacity=4))
    store.heartbeat(replace(ROW, pid=12))
    assert [replace(row, age_s=0.0) for row in store.supervisors()] == [
        replace(ROW, pid=12),
        replace(ROW, owner_id="b", capacity=4),
    ]
    assert all(0 <= row.age_s < 5 for row in store.supervisors())
    store.retire("a")
    assert [row.owner_id for row in store.supervisors()] == ["b"]


def test_a_heartbeat_says_how_long_its_leases_last(store: ControlStore) -> None:
    store.heartbeat(replace(ROW, expiration_s=1.0))
    assert [row.expiration_s for row in store.supervisors()] == [EXPIRATION_S]


# --- names ------------------------------------------------------------------------------------------------------------


def respelled(site: Site, **names: str) -> ControlStore:
    """The store of the same group, by other names."""
    site.stores.append(open_store(site.settings, replace(site.group, **names), EXPIRATION_S, site.snowflake))
    return site.stores[-1]


def spell(site: Site, *tables: str, hub: str = "HUB") -> None:
    """Let the rows of tables look as an older evsup wrote them: by the names as they were typed."""
    name = site.group.eventhub_name
    for table in tables:
        typed = name.replace("hub", hub)
        site.sql(f"UPDATE {table} SET eventhub_name = '{typed}' WHERE eventhub_name = '{name}'")  # noqa: S608


def forget(site: Site, table: str) -> None:
    """Delete the rows that `spell` has left."""
    site.sql(f"DELETE FROM {table} WHERE eventhub_name = '{site.group.eventhub_name.upper()}'")  # noqa: S608


def test_every_spelling_of_a_group_is_one_group(site: Site, store: ControlStore) -> None:
    shouted = respelled(
        site,
        fully_qualified_namespace="NS.ServiceBus.Windows.net:5671",
        eventhub_name=site.group.eventhub_name.upper(),
        consumer_group="$default",
    )
    term = won(shouted)
    assert claim(store, "b") is None
    assert [row.owner_id for row in store.ownerships()] == ["a"]
    store.save_checkpoint(at(10, term.epoch))
    assert stored(shouted).sequence_number == 10


ROWS = ("evsup_ownership", "evsup_checkpoint", "evsup_supervisor")


def test_rows_in_another_spelling_are_refused_until_init_has_moved_them(site: Site, store: ControlStore) -> None:
    term = won(store)
    known = {"enqueued_at_s": 1700000001.456, "unsettled_from": 3, "repeats_up_to": 2}
    store.save_checkpoint(at(10, term.epoch, rows_error_count=3, **known))
    before = stored(store)
    store.heartbeat(ROW)
    site.age(EXPIRATION_S + 5)
    site.sql("UPDATE evsup_supervisor SET expiration_s = 0.001")
    spell(site, *ROWS)
    try:
        with pytest.raises(ConfigurationError, match=r"another spelling.*HUB.*evsup init"):
            store.check()
        other = site.beside()
        site.stores.append(other.open())
        other.stores[0].check()
    finally:
        store.initialise()
    store.check()
    assert stored(store) == before
    assert store.supervisors() == []
    assert claim(store, "b") == Term("0", "b", term.epoch + 1)


def test_of_two_spellings_the_further_position_and_the_newer_epoch_are_kept(site: Site, store: ControlStore) -> None:
    for epoch, number, hub in ((7, 10, "HUB"), (3, 12, "Hub"), (5, 11, "hub")):
        store.save_checkpoint(at(number, epoch))
        spell(site, "evsup_checkpoint", hub=hub)
    store.initialise()
    assert (stored(store).sequence_number, stored(store).offset, stored(store).epoch) == (12, "o12", 7)
    assert won(store).epoch == 8


def test_nobody_who_works_under_another_spelling_is_moved(site: Site, store: ControlStore) -> None:
    won(store)
    spell(site, "evsup_ownership", "evsup_checkpoint")
    try:
        with pytest.raises(PartitionHeld, match="a works with them"):
            store.initialise()
        assert store.ownerships() == []
    finally:
        forget(site, "evsup_ownership")
        store.initialise()


def test_init_of_one_group_does_not_wait_for_the_owners_of_another(site: Site, store: ControlStore) -> None:
    other = respelled(site, consumer_group="audit")
    assert won(other).owner_id == "a"
    spell(site, "evsup_ownership")
    try:
        store.initialise()
        store.check()
        with pytest.raises(ConfigurationError, match="another spelling"):
            other.check()
    finally:
        forget(site, "evsup_ownership")


def test_two_spellings_with_two_channels_are_left_to_a_person(site: Site, store: ControlStore) -> None:
    store.release(won(store))
    spell(site, "evsup_ownership", "evsup_checkpoint")
    store.move_checkpoint(at(None, won(store).epoch), "me@host", "reset")
    try:
        with pytest.raises(ConfigurationError, match=r"contradict each other: .*generation [01]; .*Delete the row"):
            store.initialise()
    finally:
        forget(site, "evsup_checkpoint")
        store.initialise()
    store.check()
    assert stored(store).channel_generation == 1


# --- tables -----------------------------------------------------------------------------------------------------------


def test_initialising_again_changes_nothing(site: Site, store: ControlStore) -> None:
    term = won(store)
    all_at_once([site.open().initialise for _ in range(4)])
    store.check()
    assert store.ownerships()[0].epoch == term.epoch


def test_tables_of_a_newer_version_are_refused(site: Site, store: ControlStore) -> None:
    site.sql("UPDATE evsup_schema SET version = version + 1")
    try:
        for call in (store.check, store.initialise):
            with pytest.raises(ConfigurationError, match=rf"version {schema.VERSION + 1}.*Upgrade evsup"):
                call()
    finally:
        site.sql("UPDATE evsup_schema SET version = version - 1")


def test_a_missing_table_is_named_with_the_command_that_makes_it(site: Site, store: ControlStore) -> None:
    site.sql("ALTER TABLE evsup_supervisor RENAME TO elsewhere")
    try:
        with pytest.raises(ConfigurationError, match=r"(?i)evsup_supervisor.*evsup init"):
            store.check()
    finally:
        site.sql("ALTER TABLE elsewhere RENAME TO evsup_supervisor")


def test_a_closed_store_is_unavailable(store: ControlStore) -> None:
    store.close()
    store.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        store.ownerships()

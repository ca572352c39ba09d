"""The control store's promises about checkpoints, the same for every database."""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial

import pytest

from scripts.harness.waiting import BUSY_S
from shared.control.store import ControlStore
from shared.errors import (
    Bug,
    CheckpointMovedBack,
    DataRefused,
    OwnershipLost,
    StoreUnavailable,
)
from shared.model import Checkpoint, Term
from tests.integration.conftest import Site
from tests.integration.store.rows import all_at_once, as_written, at, damage, stored, won


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
    assert 0 <= loaded.age_s < BUSY_S
    assert [as_written(row) for row in store.checkpoints()] == [saved]
    store.save_checkpoint(replace(saved, enqueued_at_s=None))
    assert stored(store).enqueued_at_s is None


def test_columns_are_kept_beside_a_checkpoint_and_settled_by_the_term_that_drained(store: ControlStore) -> None:
    term = won(store)
    store.save_checkpoint(at(10, term.epoch))
    store.record_columns(at(None, term.epoch, checked_up_to=7, target_columns="for A"), "me")
    assert (stored(store).sequence_number, stored(store).target_columns) == (10, "for A")
    store.save_checkpoint(at(12, term.epoch, checked_up_to=8, target_columns="not saved"))
    assert (stored(store).checked_up_to, stored(store).target_columns) == (8, "for A")
    assert store.settle_columns([replace(term, epoch=term.epoch + 1)]) == 0
    assert (store.settle_columns([]), store.settle_columns([term])) == (0, 1)
    assert stored(store).checked_up_to == 12
    with pytest.raises(OwnershipLost):
        store.record_columns(at(None, term.epoch - 1, target_columns="for B"), "me")


def test_what_other_groups_of_the_hub_have_loaded_is_known(site: Site) -> None:
    store, group = site.open(), site.group
    term = won(store)
    store.save_checkpoint(at(10, term.epoch))
    store.record_columns(at(None, term.epoch, target_columns="for A"), "me")
    assert store.loads_of_other_groups() == []
    beside = replace(site, group=replace(group, consumer_group="another"), stores=[])
    assert beside.open().loads_of_other_groups() == [(group.consumer_group, "for A")]
    assert site.beside().open().loads_of_other_groups() == [], "of another hub"


@pytest.mark.parametrize(("moved_to", "checked"), [(3, 3), (50, 10), (None, None)])
def test_a_checkpoint_that_is_moved_back_leaves_no_later_event_checked(
    store: ControlStore, moved_to: int | None, checked: int | None
) -> None:
    epoch = won(store).epoch
    store.save_checkpoint(at(12, epoch, checked_up_to=10))
    store.move_checkpoint(at(moved_to, epoch), "me@host", "set")
    assert stored(store).checked_up_to == checked


def test_what_columns_have_lost_is_in_an_audit_row(site: Site, store: ControlStore) -> None:
    epoch = won(store).epoch
    store.record_columns(
        at(None, epoch, checked_up_to=7, target_columns="for A"), "me", "there is no column B any more"
    )
    group = f"eventhub_name = '{site.group.eventhub_name}'"
    rows = site.sql(f"SELECT actor, action FROM evsup_audit WHERE {group}")  # noqa: S608
    assert [tuple(row) for row in rows] == [("me", "there is no column B any more")]


def lag_in_table(site: Site) -> object:
    """What an autoscaler reads."""
    hub = site.group.eventhub_name
    [[total]] = site.sql(f"SELECT SUM(lag_events) FROM evsup_checkpoint WHERE eventhub_name = '{hub}'")  # noqa: S608
    return total


def test_the_lag_of_each_partition_stands_beside_its_checkpoint(site: Site, store: ControlStore) -> None:
    first, second = won(store).epoch, won(store, partition_id="1").epoch
    store.save_checkpoint(at(10, first, last_enqueued=14))
    store.save_checkpoint(replace(at(7, second, last_enqueued=7), partition_id="1"))
    assert stored(store).last_enqueued == 14
    assert lag_in_table(site) == 4
    store.save_checkpoint(at(12, first, last_enqueued=20))
    assert lag_in_table(site) == 8


def test_the_lag_of_a_position_that_somebody_moved_is_not_known(site: Site, store: ControlStore) -> None:
    epoch = won(store).epoch
    store.save_checkpoint(at(10, epoch, last_enqueued=14))
    store.move_checkpoint(at(3, epoch), "me@host", "set")
    assert stored(store).last_enqueued is None
    assert lag_in_table(site) is None


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


def test_a_worker_begins_the_next_channel_after_its_checkpoint_with_nothing_rejected(store: ControlStore) -> None:
    epoch = won(store).epoch
    known = at(10, epoch, rows_error_count=3, hub_created_at_s=1700000000.0, enqueued_at_s=1700000001.456)
    store.save_checkpoint(replace(known, unsettled_from=3, repeats_up_to=2))
    store.begin_next_channel(replace(known, unsettled_from=3, repeats_up_to=2))
    begun = replace(known, rows_error_count=0, channel_generation=1, begins_after=10, repeats_up_to=2)
    begun = replace(begun, checked_up_to=10)
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


def test_quarantined_rows_move_the_position_and_their_count_together_and_leave_an_audit_row(
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

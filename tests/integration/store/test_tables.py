"""The control store's promises about its tables and the names in them, the same for every database."""

from dataclasses import replace

import pytest

from shared.control import schema
from shared.control.open import open_store
from shared.control.store import ControlStore
from shared.errors import (
    ConfigurationError,
    PartitionHeld,
    StoreUnavailable,
)
from shared.model import SupervisorRow, Term
from tests.integration.conftest import EXPIRATION_S, Site
from tests.integration.store.rows import all_at_once, at, claim, stored, won

ROW = SupervisorRow("a", "host", 4711, None, "0.1.0")


# --- names ------------------------------------------------------------------------------------------------------------


def respelled(site: Site, **names: str) -> ControlStore:
    """The store of the same group, by other names."""
    site.stores.append(open_store(site.settings, replace(site.group, **names), EXPIRATION_S, site.snowflake))
    return site.stores[-1]


def spell(site: Site, *tables: str, hub: str = "HUB") -> None:
    """Change rows to what an older evsup wrote: with the names as somebody typed them."""
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
    known = {"enqueued_at_s": 1700000001.456, "unsettled_from": 3, "repeats_up_to": 2, "last_enqueued": 12}
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

"""A group that begins: every partition of the hub gets its row, once, and whoever comes later has none."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import pytest

from shared.control.store import ControlStore
from shared.errors import StoreUnavailable
from shared.model import Checkpoint, HubFacts, PartitionFacts
from supervisor.ownership import initial_positions
from supervisor.ownership.initial_positions import record_initial_positions
from tests.unit.plain_settings import eventhub
from tests.unit.shared.control.stores import EXPIRATION_S, Clock, Stores

BORN_S = 1_700_000_000.0
HUB = HubFacts(("0", "1", "2"), BORN_S)
LATEST, TIME = "@latest", "2026-01-31T00:00:00Z"


class Client:
    """Event Hubs, with these last numbers."""

    last: ClassVar = {"0": 100, "1": -1, "2": 7}

    def __init__(self, _: object) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def partitions(self, partition_ids: Sequence[str], hub: HubFacts) -> dict[str, PartitionFacts]:
        return {each: PartitionFacts(0, self.last[each], False, hub.created_at_s, "offset") for each in partition_ids}


@pytest.fixture
def stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stores]:
    monkeypatch.setattr(initial_positions, "EventHubClient", Client)
    made = Stores(tmp_path / "control.db", Clock())
    yield made
    made.close()


def begun(store: ControlStore, position: str, hub: HubFacts = HUB) -> list[tuple[Any, ...]]:
    """The rows after a first start."""
    record_initial_positions(store, eventhub(starting_position=position), hub)
    return [facts_of(row) for row in store.checkpoints()]


def facts_of(row: Checkpoint) -> tuple[Any, ...]:
    assert (row.sequence_number, row.channel_generation) == (None, 0)
    return row.partition_id, row.epoch, row.offset, row.begins_after, row.hub_created_at_s


def test_latest_becomes_a_sequence_number_for_every_partition_that_had_an_event(stores: Stores) -> None:
    store, _ = stores.open()
    expected = [("0", 0, None, 100, BORN_S), ("1", 0, "-1", None, BORN_S), ("2", 0, None, 7, BORN_S)]
    assert begun(store, LATEST) == expected


def test_a_starting_time_is_recorded_for_the_partitions_that_the_hub_has_now(stores: Stores) -> None:
    store, _ = stores.open()
    assert begun(store, TIME) == [(each, 0, None, None, BORN_S) for each in HUB.partition_ids]


def test_a_group_that_begins_with_the_oldest_events_needs_no_rows(stores: Stores) -> None:
    store, _ = stores.open()
    assert begun(store, "-1") == []


@pytest.mark.parametrize("position", [LATEST, TIME])
def test_initial_positions_are_recorded_once(stores: Stores, position: str) -> None:
    store, _ = stores.open()
    before = begun(store, position, HubFacts(("0", "1"), BORN_S))
    assert begun(store, position) == before, "partition 2 was added since, and has no row"


@pytest.mark.parametrize("position", [LATEST, TIME])
def test_a_group_that_has_a_claim_or_a_checkpoint_has_begun(stores: Stores, position: str) -> None:
    store, _ = stores.open()
    assert store.claim("0", "somebody", EXPIRATION_S)
    assert [row[0] for row in begun(store, position)] == ["0"]


@pytest.mark.parametrize(("position", "warnings"), [(LATEST, 1), (TIME, 1), ("-1", 0)])
def test_a_starting_position_that_is_not_used_for_a_partition_is_logged(
    stores: Stores, position: str, warnings: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    warnings_logged: list[dict[str, Any]] = []
    monkeypatch.setattr(
        initial_positions.log, "warning", lambda event, **fields: warnings_logged.append({"event": event} | fields)
    )
    store, _ = stores.open()
    assert store.claim("0", "somebody", EXPIRATION_S)
    record_initial_positions(store, eventhub(starting_position=position), HUB)
    assert [(each["event"], each["partitions"]) for each in warnings_logged] == [
        ("starting_position_not_used", ["1", "2"])
    ] * warnings
    for partition in HUB.partition_ids:
        store.claim(partition, "somebody", EXPIRATION_S)
    record_initial_positions(store, eventhub(starting_position=position), HUB)
    assert len(warnings_logged) == warnings, "every partition has its row now"


def test_of_two_first_starts_at_once_one_records_the_initial_positions(stores: Stores) -> None:
    one, _ = stores.open()
    other, _ = stores.open()
    assert one.enrol([Checkpoint("0", None, None, 0, begins_after=100)])
    assert not other.enrol([Checkpoint("0", None, None, 0, begins_after=105)])
    assert [row.begins_after for row in other.checkpoints()] == [100]


def test_a_first_start_whose_reply_from_the_store_was_lost_goes_on(stores: Stores) -> None:
    store, wire = stores.open()
    watcher, _ = stores.open()

    lost: list[bool] = []

    def lose_the_answer() -> None:
        wire.loses_replies = bool(watcher.checkpoints()) and not lost
        lost.extend([True] * wire.loses_replies)

    wire.on_call = lose_the_answer
    assert len(begun(store, LATEST)) == 3
    assert lost


def test_a_first_start_without_a_store_fails(stores: Stores) -> None:
    store, wire = stores.open()
    watcher, _ = stores.open()

    def go_away() -> None:
        wire.away = True

    wire.on_call = go_away
    with pytest.raises(StoreUnavailable):
        record_initial_positions(store, eventhub(starting_position=LATEST), HUB)
    assert not watcher.checkpoints()


def test_a_claim_keeps_the_initial_position_of_its_partition(stores: Stores) -> None:
    store, _ = stores.open()
    begun(store, LATEST)
    term = store.claim("0", "somebody", EXPIRATION_S)
    row = store.load_checkpoint("0")
    assert term
    assert row
    assert (term.epoch, row.epoch, row.begins_after, row.durable_up_to) == (1, 1, 100, 100)

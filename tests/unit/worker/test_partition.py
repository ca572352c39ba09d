"""The partition of a term: what its receiver is made with."""

import time
from pathlib import Path
from typing import Any

import pytest

from tests.unit.plain_settings import plain, snowflake
from tests.unit.shared.control.stores import Clock, Stores
from tests.unit.worker.rig import START, TERM
from worker import partition
from worker.opening import StartingPoint
from worker.partition import OwnedPartition
from worker.sink.channel import Channel
from worker.source.link import Position


def test_a_worker_waits_for_its_turn_to_ask_the_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    did: list[float | str] = []
    monkeypatch.setattr(partition, "monotonic", lambda: 100.0)
    monkeypatch.setattr(time, "sleep", did.append)

    def opened(*_: object) -> StartingPoint:
        did.append("opened")
        return START

    monkeypatch.setattr(partition, "open_partition", opened)
    stores = Stores(tmp_path / "control.db", Clock())
    store, _ = stores.open()
    for asks_from_s in (101.5, 99.0):
        OwnedPartition(plain(), TERM, Channel(snowflake(), "CHANNEL_3"), store, None, asks_from_s).open(None)
    stores.close()
    assert did == [1.5, "opened", 0.0, "opened"]


def test_the_receiver_begins_at_the_starting_point_with_the_epoch_as_its_owner_level(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made: list[tuple[Any, ...]] = []
    monkeypatch.setattr(partition, "Receiver", lambda *arguments: made.append(arguments))
    stores = Stores(tmp_path / "control.db", Clock())
    store, _ = stores.open()
    owned = OwnedPartition(plain(), TERM, Channel(snowflake(), "CHANNEL_3"), store)
    owned.source(START.position("-1"))
    stores.close()
    assert made[0][1:4] == ("3", TERM.epoch, Position(4))
    assert (owned.hub_name, owned.channel_name) == (store.group.eventhub_name, "CHANNEL_3")

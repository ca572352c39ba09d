"""The partition of a term: what its receiver is made with."""

from pathlib import Path
from typing import Any

import pytest

from tests.unit.plain_settings import plain, snowflake
from tests.unit.shared.control.stores import Clock, Stores
from tests.unit.worker.rig import START, TERM
from worker import partition
from worker.partition import OwnedPartition
from worker.sink.channel import Channel
from worker.source.link import Position


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

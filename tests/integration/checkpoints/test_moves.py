"""A command claims all its partitions or none, writes only what it planned, and releases them."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from shared.control.store import ControlStore
from shared.errors import DataRefused, PartitionHeld
from shared.model import Checkpoint, PartitionFacts
from supervisor.checkpoints import admin_session
from supervisor.checkpoints.admin_session import carry_out, claimed
from supervisor.checkpoints.move import Destination, plan_move
from tests.integration.conftest import EXPIRATION_S
from tests.integration.conftest import Site as Database

FACTS = PartitionFacts(0, 100, False, 1.0)


def free(store: ControlStore) -> bool:
    return all(row.owner_id == "" for row in store.ownerships())


def test_partitions_are_released_whatever_happens_meanwhile(store: ControlStore) -> None:
    with claimed(store, ["0", "1"], "me@host") as terms:
        assert all(re.fullmatch("me@host-[0-9a-f]{8}", row.owner_id) for row in store.ownerships())
        assert sorted(terms) == ["0", "1"]
    with pytest.raises(ZeroDivisionError), claimed(store, ["0"], "me@host"):
        _ = 1 / 0
    assert free(store)


def test_one_live_owner_refuses_the_move_of_all_partitions(store: ControlStore) -> None:
    store.claim("1", "worker", EXPIRATION_S)
    moves = [plan_move(Checkpoint(partition, None, None, 0), Destination(5), FACTS) for partition in ("0", "1")]
    with pytest.raises(PartitionHeld, match=r"Partition 1 has a live owner: worker renewed"):
        carry_out(store, moves, "me@host", "set")
    assert [row.owner_id for row in store.ownerships()] == ["", "worker"]
    assert [row.sequence_number for row in store.checkpoints()] == [None, None]


class SlowStore:
    """Makes claims and moves take half a lease each, by the clock of the command and by that of the database."""

    def __init__(self, site: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        self._site, self._now_s = site, 0.0
        monkeypatch.setattr(admin_session, "monotonic", lambda: self._now_s)
        for name in ("claim", "move_checkpoint"):
            monkeypatch.setattr(ControlStore, name, self._slow(getattr(ControlStore, name)))

    def _slow(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def slow(*given: object) -> Any:
            result = call(*given)
            self._now_s += EXPIRATION_S / 2
            self._site.age(EXPIRATION_S / 2)
            return result

        return slow


def test_leases_are_kept_however_long_it_takes_to_carry_out_a_plan(
    site: Database, store: ControlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    SlowStore(site, monkeypatch)
    partitions = ["0", "1", "2", "3"]
    with claimed(store, partitions, "me@host"):
        assert [row.partition_id for row in store.ownerships() if row.is_live] == partitions
    moves = [plan_move(row, Destination(5), FACTS) for row in store.checkpoints()]
    carry_out(store, moves, "me@host", "set")
    assert [row.sequence_number for row in store.checkpoints()] == [5, 5, 5, 5]


def test_an_owner_whose_lease_has_ended_is_no_live_owner(site: Database, store: ControlStore) -> None:
    store.claim("0", "worker", EXPIRATION_S)
    assert [row.owner_id for row in store.ownerships() if row.is_live] == ["worker"]
    site.age(EXPIRATION_S + 5)
    assert not [row for row in store.ownerships() if row.is_live]
    carry_out(store, [plan_move(Checkpoint("0", None, None, 0), Destination(5), FACTS)], "me@host", "set")
    assert [(row.sequence_number, row.epoch) for row in store.checkpoints()] == [(5, 2)]


def test_a_checkpoint_that_moved_after_the_plan_is_not_overwritten(store: ControlStore) -> None:
    moves = [plan_move(Checkpoint("0", None, None, 0), Destination(5), FACTS)]
    carry_out(store, moves, "me@host", "set")
    with pytest.raises(DataRefused, match=r"has changed since the plan was made: it was at None and is at 5"):
        carry_out(store, moves, "me@host", "set")
    assert store.checkpoints()[0].channel_generation == 1
    assert free(store)

"""A person's term on partitions: all or none, on what the plan was made of, and given back."""

import re
from typing import Any, cast

import pytest

from shared.control.store import ControlStore
from shared.errors import DataRefused, PartitionHeld
from shared.model import Checkpoint, PartitionFacts
from supervisor.checkpoints import admin_session
from supervisor.checkpoints.admin_session import carry_out, holding
from supervisor.checkpoints.plan import Position, plan
from tests.integration.conftest import EXPIRATION_S
from tests.integration.conftest import Site as Database

FACTS = PartitionFacts(0, 100, False, 1.0)


def site_of(store: ControlStore) -> admin_session.Site:
    return admin_session.Site(cast("Any", None), store, cast("Any", None))


def free(store: ControlStore) -> bool:
    return all(row.owner_id == "" for row in store.ownerships())


def test_a_term_is_given_back_whatever_happens_in_it(store: ControlStore) -> None:
    with holding(store, ["0", "1"], "me@host") as terms:
        assert all(re.fullmatch("me@host-[0-9a-f]{8}", row.owner_id) for row in store.ownerships())
        assert sorted(terms) == ["0", "1"]
    with pytest.raises(ZeroDivisionError), holding(store, ["0"], "me@host"):
        _ = 1 / 0
    assert free(store)


def test_one_live_owner_keeps_all_partitions_as_they_are(store: ControlStore) -> None:
    store.claim("1", "worker", EXPIRATION_S)
    moves = [plan(Checkpoint(partition, None, None, 0), Position(5), FACTS) for partition in ("0", "1")]
    with pytest.raises(PartitionHeld, match=r"Partition 1 has a live owner: worker renewed"):
        carry_out(site_of(store), moves, "me@host", "set")
    assert [row.owner_id for row in store.ownerships()] == ["", "worker"]
    assert [row.sequence_number for row in store.checkpoints()] == [None, None]


def test_a_lease_that_has_run_out_is_no_live_owner(site: Database, store: ControlStore) -> None:
    store.claim("0", "worker", EXPIRATION_S)
    assert site_of(store).owners() == {"0": "worker"}
    site.age(EXPIRATION_S + 5)
    assert site_of(store).owners() == {}
    carry_out(site_of(store), [plan(Checkpoint("0", None, None, 0), Position(5), FACTS)], "me@host", "set")
    assert [(row.sequence_number, row.epoch) for row in store.checkpoints()] == [(5, 2)]


def test_a_checkpoint_that_moved_after_the_plan_is_not_overwritten(store: ControlStore) -> None:
    moves = [plan(Checkpoint("0", None, None, 0), Position(5), FACTS)]
    carry_out(site_of(store), moves, "me@host", "set")
    with pytest.raises(DataRefused, match=r"has changed since the plan was made: it was at None and is at 5"):
        carry_out(site_of(store), moves, "me@host", "set")
    assert store.checkpoints()[0].channel_generation == 1
    assert free(store)

"""A drain ends when all that was appended is checkpointed."""

import pytest

from shared.errors import (
    StoreUnavailable,
)
from shared.model import Checkpoint
from tests.unit.plain_settings import snowflake
from tests.unit.worker.pipeline.rig import Rig
from worker.pipeline.checkpointer import SAVE_MOST_S
from worker.pipeline.status_poll import POLL_S

pytestmark = pytest.mark.usefixtures("calls")


def test_a_drain_drops_what_waits_and_ends_when_the_rest_is_checkpointed() -> None:
    rig = Rig(snowflake=snowflake(max_inflight_rows=2))
    rig.deliver(5, 6)
    rig.deliver(7, 8)
    rig.turns(2, 0.1)
    rig.pipeline.drain()
    rig.pipeline.drain()
    assert (rig.source.stopped, rig.channel.flushed) == (1, 1)
    assert not rig.is_drained()
    assert rig.source.fileno() not in rig.pipeline.fds()
    rig.turns(3)
    assert not rig.is_drained()
    rig.commit(6)
    rig.turn(POLL_S)
    rig.turn(POLL_S)
    assert rig.counters.rows_inflight == 0
    assert not rig.is_drained(), "the save has only begun"
    rig.turn()
    assert rig.is_drained()
    assert rig.channel.numbers == [5, 6]
    assert rig.store.saved[-1].sequence_number == rig.counters.checkpointed == 6


def test_an_idle_pipeline_is_drained_at_once() -> None:
    rig = Rig()
    assert not rig.is_drained()
    rig.pipeline.drain()
    assert rig.is_drained()
    assert rig.channel.flushed == 0


def test_a_fresh_pipeline_without_an_event_is_drained_at_once() -> None:
    rig = Rig(after=None, checkpoint=Checkpoint("3", None, None, 2))
    rig.pipeline.drain()
    assert rig.is_drained()


def test_a_drain_waits_for_a_store_that_is_unavailable() -> None:
    rig = Rig()
    rig.deliver(5)
    rig.turn()
    rig.commit(5)
    rig.store.failure = StoreUnavailable("away")
    rig.pipeline.drain()
    for _ in range(20):
        rig.turn(0.25)
        assert not rig.is_drained(), "neither while a save is tried nor in the pauses between"
    assert rig.counters.rows_inflight == 0
    rig.store.failure = None
    rig.turns(3, 2 * SAVE_MOST_S)
    assert rig.is_drained()

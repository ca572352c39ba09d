"""From durable to checkpointed: the row in the control store follows the token of the channel."""

from dataclasses import replace

import pytest

from shared.errors import DataRefused, EvsupError, OwnershipLost, StoreUnavailable
from shared.ipc.messages import ChannelStatus
from shared.model import Checkpoint
from shared.resume import NOTHING, SETTLED_AFTER_S
from tests.unit.plain_settings import eventhub
from tests.unit.worker.pipeline.rig import Rig
from tests.unit.worker.rows.events import ENQUEUED_MS, event, events, long
from worker.pipeline.checkpointer import SAVE_LIMIT_S, SAVE_MOST_S
from worker.pipeline.status_poll import IDLE_POLL_S
from worker.sink.channel import Saturated

pytestmark = pytest.mark.usefixtures("calls")


def test_the_checkpoint_is_the_token_with_the_offset_of_its_event() -> None:
    rig = Rig(checkpoint=Checkpoint("3", 4, "old", 2, 0, 1.5))
    later = {b"x-opt-offset": b"456", b"x-opt-enqueued-time": long(ENQUEUED_MS + 1000)}
    rig.deliver_events([*events(5, 6), event(b"{}", 7, annotations=later)])
    rig.turn()
    rig.commit(7)
    rig.turns()
    assert rig.store.saved == [Checkpoint("3", 7, "456", 2, 0, 1.5, enqueued_at_s=ENQUEUED_MS / 1000 + 1)]
    assert rig.counters.checkpointed == 7


def test_the_checkpoint_of_an_event_without_a_time_has_none() -> None:
    rig = Rig(checkpoint=Checkpoint("3", 4, "old", 2, enqueued_at_s=1.5))
    rig.deliver_events([event(b"{}", 5, annotations={b"x-opt-enqueued-time": None})])
    rig.turn()
    rig.commit(5)
    rig.turns()
    assert rig.store.saved == [Checkpoint("3", 5, "123", 2)]


def test_a_token_within_an_append_has_neither_yet() -> None:
    rig = Rig(checkpoint=Checkpoint("3", 4, "old", 2, enqueued_at_s=1.5))
    rig.deliver(5, 6, 7)
    rig.turn()
    rig.deliver(8, 9)
    rig.turn()
    for token in (6, 8):
        rig.commit(token)
        rig.turns()
    assert rig.store.saved == [Checkpoint("3", 6, None, 2), Checkpoint("3", 8, None, 2)]
    assert rig.counters.rows_inflight == 2


def test_a_token_ahead_of_the_checkpoint_at_the_start_is_saved_first() -> None:
    rig = Rig(checkpoint=Checkpoint("3", 2, None, 2), status=ChannelStatus(4, 0))
    rig.turns(2)
    assert [saved.sequence_number for saved in rig.store.saved] == [4]


def test_a_token_that_stands_still_is_not_saved_again() -> None:
    rig = Rig()
    rig.deliver(5)
    rig.turn()
    rig.commit(5)
    rig.turns(50)
    assert rig.store.tried == 1


def test_a_store_that_is_unavailable_is_asked_again_with_the_newest_position() -> None:
    rig = Rig()
    rig.deliver(5)
    rig.deliver(6)
    rig.turn()
    rig.store.failure = StoreUnavailable("away")
    rig.commit(5)
    rig.turns(20, 1.0)
    assert 4 <= rig.store.tried <= 10  # with pauses between
    assert rig.counters.checkpointed == 4
    rig.commit(6)
    rig.turns(2)
    rig.store.failure = None
    rig.turns(4, 2 * SAVE_MOST_S)
    assert [saved.sequence_number for saved in rig.store.saved] == [6]
    assert rig.counters.checkpointed == 6


def test_a_store_that_stays_unavailable_fails_the_worker() -> None:
    rig = Rig()
    rig.deliver(5)
    rig.turn()
    rig.store.failure = StoreUnavailable("away")
    rig.commit(5)
    rig.turns(int(SAVE_LIMIT_S) - 5)
    with pytest.raises(StoreUnavailable, match="away"):
        rig.turns(20)


def test_a_store_that_comes_and_goes_is_forgiven() -> None:
    rig = Rig()
    for number in range(5, 10):
        rig.deliver(number)
        rig.turn()
        rig.commit(number)
        rig.store.failure = StoreUnavailable("away")
        rig.turns(int(SAVE_LIMIT_S) - 10)
        rig.store.failure = None
        rig.turns(3, 2 * SAVE_MOST_S)
        assert rig.counters.checkpointed == number


@pytest.mark.parametrize("error", [OwnershipLost("a newer epoch"), DataRefused("x")])
def test_a_store_that_refuses_a_checkpoint_is_not_asked_again(error: EvsupError) -> None:
    rig = Rig()
    rig.deliver(5)
    rig.turn()
    rig.store.failure = error
    rig.commit(5)
    with pytest.raises(type(error)):
        rig.turns()
    assert rig.store.tried == 1


# --- from where on a row may still be rejected ------------------------------------------------------------------------


def test_a_checkpoint_says_from_where_on_events_may_have_been_rejected_and_not_counted_yet() -> None:
    rig = Rig(checkpoint=Checkpoint("3", 4, None, 2, unsettled_from=3))
    for number in (5, 6, 7):
        rig.deliver(number)
        rig.turn()
        rig.commit(number)
        rig.turns(10)
    assert [saved.unsettled_from for saved in rig.store.saved] == [3, 3, 3]
    rig.turns(1, SETTLED_AFTER_S)
    rig.turns(1, IDLE_POLL_S)
    rig.deliver(8)
    rig.turn()
    rig.commit(8)
    rig.turns()
    assert (rig.store.saved[-1].sequence_number, rig.store.saved[-1].unsettled_from) == (8, 8)


def test_on_an_idle_partition_it_is_stored_once_that_all_events_are_settled() -> None:
    rig = Rig()
    rig.deliver(5, 6)
    rig.turn()
    rig.commit(6)
    rig.turns()
    idle = [saved.unsettled_from for saved in rig.store.saved]
    rig.turns(4, SETTLED_AFTER_S)
    assert [*idle, 7] == [saved.unsettled_from for saved in rig.store.saved]
    assert rig.store.saved[-1] == replace(rig.store.saved[-2], unsettled_from=7)
    rig.turns(10, SETTLED_AFTER_S)
    assert len(rig.store.saved) == len(idle) + 1
    assert rig.pipeline.written == 6


@pytest.mark.parametrize("after", [4, None])
def test_rows_that_were_rejected_after_a_gap_are_not_looked_for_in_it(after: int | None) -> None:
    """It is stored while the first of them is on its way: the status that shows it committed may count it rejected."""
    known = Checkpoint("3", after, None, 2, unsettled_from=3)
    rig = Rig(after=after, checkpoint=known, eventhub=eventhub(on_gap="warn"))
    rig.deliver(5, 8, 9)
    rig.turns(2)
    assert rig.store.saved == [replace(known, unsettled_from=8)]
    rig.commit(9)
    rig.turns()
    assert [(saved.sequence_number, saved.unsettled_from) for saved in rig.store.saved] == [(after, 8), (9, 8)]


def test_the_first_unsettled_event_of_a_fresh_partition_is_the_one_that_came_first() -> None:
    """Retention may have passed those that were there at the opening."""
    rig = Rig(after=None, checkpoint=Checkpoint("3", None, None, 2, unsettled_from=3))
    rig.deliver(5, 6)
    rig.turn()
    rig.commit(6)
    rig.turns()
    assert rig.store.saved[-1].unsettled_from == 5


def test_what_was_written_last_is_known_when_all_of_it_is_checkpointed() -> None:
    rig = Rig()
    written = [rig.pipeline.written]
    rig.deliver(5)
    rig.turn()
    written.append(rig.pipeline.written)
    rig.commit(5)
    rig.turns()
    assert [*written, rig.pipeline.written] == [4, None, 5]


def test_a_pipeline_knows_that_nothing_was_written_to_a_channel_without_a_row() -> None:
    rig = Rig(after=None, checkpoint=Checkpoint("3", None, None, 2, unsettled_from=3))
    rig.turn()
    assert rig.pipeline.written == NOTHING
    rig.channel.refusals.append(Saturated("full"))  # an SDK without append_rows has taken a part of the rows
    rig.deliver(5)
    rig.turn()
    assert rig.pipeline.written is None

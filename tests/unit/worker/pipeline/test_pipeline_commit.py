"""From appended to durable: nothing passes what Snowflake has committed."""

import pytest

from shared.errors import (
    ChannelGone,
    CommitStalled,
    DataRefused,
    EvsupError,
    OwnershipLost,
    RowsRejected,
    SinkUnavailable,
)
from shared.ipc.messages import ChannelStatus
from shared.model import Checkpoint
from tests.unit.plain_settings import snowflake
from tests.unit.worker.calls import Calls
from tests.unit.worker.pipeline.rig import Rig
from worker.pipeline.status_poll import IDLE_POLL_S, POLL_S
from worker.sink.channel_status import OLDER_LIMIT_S

pytestmark = pytest.mark.usefixtures("calls")


def test_the_status_is_asked_for_once_a_second_in_flight_and_seldom_when_idle() -> None:
    rig = Rig()
    rig.turns(100, 0.5)
    assert rig.channel.asked <= 50 / IDLE_POLL_S + 1
    asked = rig.channel.asked
    rig.deliver(5)
    rig.turns(40, 0.25)
    assert 8 <= rig.channel.asked - asked <= 10 / POLL_S + 1


def test_rows_in_flight_bring_the_next_status_forward() -> None:
    rig = Rig()
    rig.turns(3, 0.5)
    rig.deliver(5)
    rig.turn()
    assert rig.pipeline.due_s(rig.now_s) <= rig.now_s + POLL_S


def test_a_status_call_that_hangs_neither_blocks_the_loop_nor_makes_it_spin(calls: Calls) -> None:
    rig = Rig()
    calls.hold("status")
    rig.deliver(5)
    for _ in range(20):
        rig.turn(1.0)
        assert rig.pipeline.due_s(rig.now_s) > rig.now_s + POLL_S / 2
    assert calls.is_held("status")
    calls.release("status")


def test_a_checkpoint_says_how_far_the_partition_goes() -> None:
    rig = Rig()
    rig.deliver(5, 6, 7, last=99)
    rig.turn()
    rig.commit(6)
    rig.turns()
    assert [(one.sequence_number, one.last_enqueued, one.lag_events) for one in rig.store.saved] == [(6, 99, 93)]
    for number, reported, stored in ((8, None, None), (9, -1, 9)):  # without EVENTHUB_TRACK_LAST_ENQUEUED; nonsense
        rig.deliver(number, last=reported)
        rig.turn()
        rig.commit(number)
        rig.turns()
        assert rig.store.saved[-1].last_enqueued == stored
    assert rig.store.saved[-1].lag_events == 0


def test_a_stall_is_refused_with_its_evidence() -> None:
    rig = Rig(snowflake=snowflake(commit_timeout=30.0))
    rig.deliver(5, 6, 7)
    rig.turns(30)
    with pytest.raises(CommitStalled) as stalled:
        rig.turns(3)
    assert "3 rows are in flight, appended up to 7, the channel's token is 4" in stalled.value.why


def test_a_stall_names_the_stage_that_refused_an_upload() -> None:
    rig = Rig(snowflake=snowflake(commit_timeout=30.0))
    rig.channel.requests.read("Using custom S3 endpoint for client=C, endpoint=https://s3.example")
    rig.channel.requests.read("FileUploader: received token expired error for provider=AWS S3 transient stage, retry")
    rig.deliver(5)
    with pytest.raises(CommitStalled) as stalled:
        rig.turns(33)
    assert "refused the SDK's upload (AWS S3 transient; S3: endpoint=https://s3.example)" in stalled.value.why
    assert "`evsup check`" in stalled.value.fix


def test_any_commit_puts_the_stall_off() -> None:
    rig = Rig(snowflake=snowflake(commit_timeout=30.0))
    rig.deliver(5)
    rig.deliver(6)
    rig.turns(28)
    rig.commit(5)
    rig.turns(29)
    with pytest.raises(CommitStalled):
        rig.turns(5)


def test_an_idle_partition_never_stalls() -> None:
    Rig().turns(50, 60.0)


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (ChannelStatus(7, 0), OwnershipLost),
        (ChannelStatus(3, 0), DataRefused),
        (ChannelStatus(None, 0), DataRefused),
        (ChannelStatus(6, 0, "ERR_CHANNEL_DOES_NOT_EXIST_OR_NOT_AUTHORIZED"), ChannelGone),
        (ChannelStatus(6, 1, last_error="bad"), RowsRejected),
        (ChannelStatus(4, 1, last_error="bad"), RowsRejected),
        (ChannelStatus(6, 0, "ERR_CHANNEL_MUST_BE_REOPENED"), SinkUnavailable),
    ],
)
def test_a_status_that_shows_something_wrong_stops_before_the_checkpoint(
    shown: ChannelStatus, expected: type[EvsupError]
) -> None:
    rig = Rig()
    rig.deliver(5, 6)
    rig.turn()
    rig.channel.shown = shown
    with pytest.raises(expected) as raised:
        rig.turns(int(OLDER_LIMIT_S) + 3)
    assert type(raised.value) is expected
    assert rig.store.saved == []
    assert rig.counters.durable == 4


def test_errors_of_before_the_start_are_not_counted_again() -> None:
    rig = Rig(status=ChannelStatus(4, 7), checkpoint=Checkpoint("3", 4, None, 2, 7))
    rig.deliver(5)
    rig.turn()
    rig.commit(5, errors=7)
    rig.turns()
    assert rig.store.saved[-1].rows_error_count == 7


def test_a_status_that_cannot_be_read_stops_the_pipeline() -> None:
    rig = Rig()
    rig.channel.status_failure = SinkUnavailable("The channel's status cannot be read")
    with pytest.raises(SinkUnavailable):
        rig.turns(2)


@pytest.mark.parametrize(
    "older", [ChannelStatus(4, 2), ChannelStatus(None, 2), ChannelStatus(6, 1), ChannelStatus(4, 1)]
)
def test_a_status_that_is_older_than_one_before_is_asked_for_again(older: ChannelStatus) -> None:
    rig = Rig(status=ChannelStatus(4, 2), checkpoint=Checkpoint("3", 4, None, 2, 2))
    rig.deliver(5, 6)
    rig.turn()
    rig.commit(6, errors=2)
    rig.turns()
    for _ in range(3):  # a cache that answers so now and then is no end of anything
        rig.channel.shown = older
        rig.turns(int(OLDER_LIMIT_S) - 3)
        rig.commit(6, errors=2)
        rig.turns(12)
    assert rig.counters.durable == 6
    rig.deliver(7)
    rig.turn()
    rig.commit(7, errors=2)
    rig.turns()
    assert rig.counters.checkpointed == 7


def test_a_count_that_stays_below_the_one_before_is_refused() -> None:
    rig = Rig(status=ChannelStatus(4, 2), checkpoint=Checkpoint("3", 4, None, 2, 2))
    rig.commit(4, errors=1)
    with pytest.raises(DataRefused, match="went back from 2 to 1"):
        rig.turns(int(OLDER_LIMIT_S) + 12)

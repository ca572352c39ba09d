"""A replay reads into a table of its own: what goes wrong there does not touch the live partition."""

import os

import pytest

from shared.errors import RowsRejected
from shared.ipc.messages import ChannelStatus
from tests.unit.plain_settings import plain
from tests.unit.worker.calls import Calls
from tests.unit.worker.pipeline.rig import StandInChannel
from tests.unit.worker.rig import StandInSource
from worker.tasks import replay

ORDER = replay.Order("3", 5, 9, "FLIGHTS_REPLAY", "cg", os.getpid())


class SideChannel(StandInChannel):
    """A channel whose status after the first commit shows rejected rows."""

    def probe(self) -> None: ...

    def open(self, _: int) -> ChannelStatus:
        return ChannelStatus(None, 0)


def test_rejected_rows_of_a_replay_are_not_accepted_for_the_live_partition(
    monkeypatch: pytest.MonkeyPatch, calls: Calls
) -> None:
    source, channel = StandInSource(), SideChannel(ChannelStatus(6, 2, last_error="too long"))
    monkeypatch.setattr(replay, "UpTo", lambda *_: source)
    monkeypatch.setattr(replay, "Channel", lambda *_: channel)
    source.deliver(5, 6)
    with pytest.raises(RowsRejected, match="Snowflake rejected 2 rows: too long") as refused:
        replay.replay(ORDER, plain())
    assert "checkpoints set" not in refused.value.fix
    assert "`evsup replay --partition 3 --from 5 --to 9 --into TABLE`" in refused.value.fix
    assert "error table of FLIGHTS_REPLAY" in refused.value.fix

"""A plan is shown as it is read, whatever stands in the control store."""

from pathlib import Path

import pytest

from shared.eventhubs.client import EventHubClient
from shared.log.secret import Secret
from shared.model import Checkpoint, PartitionFacts
from supervisor.checkpoints.admin_session import AdminSession
from supervisor.checkpoints.move import Destination, plan_move
from supervisor.commands.checkpoints.confirmation import show_and_move
from tests.unit.plain_settings import eventhub, plain
from tests.unit.shared.config.configurations import CONNECTION_STRING
from tests.unit.shared.control.stores import Clock, Stores


def test_an_owner_s_name_does_not_act_on_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stores = Stores(tmp_path / "control.db", Clock())
    store, _ = stores.open()
    assert store.claim("3", "host\x1b]0;title\x07", 60.0)
    move = plan_move(Checkpoint("3", None, None, 0), Destination(None), PartitionFacts(0, 9, False, 1.7e9))
    with EventHubClient(eventhub(connection_string=Secret(CONNECTION_STRING))) as hub:
        show_and_move(AdminSession(plain(), store, hub), [move], "reset", "me@host", yes=False)
    assert "host\\x1b]0;title\\x07 holds the partition" in capsys.readouterr().out
    stores.close()

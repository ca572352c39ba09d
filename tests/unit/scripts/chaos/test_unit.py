"""A supervisor of a chaos run is started again after its end, until it is stopped."""

import signal
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from scripts.chaos.scene.unit import RESTART_S, Unit
from scripts.harness.waiting import eventually
from supervisor.status.model import TreeState
from tests.unit.supervisor.status.served import served
from tests.unit.supervisor.status.statuses import a_tree

ELSEWHERE = (sys.executable, "-c", "import signal; signal.pause()")
"""The entrance to a host on which evsup does not get far."""
NOW_S = 1000.0


@pytest.fixture
def killed(tmp_path: Path) -> Iterator[Unit]:
    """A supervisor whose next start is due."""
    with closing(Unit("supervisor 0", {}, tmp_path / "supervisor-0", drain_timeout_s=10.0, entrance=ELSEWHERE)) as unit:
        unit.send(signal.SIGKILL)
        eventually(lambda: not unit.evsup.is_running, "it is dead")
        unit.follow(NOW_S)
        yield unit


def test_a_supervisor_that_has_ended_is_started_again(killed: Unit) -> None:
    before = killed.evsup
    killed.follow(NOW_S + RESTART_S)
    assert killed.evsup is not before
    assert killed.is_running


def test_a_supervisor_that_is_stopped_before_its_next_start_is_not_started_again(killed: Unit) -> None:
    before = killed.evsup
    killed.stop()
    killed.follow(NOW_S + RESTART_S)
    assert killed.evsup is before
    assert killed.has_stopped


@pytest.mark.parametrize(
    ("state", "takes_part"), [("starting", False), ("standby", True), ("running", True), ("draining", False)]
)
def test_a_supervisor_takes_part_from_its_first_look_at_the_group_until_it_drains(
    killed: Unit, state: TreeState, takes_part: bool
) -> None:
    assert not killed.takes_part
    killed.follow(NOW_S + RESTART_S)
    assert not killed.takes_part, "it boots"
    killed.evsup.state_dir.mkdir()
    with served(killed.evsup.state_dir, lambda: a_tree(state=state)):
        assert killed.takes_part is takes_part

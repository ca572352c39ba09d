"""The service manager learns what it needs and no more, over a real socket."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.ownership.balance import HeldElsewhere
from supervisor.process.notify_socket import MOST_CHARACTERS, NotifySocket, take
from supervisor.status.model import TreeState, TreeStatus
from tests.harness.services.service_manager import ServiceManager
from tests.unit.supervisor.status.statuses import NOW_S, a_partition, a_tree

READY, STOPPING, FED = "READY=1", "STOPPING=1", "WATCHDOG=1"
LIMIT_S = 30.0
HEALTHY = "STATUS=1 of 4 partitions of ns.servicebus.windows.net/flights ($Default): running, healthy"


@pytest.fixture(params=["a path", "a path with @", "no file"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServiceManager]:
    path = str(tmp_path / "notify")
    address = {"a path": path, "a path with @": f"{path}@1000"}.get(request.param, f"@evsup-test-{os.getpid()}")
    with ServiceManager(address) as made:
        yield made


def tree(state: TreeState = "running", **changes: object) -> TreeStatus:
    return a_tree(a_partition(), state=state, **changes)


def test_a_tree_is_ready_when_it_holds_a_partition_and_not_before(manager: ServiceManager) -> None:
    service = NotifySocket(manager.address)
    service.follow(a_tree(state="starting", healthy=False), NOW_S)
    assert READY not in manager.heard()[0]
    service.follow(tree(), NOW_S)
    assert manager.heard() == [[READY, HEALTHY]]


def test_a_standby_is_ready(manager: ServiceManager) -> None:
    NotifySocket(manager.address).follow(a_tree(state="standby", elsewhere=(HeldElsewhere("0", "other", 50.0),)), NOW_S)
    assert manager.heard()[0][0] == READY


def test_a_tree_that_gets_no_partition_is_ready_after_its_first_round_with_the_store(manager: ServiceManager) -> None:
    """As beside the heartbeat of one that was killed: its share is left alone until that has ended."""
    service = NotifySocket(manager.address)
    service.follow(a_tree(state="starting", healthy=False), NOW_S)
    service.follow(a_tree(state="starting", healthy=False, store_round_s=0.004), NOW_S + 1)
    starting, ready = manager.heard()
    assert (READY in starting, ready) == (False, [READY])


def test_nothing_is_sent_while_nothing_is_new(manager: ServiceManager) -> None:
    service = NotifySocket(manager.address)
    service.follow(tree(), NOW_S)
    manager.heard()
    service.follow(a_tree(a_partition(received=41, rows_per_s=8.0), uptime_s=61.0), NOW_S + 1)
    assert manager.heard() == []
    service.follow(a_tree(a_partition(state="opening")), NOW_S + 2)
    assert manager.heard() == [[HEALTHY.replace("running, healthy", "partition 0 is opening")]]


def test_a_tree_that_stops_says_so_once_and_why(manager: ServiceManager) -> None:
    service = NotifySocket(manager.address)
    service.follow(tree("draining", cause="Partition 0: no"), NOW_S)
    service.follow(tree("draining", cause="Partition 0: no"), NOW_S + 1)
    ((stopping, status),) = manager.heard()
    assert stopping == STOPPING
    assert status.endswith("($Default): stopping: Partition 0: no")


def test_each_turn_feeds_the_watchdog_when_a_third_of_its_limit_has_passed(manager: ServiceManager) -> None:
    service = NotifySocket(manager.address, LIMIT_S)
    fed_after_s = []
    for second in range(31):
        service.follow(tree(), NOW_S + second)
        if any(FED in message for message in manager.heard()):
            fed_after_s.append(second)
    assert fed_after_s == [0, 10, 20, 30]


def test_what_nobody_took_is_sent_again(tmp_path: Path) -> None:
    service = NotifySocket(str(tmp_path / "late"), LIMIT_S)
    service.follow(tree(), NOW_S)
    with ServiceManager(str(tmp_path / "late")) as manager:
        service.follow(tree(), NOW_S + 1)
        assert manager.heard() == [[READY, HEALTHY, FED]]


def test_a_reason_cannot_add_a_line_or_outgrow_a_message(manager: ServiceManager) -> None:
    service = NotifySocket(manager.address)
    service.follow(tree("draining", cause="no\nMAINPID=1\r\x1b[2J\udcff" + " partition" * 1000), NOW_S)
    ((stopping, status),) = manager.heard()
    assert stopping == STOPPING
    assert "no MAINPID=1\\r\\x1b[2J" in status
    assert len(status) <= MOST_CHARACTERS + len("STATUS=")


# --- what the environment says ----------------------------------------------------------------------------------------


def test_the_variables_are_taken_out_of_the_environment(manager: ServiceManager) -> None:
    environ = {
        "NOTIFY_SOCKET": manager.address,
        "WATCHDOG_USEC": "30000000",
        "WATCHDOG_PID": str(os.getpid()),
        "A": "b",
    }
    service = take(environ)
    assert environ == {"A": "b"}
    service.follow(tree(), NOW_S)
    assert manager.heard() == [[READY, HEALTHY, FED]]


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"WATCHDOG_USEC": ""},
        {"WATCHDOG_USEC": "0"},
        {"WATCHDOG_USEC": "soon"},
        {"WATCHDOG_USEC": "9", "WATCHDOG_PID": "1"},
    ],
    ids=["none", "empty", "zero", "no number", "of another process"],
)
def test_a_watchdog_that_is_not_ours_is_not_fed(manager: ServiceManager, variables: dict[str, str]) -> None:
    take({"NOTIFY_SOCKET": manager.address, **variables}).follow(tree(), NOW_S)
    assert manager.heard() == [[READY, HEALTHY]]


@pytest.mark.parametrize("address", [None, "", "vsock:2:1234", "relative/path"])
def test_without_a_socket_nothing_is_sent(address: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "relative").mkdir()
    with ServiceManager("relative/path") as manager:
        take({} if address is None else {"NOTIFY_SOCKET": address}).follow(tree(), NOW_S)
        assert manager.heard() == []

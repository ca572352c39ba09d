"""What a tree shows of itself: its state, its health, what others hold, and the lines that it says by itself."""

from signal import SIGTERM

from supervisor.ownership.balance import HeldElsewhere
from supervisor.status.hourly import PERIOD_S
from tests.unit.captured_log import capture_logs
from tests.unit.supervisor.process.rig import TreeRig


def elsewhere(*partitions: str) -> tuple[HeldElsewhere, ...]:
    return tuple(HeldElsewhere(partition, "another", 30.0) for partition in partitions)


def test_a_tree_without_a_partition_is_starting_and_not_healthy(rig: TreeRig) -> None:
    rig.step()
    assert (rig.tree.status.state, rig.tree.status.healthy) == ("starting", False)


def test_a_tree_beside_others_that_hold_everything_is_a_healthy_standby(rig: TreeRig) -> None:
    rig.balance(elsewhere=elsewhere("0", "1"))
    assert (rig.tree.status.state, rig.tree.status.healthy) == ("standby", True)
    assert rig.tree.status.elsewhere == elsewhere("0", "1")


def test_a_partition_that_nobody_has_capacity_for_shows_in_the_status_and_degrades(two: TreeRig) -> None:
    two.balance(unowned=("2",))
    assert (two.tree.status.unowned, two.tree.status.healthy) == (("2",), False)
    two.balance()
    assert (two.tree.status.unowned, two.tree.status.healthy) == ((), True)


def test_a_hub_that_grows_and_one_that_does_not_answer_show_in_the_status(two: TreeRig) -> None:
    two.hub_has = ("0", "1", "2")
    two.hub.step()
    two.balance(elsewhere=elsewhere("2", "3"))
    status = two.tree.status
    assert (status.partitions_total, status.hub_trouble, status.hub_age_s) == (4, None, 0.0)
    two.hub_has = ()
    two.hub.step()
    two.step(after_s=900.0)
    status = two.tree.status
    assert (status.partitions_total, status.hub_age_s, status.healthy) == (4, 900.0, True)
    assert status.hub_trouble == "Event hub 'flights' cannot be read: timed out"


def test_an_answer_that_comes_while_the_tree_is_described_is_no_answer_of_the_future(two: TreeRig) -> None:
    two.hub.answered_s += 5.0
    two.step()
    assert two.tree.status.hub_age_s == 0.0


def test_a_worker_that_opens_degrades(two: TreeRig) -> None:
    two.children["0"].state = "opening"
    two.step()
    assert (two.tree.status.state, two.tree.status.healthy) == ("running", False)


def test_a_tree_that_stops_shows_why(two: TreeRig) -> None:
    two.children["0"].crash("crashed")
    two.step()
    status = two.tree.status
    assert (status.state, status.healthy, status.cause) == ("draining", False, "Partition 0: crashed")


def test_a_tree_that_runs_says_one_line_an_hour_and_one_that_stops_says_none(two: TreeRig) -> None:
    with capture_logs() as logged:
        two.step(after_s=PERIOD_S - 1)
        two.step(after_s=1)
        assert [line["event"] for line in logged] == ["hourly_report"]
        two.step(signals=(SIGTERM,))
        two.step(after_s=PERIOD_S)
    assert "hourly_report" not in [line["event"] for line in logged[1:]]


def test_partitions_are_in_the_order_of_their_numbers(rig: TreeRig) -> None:
    rig.claim("10", "2")
    assert [row.partition for row in rig.tree.status.partitions] == ["2", "10"]


def test_the_status_says_how_long_the_last_drain_and_the_last_round_of_the_store_took(two: TreeRig) -> None:
    status = two.tree.status
    assert (status.last_drain_s, status.store_round_s, status.store_retries_total) == (None, 0.25, 3)
    assert status.supervisors_lost == 1
    two.step(signals=(SIGTERM,))
    two.end("0", "1")
    assert two.tree.status.last_drain_s == 1.5

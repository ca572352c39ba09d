"""Alive is a loop that turns; healthy is a tree whose partitions are all read, or in other hands."""

from typing import Any

import pytest

from supervisor.ownership.balance import HeldElsewhere
from supervisor.status.health import STUCK_AFTER_S, complaints, sentence, stuck
from tests.unit.supervisor.status.statuses import NOW_S, a_partition, a_tree


def test_a_loop_that_has_not_turned_for_more_than_ten_seconds_is_stuck() -> None:
    tree = a_tree()
    assert stuck(tree, NOW_S + STUCK_AFTER_S) is None
    assert stuck(tree, NOW_S + STUCK_AFTER_S + 1) == "the loop has not turned for 11 s"


@pytest.mark.parametrize(
    "facts",
    [
        {"partitions": (a_partition("0"), a_partition("1"))},
        {"partitions": (a_partition("0"), a_partition("1", state="draining"))},
        {"state": "standby", "elsewhere": (HeldElsewhere("0", "other", 50.0),)},
    ],
    ids=["all run", "one is handed over", "a standby"],
)
def test_a_tree_that_works_has_no_complaint(facts: dict[str, Any]) -> None:
    assert list(complaints(a_tree(**facts))) == []


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"state": "starting"}, "starting"),
        ({"state": "draining"}, "draining"),
        ({"state": "draining", "cause": "Partition 1: no."}, "stopping: Partition 1: no."),
        ({"unowned": ("1", "3")}, "nobody holds partitions 1, 3, and no supervisor has room for them"),
        ({"partitions": (a_partition("2", state="opening"),)}, "partition 2 is opening"),
        ({"partitions": (a_partition("2", state="failed"),)}, "partition 2 is failed"),
    ],
)
def test_each_complaint_names_what_is_wrong(facts: dict[str, Any], said: str) -> None:
    assert list(complaints(a_tree(**facts))) == [said]


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({}, "running, healthy"),
        ({"state": "standby", "elsewhere": (HeldElsewhere("0", "other", 50.0),)}, "standby, healthy"),
        ({"state": "draining", "cause": "Partition 1: no."}, "stopping: Partition 1: no."),
        ({"partitions": (a_partition("1", state="opening"),), "unowned": ("2",)}, (
            "nobody holds partitions 2, and no supervisor has room for them; partition 1 is opening"
        )),
    ],
)  # fmt: skip
def test_a_tree_in_one_sentence(facts: dict[str, Any], said: str) -> None:
    tree = a_tree(**{"partitions": (a_partition(),), **facts})
    held = f"{len(tree.partitions)} of 4 partitions of ns.servicebus.windows.net/flights ($Default)"
    assert sentence(tree) == f"{held}: {said}"

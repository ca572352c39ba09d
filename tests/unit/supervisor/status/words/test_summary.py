"""A tree in words."""

from typing import Any

import pytest

from supervisor.ownership.balance import HeldElsewhere
from supervisor.status.words.summary import Line, facts, headline, troubles
from tests.unit.supervisor.status.statuses import a_partition, a_tree


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "running, healthy"),
        ({"state": "standby"}, "standby, healthy"),
        ({"healthy": False, "unowned": ("1",)}, "running, degraded, 1 warning"),
        ({"healthy": False, "state": "draining", "cause": "Partition 1: no."}, "draining, degraded"),
        ({"healthy": False, "partitions": (a_partition(state="failed"),)}, "running, degraded, 1 warning"),
        # What somebody asked for is no trouble, although the tree is not ready meanwhile.
        ({"healthy": False, "partitions": (a_partition(state="opening"),)}, "running, 1 warning"),
        ({"healthy": False, "state": "starting"}, "starting"),
        ({"healthy": False, "state": "draining"}, "draining, as it was asked to"),
        (
            {"healthy": False, "state": "draining", "hub_trouble": "no answer"},
            "draining, as it was asked to, 1 warning",
        ),
    ],
)
def test_the_headline_calls_a_tree_degraded_only_for_what_nobody_asked_for(changes: dict[str, Any], said: str) -> None:
    assert headline(a_tree(a_partition(), **changes)) == said


def test_a_partition_without_an_owner_is_said_with_what_to_do() -> None:
    (trouble,) = troubles(a_tree(a_partition(), unowned=("3",)))
    assert trouble.text == (
        "partition 3: held by nobody, and no supervisor has room."
        " Start another supervisor, or raise EVSUP_MAX_PARTITIONS"
    )


def test_a_standby_says_when_the_partitions_of_a_killed_supervisor_are_free() -> None:
    leases = (*(HeldElsewhere(each, "a-1", 44.0) for each in "012"), HeldElsewhere("7", "b-2", 58.0))
    standby = a_tree(state="standby", elsewhere=leases)
    assert Line("others", "a-1 holds 0-2; if it was killed, they are free in 44 s") in facts(standby)
    assert Line("others", "b-2 holds 7; if it was killed, they are free in 58 s") in facts(standby)
    assert Line("others", "a-1 holds 0-2") in facts(a_tree(a_partition("3"), elsewhere=leases))

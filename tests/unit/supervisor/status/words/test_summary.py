"""A tree in words."""

from typing import Any

import pytest

from supervisor.status.words.summary import headline, troubles
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

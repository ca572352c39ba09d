"""How long the oldest event that is not loaded stays in the hub, and where that is shown."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console

from shared.eventhubs.retention import time_to_loss_s
from supervisor.status.group import GroupPartition, GroupStatus, with_losses
from supervisor.status.metrics.exposition import exposition
from supervisor.status.screens.status import group_screen, tree_screen
from tests.unit.supervisor.status.statuses import NOW_S, a_partition, a_tree

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
DAY_S = 86400.0


@pytest.mark.parametrize(
    ("age", "hours", "left_s"),
    [
        (timedelta(0), 24, DAY_S),
        (timedelta(hours=23), 24, 3600.0),
        (timedelta(hours=24), 24, 0.0),
        (timedelta(days=30), 24, 0.0),
        (timedelta(seconds=-5), 24, DAY_S + 5),  # the hub's clock is ahead of ours
        (timedelta(0), None, None),
        (None, 24, None),
    ],
)
def test_an_event_may_be_gone_when_its_retention_is_over_and_never_less_than_now(
    age: timedelta | None, hours: int | None, left_s: float | None
) -> None:
    assert time_to_loss_s(None if age is None else NOW - age, hours, NOW) == left_s


def test_metrics_and_screen_show_it_where_it_is_known() -> None:
    none = a_partition("0", time_to_loss_s=None)
    tree = a_tree(none, a_partition("1", time_to_loss_s=7500.0), a_partition("2", time_to_loss_s=DAY_S))
    page = exposition(tree, NOW_S).decode()
    samples = re.findall(r'^evsup_time_to_loss_seconds{.*partition="(\d)".*} (.*)$', page, re.MULTILINE)
    assert samples == [("1", "7500.0"), ("2", "86400.0")]
    assert "loss   of events of partition 1 that are not loaded: in 2 h 5 min" in shown(tree_screen(tree))
    assert "loss" not in shown(tree_screen(a_tree(none)))
    assert "begins now" in shown(tree_screen(a_tree(a_partition(time_to_loss_s=0.0))))


def test_of_a_group_only_what_waits_and_nobody_holds_is_asked_for() -> None:
    rows = (
        a_row("0"),
        a_row("1", lease="free"),
        a_row("2", lease="expired", lag=0),
        a_row("3", lease="free", lag=None),
        a_row("4", lease="free", checkpointed=None, begins_after=40),
    )
    asked: list[tuple[str, int | None]] = []

    def loss_s(partition: str, checkpoint: int | None) -> float:
        asked.append((partition, checkpoint))
        return 7500.0

    group = with_losses(a_group(*rows), loss_s)
    assert asked == [("1", 10), ("4", 40)]
    assert [row.time_to_loss_s for row in group.partitions] == [None, 7500.0, None, None, 7500.0]
    assert "in 2 h 5 min" in shown(group_screen(group))


def a_row(partition: str, **changes: Any) -> GroupPartition:
    facts: dict[str, Any] = {
        "partition": partition,
        "lease": "held",
        "owner_id": None,
        "host": None,
        "epoch": 1,
        "age_s": None,
        "checkpointed": 10,
        "lag": 5,
    }
    return GroupPartition(**facts | changes)


def a_group(*partitions: GroupPartition) -> GroupStatus:
    return GroupStatus(
        healthy=False, source="ns/hub", consumer_group="$Default", store="sqlite", supervisors=(), partitions=partitions
    )


def shown(screen: Any) -> str:
    console = Console(width=200)
    with console.capture() as captured:
        console.print(screen)
    return captured.get()

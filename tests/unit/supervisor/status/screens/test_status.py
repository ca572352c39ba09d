"""On a terminal of any size no number is cut, the worst partitions are seen, and the others are summed up."""

from typing import Any

import pytest
from rich.console import Console, RenderableType

from supervisor.status.group import GroupPartition, GroupStatus, GroupSupervisor
from supervisor.status.model import SORTS, PartitionStatus, Sort, TreeStatus
from supervisor.status.screens.status import group_screen, tree_screen
from tests.unit.supervisor.status.statuses import a_partition, a_tree

LARGE = 1_234_567_890_123  # as the sequence numbers of a hub that is some years old
SIZES = [(width, partitions) for width in (60, 80, 100, 120, 200) for partitions in (4, 32, 200)]


def drawn(screen: RenderableType, width: int, height: int = 24) -> list[str]:
    console = Console(width=width, height=height, force_terminal=False)
    with console.capture() as captured:
        console.print(screen)
    return [line.rstrip() for line in captured.get().splitlines()]


def a_row(number: int, **changes: Any) -> PartitionStatus:
    durable = LARGE + 1000 * number
    facts: dict[str, Any] = {
        "pid": 101_000 + number,
        "received": durable + 150,
        "appended": durable + 120,
        "durable": durable,
        "checkpointed": durable - 1000,
        "lag": 12 + number % 29,
        "rows_per_s": 2450.4,
        "rows_inflight": 1000,
        "time_to_loss_s": None,
    }
    return a_partition(str(number), **facts | changes)


def a_large_tree(partitions: int, *odd: PartitionStatus) -> TreeStatus:
    """Rows of such a hub, the first of them replaced."""
    rows = {row.partition: row for row in (*map(a_row, range(partitions)), *odd)}
    return a_tree(*rows.values(), partitions_total=partitions)


def partitions_of(lines: list[str]) -> list[str]:
    """What the lines below the head begin with."""
    start = next(at for at, line in enumerate(lines) if line.startswith("PART"))
    return [line.split()[0] for line in lines[start + 1 :] if " more, " not in line]


@pytest.mark.parametrize(("width", "partitions"), SIZES)
def test_a_tree_of_any_size_fits_a_terminal_and_no_number_is_cut(width: int, partitions: int) -> None:
    tree = a_large_tree(partitions, a_row(3, lag=1_234_567))
    lines = drawn(tree_screen(tree, width, 24), width)
    assert len(lines) < 24
    assert max(map(len, lines)) <= width
    assert "…" not in "\n".join(lines)
    (worst,) = (line for line in lines if line.startswith("3 "))
    assert "1,234,567" in worst.split()
    if width > 60:
        assert str(LARGE + 3000) in worst.split()


def test_with_room_every_column_is_there() -> None:
    (head,) = (line for line in drawn(tree_screen(a_large_tree(4)), 240) if line.startswith("PART"))
    assert head.split() == [
        *("PART", "STATE", "LAG", "BEHIND", "ROW", "AGE", "ROWS/S", "EVENT", "HEARD", "COMMIT", "RECEIVED", "APPENDED"),
        *("DURABLE", "CHECKPT", "PID", "EPOCH", "REPORT", "MEMORY"),
    ]


def test_where_nobody_reads_on_a_terminal_every_partition_is_there() -> None:
    assert len(partitions_of(drawn(tree_screen(a_large_tree(200)), 240))) == 200


def test_partitions_without_a_line_are_summed_up_in_one() -> None:
    lines = drawn(tree_screen(a_large_tree(200), 80, 24), 80)
    shown = len(partitions_of(lines))
    assert lines[-1].startswith(f"{200 - shown} more, all healthy, lag 12–38")


def test_a_sum_says_how_many_of_them_are_not_well() -> None:
    odd = [a_row(number, state="opening", lag=None) for number in range(100)]
    lines = drawn(tree_screen(a_large_tree(200, *odd), 80, 24), 80)
    shown = len(partitions_of(lines))
    assert lines[-1].startswith(f"{200 - shown} more, 100 healthy, lag 12–40")
    silent = [a_row(number, frame_age_s=99.0, lag=0) for number in range(200)]
    assert ", none healthy, lag 0" in drawn(tree_screen(a_large_tree(200, *silent), 80, 24), 80)[-1]


@pytest.mark.parametrize(
    ("sort", "first"),
    [("lag", ["5", "2", "3", "1"]), ("age", ["5", "1", "3", "2"]), ("partition", ["0", "1", "2", "3"])],
)
def test_the_worst_partitions_come_first(sort: Sort, first: list[str]) -> None:
    odd = (
        a_row(1, lag=100, row_age_s=900.0),
        a_row(2, lag=900, row_age_s=100.0),
        a_row(3, lag=500, row_age_s=500.0),
        a_row(5, state="failed", lag=0, row_age_s=0.0),
        a_row(7, lag=None, row_age_s=None),
    )
    found = partitions_of(drawn(tree_screen(a_large_tree(8, *odd), 80, 40, sort), 80))
    assert found[:4] == first
    assert len(found) == 8


def test_every_order_may_be_asked_for() -> None:
    assert SORTS == ("lag", "age", "partition")


def test_totals_have_a_line_of_their_own() -> None:
    lines = drawn(tree_screen(a_large_tree(4, a_row(2, lag=1_000_000, lag_s=75.0)), 80, 24), 80)
    assert "  total  lag 1,000,040 events, 1 min behind, 9,802 rows/s, 4,000 rows in flight" in lines
    assert "  time   newest row 8 s old, last event 1 s, commit 2 s, hub heard 1 s ago" in lines


def test_what_is_wrong_is_said_above_the_table_with_what_to_type() -> None:
    lines = drawn(tree_screen(a_large_tree(4, a_row(2, frame_age_s=23.0)), 100, 24), 100)
    assert lines[0] == "● evsup 1.2.3 running, healthy, 1 warning"
    assert (
        "  now    Nothing heard from Event Hubs for 23 s; lag is as of then (partition 2). Run `evsup check`." in lines
    )


def test_a_terminal_of_a_few_lines_still_shows_the_worst() -> None:
    assert partitions_of(drawn(tree_screen(a_large_tree(200, a_row(150, lag=10**9)), 40, 5), 40))[0] == "150"


# --- the group --------------------------------------------------------------------------------------------------------


def a_group(supervisors: int, partitions: int) -> GroupStatus:
    return GroupStatus(
        healthy=True,
        source="ns/hub",
        consumer_group="$Default",
        store="postgres",
        supervisors=tuple(
            GroupSupervisor(
                owner_id=f"ip-10-0-12-{at}-101000-abcdef12", host=f"ip-10-0-12-{at}", pid=101_000, evsup="1.2.3",
                capacity=None, partitions=8, age_s=3.0, is_live=True,
            ) for at in range(supervisors)
        ),
        partitions=tuple(
            GroupPartition(
                partition=str(at), lease="held", owner_id="ip-10-0-12-7-101000-abcdef12", host="ip-10-0-12-7", epoch=37,
                age_s=4.0, checkpointed=LARGE + at, lag=12 + at % 29,
            ) for at in range(partitions)
        ),
    )  # fmt: skip


@pytest.mark.parametrize(("width", "partitions"), SIZES)
@pytest.mark.parametrize("supervisors", [1, 25])
def test_a_group_of_any_size_fits_a_terminal(width: int, partitions: int, supervisors: int) -> None:
    lines = drawn(group_screen(a_group(supervisors, partitions), width, 24), width)
    assert len(lines) < 24
    assert max(map(len, lines)) <= width
    assert "…" not in "\n".join(lines)
    assert len(partitions_of(lines)) >= 4


@pytest.mark.parametrize(("supervisors", "words"), [(1, "1 supervisor,"), (2, "2 supervisors,")])
def test_one_supervisor_is_one(supervisors: int, words: str) -> None:
    assert words in drawn(group_screen(a_group(supervisors, 4)), 200)[1]

"""What `evsup status` prints for people: a head of a few lines, and tables.

On a terminal it fits: columns without room are left out, and partitions without room are summed up
in one line. The worst partitions come first, unless another order is asked for.
"""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from shared.counted import counted
from shared.log.printable import printable
from supervisor.status.group import GroupPartition, GroupStatus, GroupSupervisor
from supervisor.status.model import Sort, TreeStatus
from supervisor.status.screens.table import fitted
from supervisor.status.words.columns import Column, age, count, left, number
from supervisor.status.words.summary import (
    PARTITIONS,
    Line,
    facts,
    headline,
    order,
    troubled,
    troubles,
    verdict,
    worst_first,
)

LEAST_LINES = 4  # for a table, on however small a terminal


class _Partition(Protocol):
    """A line of either screen."""

    @property
    def partition(self) -> str: ...

    @property
    def lag(self) -> int | None: ...


Row = TypeVar("Row", bound=_Partition)


def tree_screen(tree: TreeStatus, width: int | None = None, height: int | None = None, sort: Sort = "lag") -> Group:
    """One tree: what it reads and writes, what is wrong, and a line for each partition.

    It fits into `width` characters and `height` lines; None: there is room for everything.
    """
    bad = troubled(tree)
    rows, head = worst_first(tree, sort), _tree_head(tree)
    sum_up = _sum_up(lambda row: row.partition not in bad)
    return Group(head, *fitted(PARTITIONS, rows, width, _room(height, width, head), sum_up))


def group_screen(group: GroupStatus, width: int | None = None, height: int | None = None, sort: Sort = "lag") -> Group:
    """The consumer group: a line for each supervisor, and one for each partition; otherwise as `tree_screen`."""
    third = None if height is None else max(LEAST_LINES, height // 3)
    members = sorted(group.supervisors, key=lambda row: (row.is_live, row.host, row.owner_id))
    supervisors = fitted(GROUP_SUPERVISORS, members, width, third, _sum_up_supervisors)
    head = Group(_group_head(group), *supervisors, Text())
    rows = sorted(group.partitions, key=order(sort, _is_held, lambda row: row.age_s))
    return Group(head, *fitted(GROUP_PARTITIONS, rows, width, _room(height, width, head), _sum_up(_is_held)))


# --- heads ------------------------------------------------------------------------------------------------------------


def _tree_head(tree: TreeStatus) -> Group:
    head = Text.assemble(
        _dot(healthy=verdict(tree) == "well"),
        (f"evsup {tree.evsup} ", "bold"),
        headline(tree),
    )
    said = [(line, "") for line in facts(tree)]
    wrong = [(line, "red" if line.stops else "yellow") for line in troubles(tree)]
    return Group(head, _labelled([*said, *wrong]), Text())


def _group_head(group: GroupStatus) -> Text:
    live = sum(row.is_live for row in group.supervisors)
    held = sum(row.lease == "held" for row in group.partitions)
    total = sum(row.lease != "gone" for row in group.partitions)
    lags = [row.lag for row in group.partitions if row.lag is not None]
    return Text.assemble(
        _dot(healthy=group.healthy),
        (f"{group.source} ({group.consumer_group}) ", "bold"),
        f"{'healthy' if group.healthy else 'degraded'}\n",
        f"  {held} of {counted(total, 'partition')} held, {counted(live, 'supervisor')}, store {group.store},"
        f" lag {f'{count(sum(lags))} events' if lags else '-'}\n",
    )


def _labelled(lines: Sequence[tuple[Line, str]]) -> Table:
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(min_width=8, no_wrap=True)
    grid.add_column(overflow="fold")
    for line, style in lines:
        grid.add_row(Text(f"  {line.label}", style), Text(printable(line.text), style))
    return grid


def _dot(*, healthy: bool) -> tuple[str, str]:
    return "● ", "green" if healthy else "yellow"


# --- rows that fit ----------------------------------------------------------------------------------------------------


def _room(height: int | None, width: int | None, head: Group) -> int | None:
    """Lines that are left for a table below the head, with one for the prompt."""
    if height is None or width is None:
        return None
    return max(LEAST_LINES, height - len(Console(width=width).render_lines(head)) - 1)


def _sum_up(is_well: Callable[[Row], bool]) -> Callable[[Sequence[Row]], str]:
    """What one line says of the partitions that have none."""

    def text(rows: Sequence[Row]) -> str:
        well, lags = sum(map(is_well, rows)), [row.lag for row in rows if row.lag is not None]
        health = "all healthy" if well == len(rows) else f"{count(well) if well else 'none'} healthy"
        least, most = (count(min(lags)), count(max(lags))) if lags else ("-", "-")
        return f"{count(len(rows))} more, {health}, lag {least if least == most else f'{least}–{most}'}"

    return text


def _sum_up_supervisors(rows: Sequence[GroupSupervisor]) -> str:
    live, held = sum(row.is_live for row in rows), sum(row.partitions for row in rows)
    return f"{len(rows)} more, {live} live, {counted(held, 'partition')}"


def _is_held(row: GroupPartition) -> bool:
    return row.lease in ("held", "gone")


GROUP_SUPERVISORS: tuple[Column[GroupSupervisor], ...] = (
    Column("SUPERVISOR", "left", lambda row: row.owner_id),
    Column("HOST", "left", lambda row: row.host, 3),
    Column("PID", "right", lambda row: str(row.pid), 4),
    Column("PARTS", "right", lambda row: str(row.partitions)),
    Column("MOST", "right", lambda row: "all" if row.capacity is None else str(row.capacity), 2),
    Column("SEEN", "right", lambda row: f"{age(row.age_s)} ago"),
    Column("", "left", lambda row: "" if row.is_live else "expired"),
    Column("VERSION", "left", lambda row: row.evsup, 1),
)
GROUP_PARTITIONS: tuple[Column[GroupPartition], ...] = (
    Column("PART", "left", lambda row: row.partition),
    Column("LEASE", "left", lambda row: row.lease),
    Column("LAG", "right", lambda row: count(row.lag)),
    Column("LOSS", "right", lambda row: left(row.time_to_loss_s), 1),
    Column("CHECKPT", "right", lambda row: number(row.checkpointed), 2),
    Column("OWNER", "left", lambda row: row.owner_id or "-", 3),
    Column("RENEWED", "right", lambda row: "-" if row.age_s is None else f"{age(row.age_s)} ago", 4),
    Column("EPOCH", "right", lambda row: str(row.epoch), 5),
    Column("HOST", "left", lambda row: row.host or "-", 6),
)

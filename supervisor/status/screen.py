"""What `evsup status` prints for people: a head of a few lines, and tables.

On a terminal it fits: columns without room are left out, and partitions without room are summed up
in one line. The worst partitions come first, unless another order is asked for.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from shared.command_line import complete
from shared.log.printable import printable
from supervisor.ownership.balance import by_owner
from supervisor.status.findings import findings, named
from supervisor.status.group import GroupPartition, GroupStatus, GroupSupervisor
from supervisor.status.model import PartitionStatus, Sort, TreeStatus
from supervisor.status.table import Column, age, count, fitted, left, mib, number

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
    troubled = frozenset[str]().union(*(finding.partitions for finding in findings(tree)))

    def is_well(row: PartitionStatus) -> bool:
        return row.partition not in troubled

    rows = sorted(tree.partitions, key=_order(sort, is_well, lambda row: row.row_age_s))
    head = _tree_head(tree)
    return Group(head, *fitted(PARTITIONS, rows, width, _room(height, width, head), _sum_up(is_well)))


def group_screen(group: GroupStatus, width: int | None = None, height: int | None = None, sort: Sort = "lag") -> Group:
    """The consumer group: a line for each supervisor, and one for each partition; otherwise as `tree_screen`."""
    third = None if height is None else max(LEAST_LINES, height // 3)
    members = sorted(group.supervisors, key=lambda row: (row.is_live, row.host, row.owner_id))
    supervisors = fitted(GROUP_SUPERVISORS, members, width, third, _sum_up_supervisors)
    head = Group(_group_head(group), *supervisors, Text())
    rows = sorted(group.partitions, key=_order(sort, _is_held, lambda row: row.age_s))
    return Group(head, *fitted(GROUP_PARTITIONS, rows, width, _room(height, width, head), _sum_up(_is_held)))


# --- heads ------------------------------------------------------------------------------------------------------------


def _tree_head(tree: TreeStatus) -> Group:
    warnings = len(findings(tree))
    head = Text.assemble(
        _dot(healthy=tree.healthy and not warnings),
        (f"evsup {tree.evsup} ", "bold"),
        f"{tree.state}, {'healthy' if tree.healthy else 'degraded'}",
        f", {_counted(warnings, 'warning')}" if warnings else "",
    )
    return Group(head, _labelled([*_facts(tree), *_troubles(tree)]), Text())


def _facts(tree: TreeStatus) -> Iterator[tuple[str, str, str]]:
    """Label, text and style of the lines that are always there."""
    yield "from", f"{tree.source} ({tree.consumer_group})", ""
    yield "to", tree.target, ""
    held = f"{len(tree.partitions)} of {_counted(tree.partitions_total, 'partition')}"
    yield "tree", f"{held}, pid {tree.pid} on {tree.host}, up {age(tree.uptime_s)}, store {tree.store}", ""
    for owner_id, partitions in by_owner(tree.elsewhere).items():
        yield "others", f"{owner_id} holds {', '.join(partitions)}", ""
    if tree.partitions:
        yield "total", _total(tree.partitions), ""
        yield "time", _times(tree.partitions), ""


def _total(rows: Sequence[PartitionStatus]) -> str:
    lags = [row.lag for row in rows if row.lag is not None]
    behind_s = max((row.lag_s for row in rows if row.lag_s is not None), default=None)
    rate, inflight = sum(row.rows_per_s for row in rows), sum(row.rows_inflight for row in rows)
    behind = "" if behind_s is None else f", {age(behind_s)} behind at most"
    return f"lag {count(sum(lags) if lags else None)}{behind}, {count(rate)} rows/s, {count(inflight)} in flight"


def _times(rows: Sequence[PartitionStatus]) -> str:
    """The newest of all partitions, but of the hub the one that was not heard for longest: each has its connection."""

    def known(seconds: Callable[[PartitionStatus], float | None]) -> list[float]:
        return [value for row in rows if (value := seconds(row)) is not None]

    newest, events, commits = (
        known(lambda row: row.row_age_s),
        known(lambda row: row.event_age_s),
        known(lambda row: row.commit_age_s),
    )
    heard = known(lambda row: row.frame_age_s)
    parts = [f"newest row {age(min(newest))} old"] if newest else ["no row yet"]
    parts += [f"last event {age(min(events))}"] if events else []
    parts += [f"commit {age(min(commits))}"] if commits else []
    parts += [f"hub heard {age(max(heard))} ago"] if heard else []
    return ", ".join(parts)


def _troubles(tree: TreeStatus) -> Iterator[tuple[str, str, str]]:
    """Those that say what is wrong."""
    if tree.cause:
        yield "stopping", tree.cause, "red"
    for finding in findings(tree):
        yield "now", complete(str(finding)), "yellow"
    for waits_for in sorted({row.waits_for for row in tree.partitions if row.waits_for}):
        held = [row.partition for row in tree.partitions if row.waits_for == waits_for]
        yield "waits", f"{named(held, len(tree.partitions))}: {waits_for}", "yellow"
    if tree.hub_trouble:
        yield "hub", f"last listed its partitions {age(tree.hub_age_s)} ago: {tree.hub_trouble}", "yellow"
    losses = [(row.time_to_loss_s, row.partition) for row in tree.partitions if row.time_to_loss_s is not None]
    for seconds, partition in sorted(losses)[:1]:
        yield "loss", f"of events of partition {partition} that are not loaded: {left(seconds)}", "yellow"
    if tree.table_unseen:
        yield "table", f"columns cannot be seen: {tree.table_unseen}", "yellow"
    if tree.unowned:
        yield "unowned", f"partitions: {', '.join(tree.unowned)}", "yellow"


def _group_head(group: GroupStatus) -> Text:
    live = sum(row.is_live for row in group.supervisors)
    held = sum(row.lease == "held" for row in group.partitions)
    total = sum(row.lease != "gone" for row in group.partitions)
    lags = [row.lag for row in group.partitions if row.lag is not None]
    return Text.assemble(
        _dot(healthy=group.healthy),
        (f"{group.source} ({group.consumer_group}) ", "bold"),
        f"{'healthy' if group.healthy else 'degraded'}\n",
        f"  {held} of {_counted(total, 'partition')} held, {_counted(live, 'supervisor')}, store {group.store},"
        f" lag {count(sum(lags) if lags else None)}\n",
    )


def _labelled(lines: Sequence[tuple[str, str, str]]) -> Table:
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(min_width=8, no_wrap=True)
    grid.add_column(overflow="fold")
    for label, text, style in lines:
        grid.add_row(Text(f"  {label}", style), Text(printable(text), style))
    return grid


def _counted(things: int, name: str) -> str:
    return f"{things} {name}{'' if things == 1 else 's'}"


def _dot(*, healthy: bool) -> tuple[str, str]:
    return "● ", "green" if healthy else "yellow"


# --- rows that fit ----------------------------------------------------------------------------------------------------


def _room(height: int | None, width: int | None, head: Group) -> int | None:
    """Lines that are left for a table below the head, with one for the prompt."""
    if height is None or width is None:
        return None
    return max(LEAST_LINES, height - len(Console(width=width).render_lines(head)) - 1)


def _order(
    sort: Sort, is_well: Callable[[Row], bool], age_s: Callable[[Row], float | None]
) -> Callable[[Row], tuple[bool, float, int, str]]:
    """The worst first: what something is wrong with, then by lag or age; what is alike by its partition."""

    def key(row: Row) -> tuple[bool, float, int, str]:
        if sort == "partition":
            return False, 0.0, len(row.partition), row.partition
        bad = row.lag if sort == "lag" else age_s(row)
        return is_well(row), 1.0 if bad is None else -bad, len(row.partition), row.partition

    return key


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
    return f"{len(rows)} more, {live} live, {_counted(held, 'partition')}"


def _is_held(row: GroupPartition) -> bool:
    return row.lease in ("held", "gone")


PARTITIONS: tuple[Column[PartitionStatus], ...] = (
    Column("PART", "left", lambda row: row.partition),
    Column("STATE", "left", lambda row: row.state),
    Column("LAG", "right", lambda row: count(row.lag)),
    Column("BEHIND", "right", lambda row: age(row.lag_s), 1),
    Column("ROW AGE", "right", lambda row: age(row.row_age_s), 2),
    Column("ROWS/S", "right", lambda row: count(row.rows_per_s), 4),
    Column("EVENT", "right", lambda row: age(row.event_age_s), 7),
    Column("HEARD", "right", lambda row: age(row.frame_age_s), 6),
    Column("COMMIT", "right", lambda row: age(row.commit_age_s), 5),
    Column("RECEIVED", "right", lambda row: number(row.received), 8),
    Column("APPENDED", "right", lambda row: number(row.appended), 10),
    Column("DURABLE", "right", lambda row: number(row.durable), 3),
    Column("CHECKPT", "right", lambda row: number(row.checkpointed), 9),
    Column("PID", "right", lambda row: str(row.pid), 11),
    Column("EPOCH", "right", lambda row: str(row.epoch), 12),
    Column("REPORT", "right", lambda row: age(row.report_age_s), 13),
    Column("MEMORY", "right", lambda row: mib(row.rss_bytes), 14),
)
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

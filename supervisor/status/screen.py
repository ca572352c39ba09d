"""What `evsup status`, `checkpoints list` and `verify` print for people: a head of a few lines, and tables."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from rich.console import Group
from rich.table import Table
from rich.text import Text

from shared.log.printable import printable
from supervisor.checkpoints.documents import ListedCheckpoint
from supervisor.checkpoints.verification import Proof
from supervisor.ownership.balance import by_owner
from supervisor.status.group import GroupPartition, GroupStatus, GroupSupervisor
from supervisor.status.model import PartitionStatus, TreeStatus

WIDE = 100  # characters a line; also where the output is no terminal

Shown = TypeVar("Shown")


@dataclass(frozen=True, slots=True)
class Column(Generic[Shown]):
    """A column of a table: its heading, its alignment, and the text of a cell."""

    name: str
    justify: Literal["left", "right"]
    cell: Callable[[Shown], str]


def tree_screen(tree: TreeStatus, width: int = WIDE) -> Group:
    """One tree: what it reads and writes, and a line for each partition; memory only on a wide screen."""
    columns = PARTITIONS if width >= WIDE else PARTITIONS[:-1]
    return Group(_tree_head(tree), _table(columns, tree.partitions))


def group_screen(group: GroupStatus) -> Group:
    """The consumer group: a line for each supervisor, and one for each partition."""
    live = sum(row.is_live for row in group.supervisors)
    held = sum(row.lease == "held" for row in group.partitions)
    total = sum(row.lease != "gone" for row in group.partitions)
    head = Text.assemble(
        _dot(healthy=group.healthy),
        (f"{group.source} ({group.consumer_group}) ", "bold"),
        f"{'healthy' if group.healthy else 'degraded'}\n",
        f"  {held} of {total} partitions held, {live} supervisors, store {group.store}\n",
    )
    supervisors = _table(GROUP_SUPERVISORS, group.supervisors)
    return Group(head, supervisors, Text(), _table(GROUP_PARTITIONS, group.partitions))


def checkpoint_table(rows: Sequence[ListedCheckpoint]) -> Table:
    """A line for each partition: its checkpoint, and who holds it."""
    return _table(CHECKPOINTS, rows)


def proof_screen(source: str, table: str, pipe: str, proofs: Sequence[Proof]) -> Group:
    """A line for each partition: hub, checkpoint, token and table side by side; then what refutes the proof."""
    refuted = [one for one in proofs if one.verdict == "refuted"]
    head = Text.assemble(
        _dot(healthy=not refuted),
        (f"{source} in {table} ", "bold"),
        f"{len(refuted)} of {len(proofs)} partitions refuted\n" if refuted else "every event is there once\n",
        printable(f"  through {pipe}\n"),
    )
    found = [f"  partition {one.partition}: {each.text}" for one in refuted for each in one.findings]
    lines = [Text(printable(line), "red") for line in found]
    return Group(head, _table(PROOFS, proofs), *([Text(), *lines] if lines else []))


def _tree_head(tree: TreeStatus) -> Text:
    head = Text.assemble(
        _dot(healthy=tree.healthy),
        (f"evsup {tree.version} ", "bold"),
        f"{tree.state}, {'healthy' if tree.healthy else 'degraded'}\n",
        f"  from   {tree.source} ({tree.consumer_group})\n",
        f"  to     {tree.target}\n",
        f"  tree   {len(tree.partitions)} of {tree.partitions_total} partitions, pid {tree.pid} on {tree.host},"
        f" up {_age(tree.uptime_s)}, store {tree.store}\n",
    )
    for owner_id, partitions in by_owner(tree.elsewhere).items():
        head.append(printable(f"  others {owner_id} holds {', '.join(partitions)}\n"))
    if tree.hub_trouble:
        line = f"  hub    last listed its partitions {_age(tree.hub_age_s)} ago: {tree.hub_trouble}\n"
        head.append(printable(line), "yellow")
    losses = [(row.time_to_loss_s, row.partition) for row in tree.partitions if row.time_to_loss_s is not None]
    for seconds, partition in sorted(losses)[:1]:
        line = f"  loss   of events of partition {partition} that are not loaded: {_left(seconds)}\n"
        head.append(printable(line), "yellow")
    if tree.table_unseen:
        head.append(printable(f"  table  columns cannot be seen: {tree.table_unseen}\n"), "yellow")
    for waits_for in sorted({row.waits_for for row in tree.partitions if row.waits_for}):
        held = ", ".join(row.partition for row in tree.partitions if row.waits_for == waits_for)
        head.append(printable(f"  waits  partitions {held}: {waits_for}\n"), "yellow")
    if tree.unowned:
        head.append(printable(f"  unowned partitions: {', '.join(tree.unowned)}\n"), "yellow")
    if tree.cause:
        head.append(printable(f"  stopping: {tree.cause}\n"), "red")
    return head


def _dot(*, healthy: bool) -> tuple[str, str]:
    return "● ", "green" if healthy else "yellow"


def _table(columns: Sequence[Column[Shown]], rows: Sequence[Shown]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    for column in columns:
        table.add_column(column.name, justify=column.justify, no_wrap=True)
    for row in rows:
        table.add_row(*(Text(printable(column.cell(row))) for column in columns))
    return table


def _number(value: int | None) -> str:
    return "-" if value is None else str(value)


def _span(first: int | None, last: int | None) -> str:
    return "-" if first is None or last is None else f"{first}-{last}"


def _mib(size_bytes: int) -> str:
    return f"{size_bytes / 1024 / 1024:.0f} MiB"


def _age(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, hours = int(seconds // 60), int(seconds // 3600)
    return f"{minutes} min" if hours < 1 else f"{hours} h {minutes % 60} min"


def _left(seconds: float | None) -> str:
    return "begins now" if seconds == 0 else "-" if seconds is None else f"in {_age(seconds)}"


PARTITIONS: tuple[Column[PartitionStatus], ...] = (
    Column("PART", "left", lambda row: row.partition),
    Column("STATE", "left", lambda row: row.state),
    Column("PID", "right", lambda row: str(row.pid)),
    Column("EPOCH", "right", lambda row: str(row.epoch)),
    Column("RECEIVED", "right", lambda row: _number(row.received)),
    Column("APPENDED", "right", lambda row: _number(row.appended)),
    Column("DURABLE", "right", lambda row: _number(row.durable)),
    Column("CHECKPT", "right", lambda row: _number(row.checkpointed)),
    Column("LAG", "right", lambda row: _number(row.lag)),
    Column("ROWS/S", "right", lambda row: f"{row.rows_per_s:.0f}"),
    Column("AGE", "right", lambda row: _age(row.age_s)),
    Column("MEMORY", "right", lambda row: _mib(row.rss_bytes)),
)
GROUP_SUPERVISORS: tuple[Column[GroupSupervisor], ...] = (
    Column("SUPERVISOR", "left", lambda row: row.owner_id),
    Column("HOST", "left", lambda row: row.host),
    Column("PID", "right", lambda row: str(row.pid)),
    Column("PARTS", "right", lambda row: str(row.partitions)),
    Column("MOST", "right", lambda row: "all" if row.capacity is None else str(row.capacity)),
    Column("SEEN", "right", lambda row: f"{_age(row.age_s)} ago"),
    Column("", "left", lambda row: "" if row.is_live else "expired"),
    Column("VERSION", "left", lambda row: row.version),
)
GROUP_PARTITIONS: tuple[Column[GroupPartition], ...] = (
    Column("PART", "left", lambda row: row.partition),
    Column("LEASE", "left", lambda row: row.lease),
    Column("HOST", "left", lambda row: row.host or "-"),
    Column("OWNER", "left", lambda row: row.owner_id or "-"),
    Column("EPOCH", "right", lambda row: str(row.epoch)),
    Column("AGE", "right", lambda row: _age(row.age_s)),
    Column("CHECKPT", "right", lambda row: _number(row.checkpointed)),
    Column("LAG", "right", lambda row: _number(row.lag)),
    Column("LOSS", "right", lambda row: _left(row.time_to_loss_s)),
)
CHECKPOINTS: tuple[Column[ListedCheckpoint], ...] = (
    Column("PART", "left", lambda row: row.partition),
    Column("CHECKPT", "right", lambda row: _number(row.sequence_number)),
    Column("OFFSET", "right", lambda row: row.offset or "-"),
    Column("EPOCH", "right", lambda row: str(row.epoch)),
    Column("GENERATION", "right", lambda row: str(row.generation)),
    Column("LAG", "right", lambda row: str(row.lag)),
    Column("AGE", "right", lambda row: _age(row.age_s)),
    Column("OWNER", "left", lambda row: row.owner_id or "-"),
)
PROOFS: tuple[Column[Proof], ...] = (
    Column("PART", "left", lambda row: row.partition),
    Column("IN HUB", "right", lambda row: _span(row.hub_first, row.hub_last)),
    Column("CHECKPT", "right", lambda row: _number(row.checkpoint)),
    Column("TOKEN", "right", lambda row: _number(row.token)),
    Column("IN TABLE", "right", lambda row: _span(row.first, row.last)),
    Column("ROWS", "right", lambda row: str(row.rows)),
    Column("MISSING", "right", lambda row: str(row.missing)),
    Column("REPEATED", "right", lambda row: str(row.repeated)),
    Column("REJECTED", "right", lambda row: str(row.rejected)),
    Column("QUARANTINED", "right", lambda row: str(row.quarantined)),
    Column("LAG", "right", lambda row: str(row.lag)),
    Column("", "left", lambda row: row.verdict),
)

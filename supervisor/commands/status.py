"""`evsup status`: the running tree on this host."""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

import click
import msgspec
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from shared import config
from supervisor import options
from supervisor.balance import by_owner
from supervisor.state_dir import state_dir
from supervisor.status import PartitionStatus, TreeStatus, read_status

HEALTHY, DEGRADED, NOT_RUNNING = 0, 1, 3  # as `systemctl status`
REFRESH_S = 1.0
WIDE = 100  # columns of a terminal, and of everything that is none


class Column(NamedTuple):
    """A column of the table: its head, its side, and the text of a cell."""

    name: str
    justify: Literal["left", "right"]
    cell: Callable[[PartitionStatus], str]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.option("--watch", is_flag=True, help="Refresh every second until Ctrl-C.")
@options.env_file
def status(as_json: bool, watch: bool, env_file: Path | None) -> None:
    """Show the running tree. Exit 0 healthy, 1 degraded, 3 not running."""
    directory = state_dir(config.load_one("EVSUP_STATE_DIR", env_file))
    if watch and not as_json:
        sys.exit(_watch(directory))
    found = read_status(directory)
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
    elif found is None:
        click.echo(f"evsup is not running (no supervisor at {directory})")
    else:
        console = _console()
        console.print(screen(found, console.width))
    sys.exit(_code(found))


def _watch(directory: Path) -> int:
    found = read_status(directory)
    console = _console()
    with Live(console=console, auto_refresh=False) as live:
        try:
            while found is not None:
                live.update(screen(found, console.width), refresh=True)
                time.sleep(REFRESH_S)
                found = read_status(directory)
            live.update(Text(f"evsup is not running (no supervisor at {directory})"), refresh=True)
        except KeyboardInterrupt:
            pass
    return _code(found)


def _console() -> Console:
    """Stdout; a pipe has no width, and a table cut at 80 columns helps no script."""
    return Console() if sys.stdout.isatty() else Console(width=2 * WIDE)


def _code(found: TreeStatus | None) -> int:
    if found is None:
        return NOT_RUNNING
    return HEALTHY if found.healthy else DEGRADED


def screen(tree: TreeStatus, width: int = WIDE) -> Group:
    """The whole screen: who, from where to where, and a line a partition; memory only where there is room for it."""
    return Group(_head(tree), _table(tree, COLUMNS if width >= WIDE else COLUMNS[:-1]))


def _head(tree: TreeStatus) -> Text:
    head = Text.assemble(
        ("● ", "green" if tree.healthy else "yellow"),
        (f"evsup {tree.version} ", "bold"),
        f"{tree.state}, {'healthy' if tree.healthy else 'degraded'}\n",
        f"  from   {tree.source} ({tree.consumer_group})\n",
        f"  to     {tree.target}\n",
        f"  tree   {len(tree.partitions)} of {tree.partitions_total} partitions, pid {tree.pid} on {tree.host},"
        f" up {_age(tree.uptime_s)}, store {tree.store}\n",
    )
    for owner_id, partitions in by_owner(tree.elsewhere).items():
        head.append(f"  others {owner_id} holds {', '.join(partitions)}\n")
    if tree.unowned:
        head.append(f"  unowned partitions: {', '.join(tree.unowned)}\n", "yellow")
    if tree.cause:
        head.append(f"  stopping: {tree.cause}\n", "red")
    return head


def _table(tree: TreeStatus, columns: tuple[Column, ...]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    for column in columns:
        table.add_column(column.name, justify=column.justify, no_wrap=True)
    for row in tree.partitions:
        table.add_row(*(column.cell(row) for column in columns))
    return table


def _number(value: int | None) -> str:
    return "-" if value is None else str(value)


def _mib(size_bytes: int) -> str:
    return f"{size_bytes / 1024 / 1024:.0f} MiB"


def _age(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, hours = int(seconds // 60), int(seconds // 3600)
    return f"{minutes} min" if hours < 1 else f"{hours} h {minutes % 60} min"


COLUMNS = (
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

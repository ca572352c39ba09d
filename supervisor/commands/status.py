"""`evsup status`: the running tree on this host."""

import sys
import time
from pathlib import Path

import click
import msgspec
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from shared import config
from supervisor.state_dir import state_dir
from supervisor.status import PartitionStatus, TreeStatus, read_status

HEALTHY, DEGRADED, NOT_RUNNING = 0, 1, 3  # as `systemctl status`
REFRESH_S = 1.0


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.option("--watch", is_flag=True, help="Refresh every second until Ctrl-C.")
@click.option("--env-file", type=click.Path(path_type=Path), help="Read this file instead of ./.env.")
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
        Console().print(screen(found))
    sys.exit(_code(found))


def _watch(directory: Path) -> int:
    found = read_status(directory)
    with Live(console=Console(), auto_refresh=False) as live:
        try:
            while found is not None:
                live.update(screen(found), refresh=True)
                time.sleep(REFRESH_S)
                found = read_status(directory)
            live.update(Text(f"evsup is not running (no supervisor at {directory})"), refresh=True)
        except KeyboardInterrupt:
            pass
    return _code(found)


def _code(found: TreeStatus | None) -> int:
    if found is None:
        return NOT_RUNNING
    return HEALTHY if found.healthy else DEGRADED


def screen(tree: TreeStatus) -> Group:
    """The whole screen: who, from where to where, and a line a partition."""
    head = Text.assemble(
        ("● ", "green" if tree.healthy else "yellow"),
        (f"evsup {tree.version} ", "bold"),
        f"{tree.state}, {'healthy' if tree.healthy else 'degraded'}, pid {tree.pid} on {tree.host},"
        f" up {_age(tree.uptime_s)}, {_mib(tree.rss_bytes)}\n",
        f"  {tree.source} ({tree.consumer_group}) ▶ {tree.target}, store {tree.store}\n",
        f"  {len(tree.partitions)} of {tree.partitions_total} partitions here",
    )
    if tree.unowned:
        head.append(f", unowned: {', '.join(tree.unowned)}", "yellow")
    if tree.cause:
        head.append(f"\n  stopping: {tree.cause}", "red")
    return Group(head, _table(tree))


def _table(tree: TreeStatus) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("PART", no_wrap=True)
    table.add_column("STATE", no_wrap=True)
    for name in ("PID", "EPOCH", "RECEIVED", "APPENDED", "DURABLE", "CHECKPOINTED", "LAG", "ROWS/S", "RSS", "AGE"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in tree.partitions:
        table.add_row(*_cells(row))
    return table


def _cells(row: PartitionStatus) -> list[str]:
    marks = (row.received, row.appended, row.durable, row.checkpointed, row.lag)
    return [
        row.partition,
        row.state,
        str(row.pid),
        str(row.epoch),
        *("-" if mark is None else str(mark) for mark in marks),
        f"{row.rows_per_s:.0f}",
        _mib(row.rss_bytes),
        _age(row.age_s),
    ]


def _mib(size_bytes: int) -> str:
    return f"{size_bytes / 1024 / 1024:.0f} MiB"


def _age(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, hours = int(seconds // 60), int(seconds // 3600)
    return f"{minutes} min" if hours < 1 else f"{hours} h {minutes % 60} min"

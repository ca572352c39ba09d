"""`evsup checkpoints list`."""

import sys
import time
from pathlib import Path

import click
import msgspec
from rich.console import Console

from supervisor.checkpoints import admin_session
from supervisor.checkpoints.documents import Listed, listed
from supervisor.commands import options as common
from supervisor.status.screen import WIDE, checkpoint_table


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON array on stdout.")
@common.env_file
def list_(*, as_json: bool, env_file: Path | None) -> None:
    """Show checkpoint, owner and lag of every partition."""
    with admin_session.site(env_file) as site:
        owners = site.owners()
        rows = [
            listed(site.checkpoint(partition_id), owners.get(partition_id), facts.last, time.time())
            for partition_id, facts in site.partitions().items()
        ]
    if as_json:
        click.echo(msgspec.json.encode(rows).decode())
    else:
        _print(rows)


def _print(rows: list[Listed]) -> None:
    console = Console() if sys.stdout.isatty() else Console(width=2 * WIDE)
    console.print(checkpoint_table(rows))

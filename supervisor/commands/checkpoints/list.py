"""`evsup checkpoints list`."""

from pathlib import Path

import click

from supervisor.checkpoints.admin_session import open_session
from supervisor.checkpoints.documents import list_row
from supervisor.commands import shared_options
from supervisor.commands.command import Command
from supervisor.commands.output import console, print_json
from supervisor.status.screens.checkpoints import checkpoint_table


@click.command(
    "list",
    cls=Command,
    page="docs/checkpoints.md",
    examples={
        "evsup checkpoints list": "A line for each partition.",
        "evsup checkpoints list --json": "For scripts.",
    },
)
@click.option("--json", "as_json", is_flag=True, help="One JSON array on stdout.")
@shared_options.env_file
def list_(*, as_json: bool, env_file: Path | None) -> None:
    """Show checkpoint, owner and lag of every partition."""
    with open_session(env_file) as session:
        owners, partitions = session.owners(), session.partitions()
        rows = [
            list_row(checkpoint, owners.get(each), partitions[each].last)
            for each, checkpoint in session.checkpoints(partitions).items()
        ]
    if as_json:
        print_json(rows)
    else:
        output = console()
        output.print(checkpoint_table(rows, output.width))

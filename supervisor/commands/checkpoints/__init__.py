"""`evsup checkpoints`: the position of every partition, shown, kept in a file, or moved by hand."""

import click

from supervisor.commands.checkpoints.export import export
from supervisor.commands.checkpoints.import_ import import_
from supervisor.commands.checkpoints.list import list_
from supervisor.commands.checkpoints.set_reset import reset, set_


@click.group()
def checkpoints() -> None:
    """Show or move the position of a partition.

    `set`, `reset` and `import` show what would repeat and what would be skipped, and change nothing without --yes. With
    it they are refused (exit code 75) while a partition has a live owner.
    """


for command in (list_, export, import_, set_, reset):
    checkpoints.add_command(command)

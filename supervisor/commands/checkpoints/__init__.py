"""`evsup checkpoints`: the position of every partition, shown, kept in a file, or moved by hand."""

import click

from supervisor.commands.command import Entry, Group

_HERE = "supervisor.commands.checkpoints."
SECTIONS = {
    "Look": {
        "list": Entry(f"{_HERE}list:list_", "Show checkpoint, owner and lag of every partition."),
        "export": Entry(f"{_HERE}export:export", "Write the position of every partition as JSON."),
    },
    "Move": {
        "import": Entry(f"{_HERE}import_:import_", "Take over the positions of another program or of a file."),
        "set": Entry(f"{_HERE}set_reset:set_", "Move a partition, or accept its rejected rows."),
        "reset": Entry(f"{_HERE}set_reset:reset", "Begin partitions anew."),
    },
}


@click.group(
    cls=Group,
    sections=SECTIONS,
    page="docs/checkpoints.md",
    examples={
        "evsup checkpoints list": "Where is each partition?",
        "evsup checkpoints reset --partition 3 --to -1": "What would reading it from its oldest event repeat?",
        "evsup checkpoints reset --partition 3 --to -1 --yes": "Do it.",
    },
)
def checkpoints() -> None:
    """Show or move the position of a partition.

    `set`, `reset` and `import` show what would repeat and what would be skipped, and change nothing without --yes. With
    it they are refused (exit code 75) while a partition has a live owner.
    """

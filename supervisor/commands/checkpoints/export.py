"""`evsup checkpoints export`."""

import os
from pathlib import Path

import click

from shared.errors import UsageError
from supervisor.checkpoints.admin_session import open_session
from supervisor.checkpoints.documents import encode
from supervisor.commands import shared_options
from supervisor.commands.command import Command


@click.command(
    cls=Command,
    page="docs/checkpoints.md",
    examples={
        "evsup checkpoints export": "On standard output.",
        "evsup checkpoints export --file positions.json": "Into a new file that only you can read.",
    },
)
@click.option(
    "--file", "path", type=click.Path(path_type=Path), metavar="F", help="A new file (0600); default: stdout."
)
@shared_options.env_file
def export(*, path: Path | None, env_file: Path | None) -> None:
    """Write the position of every partition as JSON, for `evsup checkpoints import`."""
    with open_session(env_file) as session:
        document = encode(session.store.group, session.store.checkpoints())
    if path is None:
        click.echo(document)
        return
    try:
        with open(path, "x", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(f"{document}\n")
    except OSError as error:
        raise UsageError(f"Cannot write {path}", str(error.strerror), "Name a file that does not exist yet.") from error

"""`evsup checkpoints export`."""

import os
from pathlib import Path

import click

from shared.errors import OutputLost, UsageError
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
    write_new(path, document)


def write_new(path: Path, document: str) -> None:
    """Write a file that is not there yet and that only this user can read. One that cannot be written whole is removed.

    Raises `UsageError` when it cannot be created, and `OutputLost` when the disk is full.
    """
    try:
        file = open(path, "x", opener=lambda name, flags: os.open(name, flags, 0o600))  # noqa: SIM115 (below)
    except FileExistsError as error:
        fix = "Name a file that does not exist yet."
        raise UsageError(f"Cannot write {path}", str(error.strerror), fix) from error
    except OSError as error:
        raise UsageError(f"Cannot write {path}", str(error.strerror)) from error
    try:
        with file:
            file.write(f"{document}\n")
    except OSError as error:
        path.unlink(missing_ok=True)  # the next try would find it, and half of a document is of no use
        fix = "Make room, or name a file elsewhere, and run the command again."
        raise OutputLost(f"Cannot write {path}", str(error.strerror), fix) from error

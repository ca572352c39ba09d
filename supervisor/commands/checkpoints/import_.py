"""`evsup checkpoints import`."""

from pathlib import Path

import click

from shared.counted import counted
from shared.errors import DataRefused, UsageError
from shared.log.printable import printable
from shared.model import ConsumerGroup
from supervisor.checkpoints import documents
from supervisor.checkpoints.admin_session import AdminSession, open_session
from supervisor.checkpoints.documents import ImportedCheckpoints
from supervisor.checkpoints.importers import blob, evsnow
from supervisor.checkpoints.move import plan_move
from supervisor.commands import shared_options
from supervisor.commands.checkpoints import confirmation
from supervisor.commands.command import Command


@click.command(
    "import",
    cls=Command,
    page="docs/checkpoints.md, docs/moving-over.md",
    examples={
        "evsup checkpoints import positions.json": "Show what a file of `evsup checkpoints export` would change.",
        "evsup checkpoints import positions.json --yes": "Change it.",
        "evsup checkpoints import --from blob:https://ACCOUNT.blob.core.windows.net/CONTAINER": "Of the Azure SDK.",
    },
)
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option(
    "--from",
    "source",
    metavar="SOURCE",
    help="blob:https://ACCOUNT.blob.core.windows.net/CONTAINER: the Azure SDK's checkpoints."
    " evsnow:DATABASE.SCHEMA.TABLE or evsnow:postgresql://USER@HOST/DATABASE#SCHEMA.TABLE: EvSnow's control table.",
)
@confirmation.options
@shared_options.env_file
def import_(*, file: Path | None, source: str | None, yes: bool, actor: str, env_file: Path | None) -> None:
    """Take over the checkpoints of another program, which has to be stopped first, or those of an exported FILE."""
    if (file is None) == (source is None):
        raise UsageError("Say what to import", fix="Give either a FILE or --from.")
    with open_session(env_file) as session:
        group = session.store.group
        found = _from_source(source, session) if source else _from_file(file or Path(), group)
        if not found.destinations:
            raise DataRefused("There is nothing to import", f"no checkpoint of {group.hub} was found ({found.layout})")
        # The layout has names of another program's table.
        click.echo(printable(f"Read {counted(len(found.destinations), 'checkpoint')} ({found.layout})."))
        partitions = session.partitions(sorted(found.destinations))
        moves = [
            plan_move(checkpoint, found.destinations[each], partitions[each])
            for each, checkpoint in session.checkpoints(partitions).items()
        ]
        confirmation.show_and_move(session, moves, f"import ({found.layout})", actor, yes=yes)


def _from_source(source: str, session: AdminSession) -> ImportedCheckpoints:
    kind, _, address = source.partition(":")
    if kind == "blob":
        return blob.read(address, session.store.group, session.settings.eventhub)
    if kind == "evsnow":
        return evsnow.read(address, session.settings.snowflake, session.store.group)
    raise UsageError(f"--from {kind} is not known", fix="Write blob:… or evsnow:…; a file needs no --from.")


def _from_file(path: Path, group: ConsumerGroup) -> ImportedCheckpoints:
    try:
        text = path.read_bytes()
    except OSError as error:
        raise UsageError(f"Cannot read {path}", str(error.strerror)) from error
    return documents.decode(text, group, str(path))

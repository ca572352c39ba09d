"""`evsup checkpoints import`."""

from pathlib import Path

import click

from shared.errors import DataRefused, UsageError
from shared.model import ConsumerGroup
from supervisor.checkpoints import admin_session, documents, plan
from supervisor.checkpoints.admin_session import Site
from supervisor.checkpoints.documents import Found
from supervisor.checkpoints.importers import blob, evsnow
from supervisor.commands import options as common
from supervisor.commands.checkpoints import plan_and_act


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option(
    "--from",
    "source",
    metavar="SOURCE",
    help="blob:https://ACCOUNT.blob.core.windows.net/CONTAINER: the Azure SDK's checkpoints."
    " evsnow:DATABASE.SCHEMA.TABLE or evsnow:postgresql://USER@HOST/DATABASE#SCHEMA.TABLE: EvSnow's control table.",
)
@plan_and_act.options
@common.env_file
def import_(*, file: Path | None, source: str | None, yes: bool, actor: str, env_file: Path | None) -> None:
    """Take over the positions of another program, which has to be stopped first, or of an exported FILE."""
    if (file is None) == (source is None):
        raise UsageError("Say what to import", fix="Give either a FILE or --from.")
    with admin_session.site(env_file) as site:
        group = site.store.group
        found = _of_source(source, site) if source else _of_file(file or Path(), group)
        if not found.positions:
            raise DataRefused("There is nothing to import", f"no checkpoint of {group.hub} was found ({found.layout})")
        click.echo(f"Read {len(found.positions)} checkpoints ({found.layout}).")
        facts = site.partitions(sorted(found.positions))
        planned = [
            plan.plan(site.checkpoint(partition_id), found.positions[partition_id], of_partition)
            for partition_id, of_partition in facts.items()
        ]
        plan_and_act.act(site, planned, f"import ({found.layout})", actor, yes=yes)


def _of_source(source: str, site: Site) -> Found:
    kind, _, address = source.partition(":")
    if kind == "blob":
        return blob.read(address, site.store.group)
    if kind == "evsnow":
        return evsnow.read(address, site.settings.snowflake, site.store.group)
    raise UsageError(f"--from {kind} is not known", fix="It is blob:… or evsnow:…; a file needs no --from.")


def _of_file(path: Path, group: ConsumerGroup) -> Found:
    try:
        text = path.read_bytes()
    except OSError as error:
        raise UsageError(f"Cannot read {path}", str(error.strerror)) from error
    return documents.decode(text, group, str(path))

"""`evsup init`: the control tables, the target table and the views over it."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import click

from shared.config.environment import load
from shared.config.settings import Settings
from shared.control import schema
from shared.control.open import open_database
from shared.errors import UsageError
from shared.eventhubs.client import consumer_group
from supervisor.commands import shared_options
from supervisor.commands.command import Command
from supervisor.commands.init import tables
from supervisor.commands.init import views as views_over_it
from supervisor.target.value_path import parse_condition, parse_key
from supervisor.target.views import LatestBy


@click.command(
    cls=Command,
    page="docs/target-table.md, docs/views.md",
    examples={
        "evsup init": "The control tables.",
        "evsup init --target --print": "The SQL of the target table, to run it in a worksheet.",
        "evsup init --target": "Control tables and target table.",
        "evsup init --views --key PAYLOAD:id": "Also the views; the newest event of each id is one of them.",
    },
)
@click.option("--print", "print_only", is_flag=True, help="Print the SQL and change nothing.")
@shared_options.repeated("--target", is_flag=True, help="The Snowflake tables, too; with --print only their SQL.")
@click.option(
    "--from-sample",
    "sample",
    type=shared_options.WholeNumber(1, 10_000),
    is_flag=False,
    flag_value=100,
    metavar="[N]",
    help="With --target and row format `columns`: a column for each key of the newest N events of each partition (100"
    " without N). The table is shown before it is created.",
)
@click.option("--views", is_flag=True, help="The views over the target table, too; with --print only their SQL.")
@click.option(
    "--key",
    "keys",
    multiple=True,
    metavar="PATH",
    help="With --views: the key of the view of latest events, as PAYLOAD:id or PARTITION_KEY. Several times for a key"
    " of several parts. 'PAYLOAD:after.id|PAYLOAD:before.id' is the first that has a value.",
)
@click.option(
    "--deleted",
    "deletes",
    multiple=True,
    metavar="PATH=VALUE",
    help="With --views: which events delete their key, as PAYLOAD:op=d. Those with an empty body always do.",
)
@click.option("--replace", is_flag=True, help="With --views: make existing views anew. Their grants stay.")
@shared_options.env_file
def init(
    *,
    print_only: bool,
    target: bool,
    sample: int | None,
    views: bool,
    keys: Sequence[str],
    deletes: Sequence[str],
    replace: bool,
    env_file: Path | None,
) -> None:
    """Create the control tables where they are missing, and migrate those of an older evsup. Rows stay.

    --target needs a role with CREATE TABLE on the schema, --views one with CREATE VIEW. `evsup check` says whether an
    existing table fits.

    Stop the supervisors of an older evsup first: what they write does not fit the newer tables.
    """
    if sample and not target:
        raise UsageError("--from-sample is for the target table", fix="Add --target.")
    latest = _latest(keys, deletes, replace=replace, views=views)
    loaded = load(env_file)
    settings = loaded.settings
    if not (print_only and (target or views)):
        _show(_printed(settings) if print_only else _created(settings), print_only)
    if target:
        proposed = tables.proposal(loaded, sample) if sample else None
        statements = tables.target_tables(settings.snowflake, proposed)
        if print_only:
            _show(tables.printed(settings.snowflake, statements), print_only)
        else:
            _show(tables.created(settings.snowflake, statements, is_proposed=bool(sample)), print_only)
    if views:
        made = views_over_it.printed if print_only else views_over_it.created
        _show(made(settings.snowflake, latest, replace=replace), print_only)


def _latest(keys: Sequence[str], deletes: Sequence[str], *, replace: bool, views: bool) -> LatestBy:
    """By what the views find the latest event. Raises `UsageError` for options that do not go together."""
    if (keys or deletes or replace) and not views:
        raise UsageError("--key, --deleted and --replace are for views", fix="Add --views.")
    if deletes and not keys:
        raise UsageError("--deleted needs a key", fix="Add --key, for example --key PAYLOAD:id.")
    return LatestBy([parse_key(text) for text in keys], [parse_condition(text) for text in deletes])


def _show(lines: Iterable[str], print_only: bool) -> None:
    """SQL goes to stdout, what was done to stderr."""
    for line in lines:
        click.echo(line, err=not print_only)


def _printed(settings: Settings) -> Iterator[str]:
    """The statements that create the control tables, or bring those of an older evsup up to date."""
    with closing(open_database(settings.control, settings.snowflake)) as database:
        yield schema.as_sql(database.dialect, schema.version(database))


def _created(settings: Settings) -> Iterator[str]:
    with closing(open_database(settings.control, settings.snowflake)) as database:
        yield _report(schema.create(database, consumer_group(settings.eventhub)), database.address)


def _report(found: int, address: str) -> str:
    match found:
        case schema.NO_TABLES:
            return f"The control tables were created in {address}."
        case schema.VERSION:
            return f"The control tables are ready in {address}."
    return f"The control tables in {address} were moved from version {found} to {schema.VERSION}."

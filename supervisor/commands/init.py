"""`evsup init`: the control tables and the target table."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import click

from shared.config.environment import load
from shared.config.settings import SnowflakeSettings
from shared.control import schema
from shared.control.open import open_database
from shared.eventhubs.client import consumer_group
from shared.snowflake.session import SqlSession
from shared.snowflake.tables import create_quarantine_sql, create_table_sql, quarantine_name, table_name
from supervisor.commands import shared_options


@click.command(short_help="Create the control tables and, with --target, the target table.")
@click.option("--print", "print_only", is_flag=True, help="Print the SQL and change nothing.")
@shared_options.repeated("--target", is_flag=True, help="The Snowflake tables, too; with --print only their SQL.")
@shared_options.env_file
def init(*, print_only: bool, target: bool, env_file: Path | None) -> None:
    """Create the control tables where they are missing, and migrate those of an older evsup. Rows stay.

    --target needs a role with CREATE TABLE on the schema. `evsup check` says whether an existing table fits.

    Stop the supervisors of an older evsup first: what they write does not fit the newer tables.
    """
    settings = load(env_file).settings
    if target and print_only:
        statements = "\n\n".join(target_tables(settings.snowflake).values())
        click.echo(f"{statements}\n{_about_the_pipe(settings.snowflake)}")
        return
    with closing(open_database(settings.control, settings.snowflake)) as database:
        if print_only:
            click.echo(schema.as_sql(database.dialect, schema.version(database)))
        else:
            click.echo(_report(schema.create(database, consumer_group(settings.eventhub)), database.address), err=True)
    if target:
        for line in _create_target(settings.snowflake):
            click.echo(line, err=True)


def _about_the_pipe(settings: SnowflakeSettings) -> str:
    """An SQL comment: a default pipe cannot be created, and a named pipe is the user's own.

    https://docs.snowflake.com/en/user-guide/snowpipe-streaming/snowpipe-streaming-pipe-object
    """
    if settings.pipe is None:
        return f"-- Its default pipe {settings.pipe_name} comes with it."
    return f"-- SNOWFLAKE_PIPE names {settings.pipe_name}: a pipe into it with MATCH_BY_COLUMN_NAME has to be there."


def target_tables(settings: SnowflakeSettings) -> dict[str, str]:
    """By name, the statement that creates the table: the target and, if it is used, the quarantine."""
    tables = {table_name(settings): create_table_sql(settings)}
    if settings.quarantines:
        tables[quarantine_name(settings)] = create_quarantine_sql(settings)
    return tables


def _create_target(settings: SnowflakeSettings) -> Iterator[str]:
    """Create the tables where they are missing, and say what Snowflake answers. Existing tables stay as they are."""
    with closing(SqlSession(settings)) as session:
        for name, statement in target_tables(settings).items():
            [row] = session.query(statement)
            yield f"{name}: {row['status']}"


def _report(found: int, address: str) -> str:
    match found:
        case schema.NO_TABLES:
            return f"The control tables were created in {address}."
        case schema.VERSION:
            return f"The control tables are ready in {address}."
    return f"The control tables in {address} were moved from version {found} to {schema.VERSION}."

"""`evsup init`: the control tables and the target table."""

from contextlib import closing
from pathlib import Path

import click

from shared import snowflake
from shared.config import load
from shared.errors import UsageError
from shared.store import schema
from shared.store.open import open_database
from supervisor import options


@click.command()
@click.option("--print", "print_only", is_flag=True, help="Print the SQL and change nothing.")
@click.option("--target", is_flag=True, help="The Snowflake table instead of the control tables; needs --print.")
@options.env_file
def init(*, print_only: bool, target: bool, env_file: Path | None) -> None:
    """Create the control tables where they are missing, and move those of an older evsup forward. Rows stay.

    Stop the supervisors of an older evsup first: they know nothing of what is new.
    """
    settings = load(env_file).settings
    if target and not print_only:
        raise UsageError(
            "evsup does not create the Snowflake table itself",
            fix="Run `evsup init --target --print` and paste the statement into a worksheet.",
        )
    if target:
        click.echo(snowflake.create_table_sql(settings.snowflake))
        return
    with closing(open_database(settings.control, settings.snowflake)) as database:
        if print_only:
            click.echo(schema.as_sql(database.dialect, schema.version(database)))
        else:
            click.echo(_done(schema.create(database), database.address), err=True)


def _done(found: int, address: str) -> str:
    match found:
        case schema.NO_TABLES:
            return f"The control tables were created in {address}."
        case schema.VERSION:
            return f"The control tables are ready in {address}."
    return f"The control tables in {address} were moved from version {found} to {schema.VERSION}."

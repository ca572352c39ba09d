"""`evsup init`: the control tables and the target table."""

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
    """Create the control tables where they are missing. What exists is left as it is."""
    settings = load(env_file).settings
    if target and not print_only:
        raise UsageError(
            "evsup does not create the Snowflake table itself",
            fix="Run `evsup init --target --print` and paste the statement into a worksheet.",
        )
    if target:
        click.echo(snowflake.create_table_sql(settings.snowflake))
        return
    database = open_database(settings.control)
    if print_only:
        click.echo(schema.as_sql(database.dialect))
        return
    try:
        schema.create(database)
    finally:
        database.close()
    click.echo(f"The control tables are ready in {database.address}.", err=True)

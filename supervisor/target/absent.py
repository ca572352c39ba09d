"""Which name of the target leads nowhere: the database, the schema or the table. Snowflake says the same of each.

SHOW lists what the role has any privilege on: https://docs.snowflake.com/en/sql-reference/sql/show-databases
"""

from shared.config.formats.identifier import quoted, stored_name
from shared.config.settings import SnowflakeSettings
from shared.errors import ConfigurationError, EvsupError
from shared.snowflake.fixes import not_seen
from shared.snowflake.session import Row
from shared.snowflake.tables import role_name, table_name
from supervisor.target.session import Session


def absent_target(session: Session, settings: SnowflakeSettings, error: EvsupError) -> ConfigurationError:
    """The error for a target table that the role does not see: the first of its names that leads nowhere."""
    database, schema = stored_name(settings.database), stored_name(settings.schema)
    # From the outside in: without its database no schema can be listed, and without its schema no table.
    if find(session, "DATABASES", database) is None:
        return _absent(settings, "DATABASE", quoted(database), error)
    if find(session, "SCHEMAS", schema, f" IN DATABASE {quoted(database)}") is None:
        return _absent(settings, "SCHEMA", f"{quoted(database)}.{quoted(schema)}", error)
    table = table_name(settings)
    return ConfigurationError(
        f"There is no table {table} that the role can see",
        error.why,
        "Run `evsup init --target`, or correct SNOWFLAKE_TABLE, or run"
        f" GRANT INSERT, REFERENCES ON TABLE {table} TO ROLE {role_name(settings)};",
    )


def find(session: Session, objects: str, name: str, where: str = "") -> Row | None:
    """The row of SHOW for the object of this name; None when the role sees none."""
    # By its name, because Snowflake lists at most 10,000 (https://docs.snowflake.com/en/sql-reference/sql/show-tables).
    # A wildcard stands for what would need an escape.
    pattern = name.replace("\\", "_").replace("'", "_")
    rows = session.query(f"SHOW {objects} LIKE '{pattern}'{where}")
    return next((row for row in rows if row["name"] == name), None)


def _absent(settings: SnowflakeSettings, kind: str, name: str, error: EvsupError) -> ConfigurationError:
    return ConfigurationError(
        f"There is no {kind.lower()} {name} that the role can see", error.why, not_seen(settings, kind, name)
    )

"""The control tables: creating them, and finding out whether they can be used."""

from shared.errors import ConfigurationError
from shared.store.database import Database, Row
from shared.store.queries import source

VERSION = 1  # as in record_schema.sql

_STATEMENTS = ("create_schema", "create_ownership", "create_checkpoint", "create_supervisor", "record_schema")
INIT = "Run `evsup init`."


def create(database: Database) -> None:
    """Create the tables where they are missing; what exists is left alone. Refuses tables of a newer evsup."""
    with database.transaction("schema") as run:
        for statement in _STATEMENTS:
            run(statement)
        _require_version(run("schema_version"))


def check(database: Database) -> None:
    """Raise ConfigurationError when a table is missing or of another version."""
    with database.transaction("read") as run:
        _require_version(run("schema_version"))


def as_sql(dialect: str) -> str:
    """The statements of `create`, to be run by hand."""
    return "\n\n".join(f"{source(statement, dialect)};" for statement in _STATEMENTS)


def _require_version(rows: list[Row]) -> None:
    if not rows:
        raise ConfigurationError("The control tables have no version", "evsup_schema is empty", INIT)
    if (found := rows[0]["version"]) != VERSION:
        raise ConfigurationError(
            "The control tables cannot be used",
            f"they have version {found}, this evsup knows version {VERSION}",
            "Upgrade evsup on this host, or point CONTROL_STORE at tables of this version.",
        )

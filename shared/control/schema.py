"""The control tables: creates them, moves older ones forward, and checks whether they can be used."""

from collections.abc import Sequence

from shared.control import group_keys
from shared.control.database import Database, Row, Run
from shared.control.queries import source
from shared.errors import ConfigurationError, NoControlTables
from shared.model import ConsumerGroup

VERSION = 6  # as in record_schema.sql and raise_schema.sql
NO_TABLES = 0

_TABLES = ("create_schema", "create_ownership", "create_checkpoint", "create_supervisor", "create_audit")
TABLES = frozenset(statement.replace("create_", "evsup_") for statement in _TABLES)
MIGRATIONS: dict[int, Sequence[str]] = {  # what each version added
    2: ("add_channel_generation", "add_opened_generation", "add_begins_after"),
    3: ("add_enqueued_at",),
    4: ("add_lease_expiration", "add_heartbeat_expiration", "add_unsettled_from", "add_repeats_up_to"),
    5: ("add_last_enqueued", "add_lag_events"),
    6: ("add_checked_up_to", "add_target_columns"),
}
INIT = "Run `evsup init`."
CHANGED = "Something other than evsup has changed the control tables: restore them as `evsup init --print` shows them."


def create(database: Database, group: ConsumerGroup | None = None) -> int:
    """Create the tables where they are missing and move older ones forward, in one transaction; rows stay.

    Rows of `group` under another spelling of its names are moved as well. Returns the version found, `NO_TABLES` when
    there was none. Refuses tables of a newer evsup, and raises what `group_keys.fold` raises.
    """
    with database.transaction("schema") as run:
        run("create_schema")
        found = _found(run)
        for statement in _changes(found):
            run(statement)
        run("probe_tables")
        if group is not None:
            group_keys.fold(run, group)
        for statement in _recorded(found):  # last: in Snowflake each is committed as it runs, and `fold` may refuse
            run(statement)
    return found


def check(database: Database) -> None:
    """Raise ConfigurationError when a table is missing or of another version."""
    with database.transaction("read") as run:
        found = _found(run)
        if found < VERSION:
            why = f"they have version {found}, this evsup needs version {VERSION}" if found else "evsup_schema is empty"
            raise ConfigurationError("The control tables are not up to date", why, INIT)
        run("probe_tables")


def version(database: Database) -> int:
    """The version of the tables, `NO_TABLES` when there are none."""
    try:
        with database.transaction("read") as run:
            return _found(run)
    except NoControlTables:
        return NO_TABLES


def as_sql(dialect: str, found: int = NO_TABLES) -> str:
    """The statements that `create` runs on tables of the version `found`, to be run by hand."""
    return "\n\n".join(f"{source(statement, dialect)};" for statement in statements(found))


def statements(found: int) -> Sequence[str]:
    """The names of the statements that `create` runs on tables of the version `found`, in order."""
    return *_changes(found), *_recorded(found)


def _changes(found: int) -> Sequence[str]:
    """New tables come in their newest form; older ones get what each version since has added."""
    if found == NO_TABLES:
        return _TABLES
    return *_TABLES, *(statement for version in range(found + 1, VERSION + 1) for statement in MIGRATIONS[version])


def _recorded(found: int) -> Sequence[str]:
    if found == NO_TABLES:
        return ("record_schema",)
    return ("raise_schema",) if found < VERSION else ()


def _found(run: Run) -> int:
    rows: list[Row] = run("schema_version")
    if not rows:
        return NO_TABLES
    found = rows[0]["version"]
    if not isinstance(found, int) or found not in range(1, VERSION + 1):
        raise ConfigurationError(
            "The control tables cannot be used",
            f"they have version {found!r}, this evsup knows versions 1 to {VERSION}",
            "Upgrade evsup on this host, or point CONTROL_STORE at tables of this version.",
        )
    return found

"""What a table has to be for rows with a column for each key (`SNOWFLAKE_ROW_FORMAT=columns`)."""

from collections.abc import Collection, Iterator, Sequence
from itertools import count

from shared.config.formats.identifier import quoted
from shared.config.settings import SnowflakeSettings
from shared.errors import EvsupError, ServiceUnavailable
from shared.ipc.messages import TableColumns
from shared.snowflake.session import Row
from shared.snowflake.tables import EVSUP, role_name, table_name
from supervisor.target.column_type import type_name
from supervisor.target.columns import TRY, Misfit, StoredColumn
from supervisor.target.pipe.definition import PipeCheck
from supervisor.target.session import Session

EVOLVES = ("OWNERSHIP", "EVOLVE SCHEMA")


def table_columns(
    stored: Sequence[StoredColumn], pipe: PipeCheck, own: Collection[str] | None, created: str = ""
) -> TableColumns:
    """The columns that rows fill: evsup's `own`; with None, those for keys as well. None of them is computed."""
    names = (column.name for column in stored if not column.is_computed and (own is None or column.name in own))
    return TableColumns(
        names=tuple(names),
        # evsup's own columns have the spelling of its keys.
        are_case_sensitive=own is None and pipe.is_case_sensitive,
        order=tuple((column.name, type_name(column.type)) for column in stored),
        created=created,
    )


def key_misfits(stored: Sequence[StoredColumn], pipe: PipeCheck, table: str) -> Iterator[Misfit]:
    """Columns that a pipe cannot tell apart, and columns that reject an event without their key."""
    if not pipe.is_case_sensitive:
        yield from twins([column.name for column in stored], table)
    alter = f"ALTER TABLE {table} ALTER COLUMN"
    for column in stored:
        if column.name == EVSUP or column.is_computed:
            continue
        if not column.is_nullable:
            fix = f"{alter} {quoted(column.name)} DROP NOT NULL;"
            yield Misfit(f"{column.name} is NOT NULL: Snowflake rejects an event without it", fix, is_doubtful=True)
        if column.default is not None:
            problem = f"{column.name} has a DEFAULT: for an event without it some accounts use that, others write NULL"
            yield Misfit(problem, TRY, is_doubtful=True)


def twins(names: Sequence[str], table: str) -> Iterator[Misfit]:
    """No page says which of two such columns takes a value. One keeps its name, the one in capitals if there is one."""
    kept: dict[str, str] = {}
    taken = {name.upper() for name in names}
    for name in sorted(names, key=lambda name: name != name.upper()):
        if (first := kept.setdefault(name.upper(), name)) == name:
            continue
        free = next(new for number in count(2) if (new := f"{name.upper()}_{number}") not in taken)
        taken.add(free)
        rename = f"ALTER TABLE {table} RENAME COLUMN {quoted(name)} TO {quoted(free)};"
        yield Misfit(f"the pipe cannot tell the columns {quoted(name)} and {quoted(first)} apart", rename)


def evolution_misfits(session: Session, settings: SnowflakeSettings, table_row: Row) -> Iterator[Misfit]:
    """Why Snowflake would not add columns.

    https://docs.snowflake.com/en/user-guide/data-load-schema-evolution
    """
    table = table_name(settings)
    if str(table_row.get("enable_schema_evolution", "N")).upper() not in ("Y", "ON", "TRUE"):
        fix = f"ALTER TABLE {table} SET ENABLE_SCHEMA_EVOLUTION = TRUE;"
        yield Misfit("it has no ENABLE_SCHEMA_EVOLUTION, which SNOWFLAKE_ON_UNKNOWN_KEY=evolve needs", fix)
    # Without a role in the settings nobody knows here whose grants to look for.
    elif settings.role and _may_evolve(session, settings, table) is False:
        grant = f"GRANT EVOLVE SCHEMA ON TABLE {table} TO ROLE {role_name(settings)};"
        yield Misfit("the role has no EVOLVE SCHEMA of its own, unless it inherits it", grant, is_doubtful=True)


def _may_evolve(session: Session, settings: SnowflakeSettings, table: str) -> bool | None:
    """Whether the role itself may; None: it may not see the grants. What it inherits is not among them."""
    try:
        rows = session.query(f"SHOW GRANTS ON TABLE {table}")
    except ServiceUnavailable:  # nothing is known of the grants, and the next check may see them
        raise
    except EvsupError:
        return None
    role = role_name(settings)
    return any(quoted(row["grantee_name"]) == role and row["privilege"] in EVOLVES for row in rows)

"""Which kind of table the target is, and which table of that name: what SHOW TABLES says beside the columns.

DESCRIBE TABLE answers for a view as for a table, also for tables that no row can be streamed into. And a table that
was replaced, or swapped with another, has the same columns: only the time of its creation is another.
https://docs.snowflake.com/en/sql-reference/sql/show-tables
"""

from collections.abc import Iterator
from datetime import datetime

from shared.config.formats.identifier import quoted, stored_name
from shared.config.settings import SnowflakeSettings
from shared.snowflake.session import Row
from supervisor.target.absent import find
from supervisor.target.columns import Misfit
from supervisor.target.session import Session

# https://docs.snowflake.com/en/user-guide/snowpipe-streaming/snowpipe-streaming-table-support,
# https://docs.snowflake.com/en/user-guide/tables-hybrid-limitations
_NOT_STREAMED = ("dynamic", "event", "external", "hybrid")
_FIX = "Name a standard table in SNOWFLAKE_TABLE; `evsup init --target` creates it where it is missing."


def find_table(session: Session, settings: SnowflakeSettings) -> Row | None:
    """The row of SHOW TABLES for the target table; None when the role sees no such table."""
    return _find(session, settings, "TABLES")


def kind_misfits(session: Session, settings: SnowflakeSettings, table_row: Row | None) -> Iterator[Misfit]:
    """Why nothing can be streamed into what has the name of the target table."""
    if table_row is None:
        # Who may describe a table is shown it, too. A name that is neither says nothing.
        if _find(session, settings, "VIEWS"):
            yield Misfit("it is a view, and rows are streamed into tables alone", _FIX)
        return
    for kind in _NOT_STREAMED:
        if is_of_kind(table_row, kind):
            yield Misfit(f"it is of the kind {kind.upper()} TABLE, which no row can be streamed into", _FIX)


def is_of_kind(table_row: Row, kind: str) -> bool:
    """Whether a row of SHOW TABLES is that of such a table: `iceberg`, `dynamic` and others."""
    return str(table_row.get(f"is_{kind}", "N")).upper() in ("Y", "YES", "TRUE")


def created(table_row: Row) -> str:
    """When the table was created, in UTC as each session of evsup is; empty: the account does not say."""
    time = table_row.get("created_on") or ""
    return time.isoformat() if isinstance(time, datetime) else str(time)


def _find(session: Session, settings: SnowflakeSettings, objects: str) -> Row | None:
    database, schema, table = (stored_name(each) for each in (settings.database, settings.schema, settings.table))
    return find(session, objects, table, f" IN SCHEMA {quoted(database)}.{quoted(schema)}")

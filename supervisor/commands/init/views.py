"""`evsup init --views`: the views over the target table."""

from collections.abc import Iterator, Sequence
from contextlib import closing

from shared.config.settings import SnowflakeSettings
from shared.errors import ConfigurationError
from shared.ipc.messages import TableColumns
from shared.snowflake.session import SqlSession
from shared.snowflake.tables import EVSUP, envelope_columns, own_columns, require_columns, table_name
from supervisor.target.columns import StoredColumn
from supervisor.target.target_check import check_target
from supervisor.target.views import LatestBy, dynamic_table_statement, view_statements

_NO_KEY = "The view of the latest events needs a key: add --key, for example --key PAYLOAD:id."


def printed(settings: SnowflakeSettings, latest: LatestBy, *, replace: bool) -> Iterator[str]:
    """The statements. For the `columns` format the table is read, because its columns are the user's."""
    columns, filled = _envelope(), None
    if settings.row_format == "columns":
        with closing(SqlSession(settings)) as session:
            columns, filled = _columns(session, settings, latest)
    yield "\n\n".join(view_statements(settings, columns, latest, filled, replace=replace).values())
    yield ""
    yield _commented(dynamic_table_statement(settings, columns) if latest.key else _NO_KEY)


def created(settings: SnowflakeSettings, latest: LatestBy, *, replace: bool) -> Iterator[str]:
    """Create the views and say what Snowflake answers. Without `replace` existing views stay as they are."""
    with closing(SqlSession(settings)) as session:
        columns, filled = _columns(session, settings, latest)
        for name, statement in view_statements(settings, columns, latest, filled, replace=replace).items():
            [row] = session.query(statement)
            yield f"{name}: {row['status']}"
    if not latest.key:
        yield _NO_KEY


def _columns(
    session: SqlSession, settings: SnowflakeSettings, latest: LatestBy
) -> tuple[Sequence[StoredColumn], TableColumns]:
    """The table's columns, and those that rows fill. Raises when there is no such table, or it lacks a column of
    evsup's or of the key.
    """
    target = check_target(session, settings)
    columns = target.stored
    wanted = (column.name for column in own_columns(settings))
    require_columns(table_name(settings), wanted, {column.name for column in columns})
    if "VARIANT" not in (column.type for column in columns if column.name in ("PAYLOAD", EVSUP)):
        raise ConfigurationError(
            f"There are no views over {table_name(settings)}",
            "it holds JSON as text",
            "Create the Iceberg table with ICEBERG_VERSION = 3, which has VARIANT, or query PARSE_JSON(PAYLOAD).",
        )
    latest.refuse_unknown(columns)
    return columns, target.filled


def _envelope() -> Sequence[StoredColumn]:
    return [StoredColumn(column.name, column.type) for column in envelope_columns()]


def _commented(text: str) -> str:
    return "\n".join(f"-- {line.removeprefix('-- ')}" for line in text.splitlines())

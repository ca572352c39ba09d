"""`evsup init --target`: the target table and the quarantine."""

from collections.abc import Iterator
from contextlib import closing

from shared.config.settings import SnowflakeSettings
from shared.snowflake.session import SqlSession
from shared.snowflake.tables import create_quarantine_sql, create_table_sql, quarantine_name, table_name


def target_tables(settings: SnowflakeSettings) -> dict[str, str]:
    """By name, the statement that creates the table: the target and, if it is used, the quarantine."""
    tables = {table_name(settings): create_table_sql(settings)}
    if settings.quarantines:
        tables[quarantine_name(settings)] = create_quarantine_sql(settings)
    return tables


def printed(settings: SnowflakeSettings) -> Iterator[str]:
    """The statements, and what has to be known of the pipe."""
    yield "\n\n".join(target_tables(settings).values())
    yield _about_the_pipe(settings)


def created(settings: SnowflakeSettings) -> Iterator[str]:
    """Create the tables where they are missing, and say what Snowflake answers. Existing tables stay as they are."""
    with closing(SqlSession(settings)) as session:
        for name, statement in target_tables(settings).items():
            [row] = session.query(statement)
            yield f"{name}: {row['status']}"


def _about_the_pipe(settings: SnowflakeSettings) -> str:
    """An SQL comment: a default pipe cannot be created, and a named pipe is the user's own.

    https://docs.snowflake.com/en/user-guide/snowpipe-streaming/snowpipe-streaming-pipe-object
    """
    if settings.pipe is None:
        return f"-- Its default pipe {settings.pipe_name} comes with it."
    return f"-- SNOWFLAKE_PIPE names {settings.pipe_name}: a pipe into it with MATCH_BY_COLUMN_NAME has to be there."

"""`evsup init --target`: the target table and the quarantine."""

import os
from collections.abc import Iterator, Mapping
from contextlib import closing

from shared.config import environment
from shared.config.environment import Loaded
from shared.config.settings import Settings, SnowflakeSettings
from shared.errors import OwnershipLost, PartitionHeld, UsageError
from shared.eventhubs.client import EventHubClient
from shared.snowflake.session import SqlSession
from shared.snowflake.tables import (
    create_pipe_sql,
    create_quarantine_sql,
    create_table_sql,
    quarantine_name,
    table_name,
)
from supervisor.target.proposal import Proposal, propose
from supervisor.target.sample import sample

MOST_PARTITIONS = 32  # a sample of more would take minutes and show nothing new


def proposal(loaded: Loaded, events: int) -> Proposal:
    """A table for the newest `events` of each partition. Blocks while they are read.

    Raises `UsageError` for another row format, `PartitionHeld` beside a running supervisor, and what the hub raises.
    """
    settings = loaded.settings
    _refuse_rows_without_key_columns(settings)
    with EventHubClient(settings.eventhub) as hub:
        partition_ids = hub.hub().partition_ids[:MOST_PARTITIONS]
    os.environ.update(environment.environment_for_worker(loaded))  # for the task
    try:
        return propose(sample(partition_ids, events))
    except OwnershipLost as error:
        raise PartitionHeld(
            "The events are being read in this consumer group",
            error.why,
            "Set EVENTHUB_CONSUMER_GROUP to another group for this command, or stop the supervisors first.",
        ) from error


def _refuse_rows_without_key_columns(settings: Settings) -> None:
    if settings.snowflake.row_format != "columns":
        raise UsageError(
            "--from-sample proposes columns for the keys of events",
            f"the row format is {settings.snowflake.row_format}",
            "Set SNOWFLAKE_ROW_FORMAT=columns, or leave --from-sample out.",
        )
    if settings.process.mapper:
        raise UsageError(
            "--from-sample proposes columns for the keys of bodies",
            f"EVSUP_MAPPER={settings.process.mapper} makes other rows of them",
            "Create the table with the keys that the mapper returns, or unset EVSUP_MAPPER for this command.",
        )


def target_tables(settings: SnowflakeSettings, proposed: Proposal | None = None) -> dict[str, str]:
    """By name, the statement that creates the table: the target and, if it is used, the quarantine."""
    statement = create_table_sql(settings, tuple(proposed.columns) if proposed else ())
    comments = "".join(f"{comment}\n" for comment in (proposed.comments() if proposed else ()))
    tables = {table_name(settings): f"{comments}{statement}"}
    if settings.quarantines:
        tables[quarantine_name(settings)] = create_quarantine_sql(settings)
    return tables


def printed(settings: SnowflakeSettings, tables: Mapping[str, str]) -> Iterator[str]:
    """The statements, and what has to be known of the pipe."""
    yield "\n\n".join(tables.values())
    yield _about_the_pipe(settings)


def created(settings: SnowflakeSettings, tables: Mapping[str, str], *, is_proposed: bool) -> Iterator[str]:
    """Create the tables where they are missing, and say what Snowflake answers. Existing tables stay as they are.

    A proposed table is shown before it is created.
    """
    with closing(SqlSession(settings)) as session:
        for name, statement in tables.items():
            if is_proposed:
                yield statement
            [row] = session.query(statement)
            yield f"{name}: {row['status']}"


def _about_the_pipe(settings: SnowflakeSettings) -> str:
    """An SQL comment: a default pipe cannot be created, and a named pipe is the user's own.

    https://docs.snowflake.com/en/user-guide/snowpipe-streaming/snowpipe-streaming-pipe-object
    """
    if settings.pipe is None:
        return f"-- Its default pipe {settings.pipe_name} comes with it."
    return f"-- SNOWFLAKE_PIPE names a pipe of your own. If it is missing, create it:\n-- {create_pipe_sql(settings)}"

"""The account and the target table in Snowflake: its address, its columns, and the statement that creates it."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

import msgspec

from shared.config.formats import account, identifier
from shared.config.settings import SnowflakeSettings
from shared.errors import ConfigurationError

# Rejected rows, each with its reason, go to the table's error table:
# https://docs.snowflake.com/en/user-guide/snowpipe-streaming/snowpipe-streaming-error-tables
_KEEPS_REJECTED = "\nERROR_LOGGING = TRUE"
COUNTED_BY = ("PARTITION_ID", "SEQUENCE_NUMBER", "ENQUEUED_TIME")
_EVOLVES = "\nENABLE_SCHEMA_EVOLUTION = TRUE"
EVSUP = "_EVSUP"  # the column for what has no other, with SNOWFLAKE_ROW_FORMAT=columns


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table of ours. Required: evsup never sends a row without it, so that NOT NULL rejects none."""

    name: str
    type: str
    is_required: bool = False
    comment: str = ""


def address(settings: SnowflakeSettings) -> tuple[str, int]:
    """Host and port of the account, for streaming and for SQL alike."""
    if settings.url is None:
        return account.parse(settings.account).host, 443
    parts = urlsplit(settings.url)
    return account.host_of(parts.hostname or ""), parts.port or 443


def envelope_columns() -> tuple[Column, ...]:
    """One row an event, the body as it came. https://docs.snowflake.com/en/sql-reference/intro-summary-data-types."""
    return (
        Column("PAYLOAD", "VARIANT"),
        Column("PARTITION_ID", "VARCHAR", is_required=True),
        Column("SEQUENCE_NUMBER", "NUMBER(38,0)", is_required=True),
        Column("OFFSET", "VARCHAR"),
        Column("ENQUEUED_TIME", "TIMESTAMP_TZ"),
        Column("PARTITION_KEY", "VARCHAR"),
        Column("PROPERTIES", "VARIANT"),
        Column("SYSTEM_PROPERTIES", "VARIANT"),
        Column("CONTENT_TYPE", "VARCHAR"),
        Column("MESSAGE_ID", "VARCHAR"),
        Column("CORRELATION_ID", "VARCHAR"),
        Column("RAW_BODY", "BINARY"),
        Column("DECODE_ERROR", "VARCHAR"),
    )


def own_columns(settings: SnowflakeSettings) -> tuple[Column, ...]:
    """The columns that a row of evsup's fills, whatever is in the body of its event."""
    if settings.row_format == "columns":
        return (Column(EVSUP, "VARIANT", is_required=True),)
    return envelope_columns()


def quarantine_columns() -> tuple[Column, ...]:
    """One row an event whose row Snowflake rejected: whose it is, what was refused, and what is known of the reason."""
    return (
        Column("FULLY_QUALIFIED_NAMESPACE", "VARCHAR", is_required=True),
        Column("EVENTHUB_NAME", "VARCHAR", is_required=True),
        Column("CONSUMER_GROUP", "VARCHAR", is_required=True),
        Column("PARTITION_ID", "VARCHAR", is_required=True),
        Column("SEQUENCE_NUMBER", "NUMBER(38,0)", is_required=True),
        Column("OFFSET", "VARCHAR"),
        Column("ENQUEUED_TIME", "TIMESTAMP_TZ"),
        Column(
            "BODY", "BINARY", comment="The body as it came; NULL for an AMQP value, or if the event has left the hub"
        ),
        Column("ROW_JSON", "VARCHAR", comment="The rejected row, binary values as base64"),
        Column(
            "REASON", "VARCHAR", comment="That of the error table for this row, or the last message of the whole range"
        ),
        Column("CHANNEL", "VARCHAR"),
        Column("EPOCH", "NUMBER(38,0)", comment="Epoch of the worker that quarantined it"),
        Column("QUARANTINED_AT", "TIMESTAMP_TZ", is_required=True),
    )


def create_table_sql(settings: SnowflakeSettings, keys: tuple[Column, ...] = ()) -> str:
    """The statement that creates the target table where it is missing; raises ConfigurationError for a bad name.

    `columns` starts with the metadata column and those for `keys`. With `evolve` Snowflake adds one for each new key:
    https://docs.snowflake.com/en/user-guide/data-load-schema-evolution.
    """
    options = _KEEPS_REJECTED + (_EVOLVES if settings.evolves else "")
    return _create(table_name(settings), (*own_columns(settings), *keys), options)


def create_beside_sql(settings: SnowflakeSettings, live: SnowflakeSettings) -> str:
    """The statement that creates a table for the same rows as the `live` one where it is missing."""
    if settings.row_format == "envelope":
        return create_table_sql(settings)
    return f"CREATE TABLE IF NOT EXISTS {table_name(settings)} LIKE {table_name(live)};"


def events_sql(settings: SnowflakeSettings) -> str:
    """The rows of the target table by what identifies their events, to select from: PARTITION_ID, SEQUENCE_NUMBER and
    ENQUEUED_TIME.
    """
    table = table_name(settings)
    if settings.row_format == "envelope":
        return table
    columns = [column for column in envelope_columns() if column.name in COUNTED_BY]
    values = (f"{inside_evsup(column)} AS {column.name}" for column in columns)
    return f"(SELECT {', '.join(values)} FROM {table})"  # noqa: S608 (names of ours, and a quoted one)


def inside_evsup(column: Column) -> str:
    """The value in `_EVSUP` that the envelope has in this column, of the column's type.

    It is NULL where it is no such value: anybody may insert a row, and one of them must not end a query for all.
    """
    value = f'"{EVSUP}":"{column.name.lower()}"'
    if column.type == "VARIANT":
        return value
    text = f"{value}::VARCHAR"
    return text if column.type == "VARCHAR" else f"TRY_CAST({text} AS {column.type})"


def require_columns(table: str, wanted: Iterable[str], there: Collection[str]) -> None:
    """Raise `ConfigurationError` when the table lacks one of these columns of evsup's rows."""
    if lacking := [name for name in wanted if name not in there]:
        raise ConfigurationError(
            f"{table} does not have evsup's rows",
            f"there is no column {', '.join(lacking)}",
            "`evsup check` says what has to be changed.",
        )


def create_quarantine_sql(settings: SnowflakeSettings) -> str:
    """The statement that creates the table of rejected rows where it is missing."""
    return _create(quarantine_name(settings), quarantine_columns())


def create_pipe_sql(settings: SnowflakeSettings) -> str:
    """The statement that creates the named pipe, in the simpler form that evsup trusts: columns are matched by name.

    https://docs.snowflake.com/en/user-guide/snowpipe-streaming/snowpipe-streaming-pipe-object
    """
    return (
        f"CREATE PIPE {named_pipe(settings)} AS COPY INTO {table_name(settings)}"
        " FROM TABLE(DATA_SOURCE(TYPE => 'STREAMING')) MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE;"
    )


def named_pipe(settings: SnowflakeSettings) -> str:
    """The pipe's full name, quoted, as it may stand in SQL."""
    own_name = identifier.quoted(identifier.stored_name(settings.pipe_name))
    return table_name(msgspec.structs.replace(settings, table=own_name))


def table_name(settings: SnowflakeSettings) -> str:
    """The target table's full name, quoted, as it may stand in SQL."""
    names = {"DATABASE": settings.database, "SCHEMA": settings.schema, "TABLE": settings.table}
    return ".".join(_quoted(f"SNOWFLAKE_{variable}", name) for variable, name in names.items())


def role_name(settings: SnowflakeSettings) -> str:
    """The role, quoted, for a GRANT; `…` where the user's default role is taken."""
    return _quoted("SNOWFLAKE_ROLE", settings.role) if settings.role else "…"


def quarantine_name(settings: SnowflakeSettings) -> str:
    """The full name of the table beside the target that takes what Snowflake rejected."""
    return name_beside(settings, identifier.QUARANTINE)


def name_beside(settings: SnowflakeSettings, suffix: str) -> str:
    """The full name, quoted, of what stands beside the target table: the table's name with a suffix.

    Raises ConfigurationError when that is too long for a name.
    """
    beside, most = identifier.stored_name(settings.table) + suffix, identifier.MOST_CHARACTERS
    if len(beside) > most:
        raise ConfigurationError(
            f"SNOWFLAKE_TABLE is too long for the name of {suffix} beside it",
            f"that would have {len(beside)} characters, and Snowflake takes {most}",
            f"Rename the table to at most {most - len(suffix)} characters, or do without {suffix}.",
        )
    return table_name(msgspec.structs.replace(settings, table=identifier.quoted(beside)))


def _create(table: str, columns: tuple[Column, ...], options: str = "") -> str:
    body = ",\n".join(f"    {_definition(column)}" for column in columns)
    return f"CREATE TABLE IF NOT EXISTS {table} (\n{body}\n){options};"


def _definition(column: Column) -> str:
    comment = f" COMMENT '{column.comment}'" if column.comment else ""
    return f"{identifier.quoted(column.name)} {column.type}" + (" NOT NULL" if column.is_required else "") + comment


def _quoted(variable: str, name: str) -> str:
    if reason := identifier.problem(name):
        raise ConfigurationError(f"{variable} cannot stand in SQL", f"{name!r} {reason}")
    return identifier.quoted(identifier.stored_name(name))

"""Checkpoints in EvSnow's control table, in Snowflake or PostgreSQL.

EvSnow keeps a row for each partition of a hub and each table that the hub is loaded into. WATERLEVEL may be the offset,
so it is never read. The sequence number is in METADATA, which rows of older versions lack:
https://github.com/MiguelElGallo/evsnow/blob/main/src/consumers/checkpoints.py
"""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from typing import Annotated

import msgspec

from shared.config.formats import identifier
from shared.config.settings import SnowflakeSettings
from shared.control.database import Row
from shared.control.queries import pyformat, qmark
from shared.errors import Bug, ConfigurationError, DataRefused, EvsupError, UsageError
from shared.log.secret import Secret
from shared.model import ConsumerGroup
from shared.snowflake.session import SqlSession
from supervisor.checkpoints.documents import ImportedCheckpoints
from supervisor.checkpoints.move import Destination

POSTGRES = ("postgresql://", "postgres://")
SHOWN = 100  # characters of an unusable METADATA

_QUERY, _TABLE = "evsnow_checkpoints", "ingestion_status"
_FIX = "Check address and table, whose case counts; libpq takes a password from PGPASSWORD or ~/.pgpass."


def read(address: str, snowflake: SnowflakeSettings, group: ConsumerGroup) -> ImportedCheckpoints:
    """The hub's checkpoints in `DATABASE.SCHEMA.TABLE` of the account, or in `postgresql://…#SCHEMA.TABLE`.

    Raises `DataRefused` for a partition whose position is not certain, and the database's errors as ours.
    """
    if address.startswith(POSTGRES):
        return checkpoints_of("PostgreSQL", _in_postgres(address, group))
    return checkpoints_of("Snowflake", _in_snowflake(address, snowflake, group))


def checkpoints_of(database: str, rows: Sequence[Row]) -> ImportedCheckpoints:
    """The checkpoints in the newest rows of a hub. Raises `DataRefused` when they contradict each other."""
    targets = sorted({f"{row['target_db']}.{row['target_schema']}.{row['target_table']}" for row in rows})
    destinations: dict[str, Destination] = {}
    for row in rows:
        destination = _destination(row)
        # Rows that are equally new may say the same.
        if len(targets) > 1 or destinations.setdefault(row["partition_id"], destination) != destination:
            raise DataRefused(
                f"EvSnow has more than one checkpoint of partition {row['partition_id']}",
                f"it loads the hub into {', '.join(targets)}",
                'Write the right ones into a file and import that: {"partition": sequence number, …}.',
            )
    return ImportedCheckpoints(" of ".join([f"EvSnow checkpoints in {database}", *targets]), destinations)


class _Metadata(msgspec.Struct, frozen=True):
    sequence_number: Annotated[int, msgspec.Meta(ge=0)]
    offset_string: str | None = None


def _destination(row: Row) -> Destination:
    try:
        metadata = msgspec.json.decode(row["metadata"] or "", type=_Metadata)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
        raise DataRefused(
            f"EvSnow's checkpoint of partition {row['partition_id']} has no sequence number",
            f"its METADATA is {row['metadata']!r:.{SHOWN}}: {error}",
            "WATERLEVEL may be an offset, which does not say which events are done. Let EvSnow write one more"
            " checkpoint, or run `evsup checkpoints set --partition P --sequence-number N` with the newest sequence"
            " number in the table.",
        ) from error
    return Destination(metadata.sequence_number, metadata.offset_string)


def _in_snowflake(table: str, settings: SnowflakeSettings, group: ConsumerGroup) -> list[Row]:
    statement, parameters = qmark(_QUERY, "snowflake")
    named = statement.replace(_TABLE, ".".join(_names(table, 3)))
    values = asdict(group)
    with _naming(table), closing(SqlSession(settings)) as session:
        return session.query(named, *(values[name] for name in parameters))


def _in_postgres(address: str, group: ConsumerGroup) -> list[Row]:
    """EvSnow quotes names, so their case counts."""
    # Here, because it takes half a second, and nothing else of this module needs it.
    from shared.control.postgres.database import PostgresDatabase

    url, _, table = address.rpartition("#")
    quoted = ".".join(name if name.startswith('"') else f'"{name}"' for name in _names(table, 2))
    # The name goes in after the parameters are marked, so a % in it has to be doubled as in the rest of the statement.
    statement = pyformat(_QUERY, "postgres").replace(_TABLE, quoted.replace("%", "%%"))
    with _naming(table, _FIX), closing(PostgresDatabase(Secret(url))) as database, database.transaction("read") as run:
        return run.statement(statement, asdict(group))


def _names(table: str, count: int) -> list[str]:
    names = table.split(".")
    if len(names) != count or any(identifier.problem(name) for name in names):
        raise UsageError(
            "evsnow: needs the full name of EvSnow's control table",
            fix="For example evsnow:CONTROL.PUBLIC.INGESTION_STATUS in Snowflake,"
            " or evsnow:postgresql://host/control#public.ingestion_status.",
        )
    return names


@contextmanager
def _naming(table: str, fix: str = "") -> Iterator[None]:
    """Errors of the block name EvSnow's table and not our control store. A column that it lacks is not our bug."""
    try:
        yield
    except EvsupError as error:
        kind = ConfigurationError if isinstance(error, Bug) else type(error)
        raise kind(f"EvSnow's table {table} cannot be read", error.why, fix or error.fix) from error

"""The row format that the settings ask for."""

from msgspec.structs import replace

from shared.config.settings import Settings, SnowflakeSettings
from shared.errors import Bug
from shared.ipc.messages import TableColumns
from worker.bodies.body_reader import BodyReader, body_reader
from worker.rows.columns import Columns
from worker.rows.envelope import Envelope
from worker.rows.mapping import RowMapper, row_mapper
from worker.rows.row_format import RowFormat


def row_format(partition_id: str, settings: Settings, columns: TableColumns | None) -> RowFormat:
    """Makes the rows of one partition. `columns` are those of the target table, where the format needs them.

    Raises `ConfigurationError` for a mapper or a schema file that cannot be used.
    """
    mapper = row_mapper(settings.process)
    return _format(partition_id, settings.snowflake, columns, body_reader(settings.eventhub), mapper)


def keeping(partition_id: str, settings: Settings, columns: TableColumns | None) -> RowFormat:
    """The same for events that are read again, without the mapper: none of them is refused."""
    target = replace(settings.snowflake, on_decode_error="keep", on_unknown_key="keep")
    return _format(partition_id, target, columns, body_reader(settings.eventhub), None)


def _format(
    partition_id: str,
    settings: SnowflakeSettings,
    columns: TableColumns | None,
    bodies: BodyReader,
    mapper: RowMapper | None,
) -> RowFormat:
    if settings.row_format == "envelope":
        return Envelope(partition_id, settings.on_decode_error, bodies, mapper)
    if columns is None:
        raise Bug("Rows have a column for each key, and nobody read the columns of the table")
    return Columns(partition_id, settings, columns, bodies, mapper)

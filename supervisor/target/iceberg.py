"""What evsup asks of an Iceberg table: it has no TIMESTAMP_TZ, and VARIANT from version 3 of the format on only.

https://docs.snowflake.com/en/user-guide/tables-iceberg-data-types,
https://docs.snowflake.com/en/user-guide/snowpipe-streaming/snowpipe-streaming-high-performance-iceberg
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from shared.config.settings import SnowflakeSettings
from shared.snowflake.tables import Column
from supervisor.target.column_type import is_same
from supervisor.target.columns import Misfit, StoredColumn

_VERSION_3 = "Create the table with ICEBERG_VERSION = 3, which has VARIANT: docs/target-table.md#iceberg."


def columns_on_iceberg(wanted: Sequence[Column], stored: Sequence[StoredColumn]) -> list[Column]:
    """The same columns with types that Iceberg has. JSON may be text, which is all that version 2 has for it."""
    types = {column.name: column.type for column in stored}
    return [_on_iceberg(column, types.get(column.name, column.type)) for column in wanted]


def _on_iceberg(column: Column, stored: str) -> Column:
    if column.type == "TIMESTAMP_TZ":  # the instant is the same, it is shown in the zone of the session
        return replace(column, type="TIMESTAMP_LTZ")
    return replace(column, type="VARCHAR") if column.type == "VARIANT" and is_same(stored, "VARCHAR") else column


def iceberg_misfits(
    found: Iterable[Misfit], wanted: Sequence[Column], stored: Sequence[StoredColumn], settings: SnowflakeSettings
) -> Iterator[Misfit]:
    """The misfits of an Iceberg table: those `found` with the statement that it takes, and what it cannot do at all."""
    for each in found:
        yield replace(each, fix=each.fix.replace("ALTER TABLE", "ALTER ICEBERG TABLE"))
    types = {column.name: column.type for column in stored}
    as_text = [
        column.name for column in wanted if column.type == "VARIANT" and is_same(types.get(column.name, ""), "VARCHAR")
    ]
    if as_text and settings.row_format == "columns":
        yield Misfit(f"{', '.join(as_text)} is text, and SNOWFLAKE_ROW_FORMAT=columns needs VARIANT", _VERSION_3)
    elif as_text:
        problem = f'{", ".join(as_text)} holds JSON as text: 1 and "1" look alike, and the body `null` is NULL'
        yield Misfit(problem, _VERSION_3, is_doubtful=True)
    if settings.evolves:
        problem = "it is an Iceberg table, and SNOWFLAKE_ON_UNKNOWN_KEY=evolve is for standard tables"
        yield Misfit(problem, "Set SNOWFLAKE_ON_UNKNOWN_KEY=keep.")

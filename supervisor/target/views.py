"""The views that `evsup init --views` makes over the target table: records, bodies as text, the latest event by key.

One event is one row of the table, so splitting and merging are views. Their columns are listed, because a view over `*`
fails once its table has another column: https://docs.snowflake.com/en/sql-reference/sql/create-view#usage-notes
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from shared.config.formats.identifier import quoted, stored_name
from shared.config.settings import SnowflakeSettings
from shared.ipc.messages import TableColumns
from shared.queries import source
from shared.snowflake.tables import envelope_columns, inside_evsup, name_beside, table_name
from supervisor.target.columns import StoredColumn
from supervisor.target.value_path import Equals, Key, refuse_unknown
from worker.rows.column_keys import ColumnKeys

LATEST = "_LATEST"
_ADDRESS = ("partition_id", "sequence_number", "offset", "enqueued_time", "partition_key")
_PROPERTIES = ("properties", "system_properties")
_REFUSAL = ("content_type", "message_id", "decode_error", "raw_body")
_WHOLE = 'WHEN "PAYLOAD" IS NOT NULL THEN ARRAY_CONSTRUCT("PAYLOAD")'
# What is not simply a value of the metadata. An empty body, or `null`, deletes a key, as a tombstone of Kafka does.
_IN_ENVELOPE = {
    "about_records": "Another JSON body is one record. An event without JSON, or with an empty array, has none.",
    "base64": 'BASE64_ENCODE("RAW_BODY")',
    "is_tombstone": 'IS_NULL_VALUE("PAYLOAD") OR LENGTH("RAW_BODY") = 0',
}
_IN_COLUMNS = {
    "about_records": "An event that is one object is a row of the table itself.",
    "base64": '"_EVSUP":"raw_body"::VARCHAR',
    "raw_body": 'TRY_TO_BINARY("_EVSUP":"raw_body"::VARCHAR, \'BASE64\')',
    "is_tombstone": 'IS_NULL_VALUE("_EVSUP":"body") OR "_EVSUP":"raw_body"::VARCHAR = \'\'',
}


@dataclass(frozen=True, slots=True)
class LatestBy:
    """The key by which an event is the latest, and which events delete their key."""

    key: Sequence[Key] = ()
    deletes: Sequence[Equals] = ()

    def refuse_unknown(self, columns: Sequence[StoredColumn]) -> None:
        """Raise `UsageError` for a column that the table does not have."""
        paths = [*(path for part in self.key for path in part.places), *(one.place for one in self.deletes)]
        refuse_unknown(paths, [column.name for column in columns])


def view_statements(
    settings: SnowflakeSettings,
    columns: Sequence[StoredColumn],
    latest: LatestBy,
    filled: TableColumns | None = None,
    *,
    replace: bool,
) -> dict[str, str]:
    """By name, the statement that creates each view; that of the latest events only if there is a key.

    `columns` are the table's, `filled` those that keys go to, if keys have columns. `replace` makes a view anew that is
    there already, and keeps its grants.
    """
    queries = {"_RECORDS": "records", "_UNDECODED": "undecoded"} | ({LATEST: "latest"} if latest.key else {})
    values = _values(settings, columns, filled)
    values |= _latest(values["is_tombstone"], latest)
    statements = {}
    for suffix, query in queries.items():
        name = name_beside(settings, suffix)
        # Without COPY GRANTS nobody but the owner could read the view that takes the place of the former one:
        # https://docs.snowflake.com/en/sql-reference/sql/create-view#optional-parameters
        create = f"CREATE OR REPLACE VIEW {name} COPY GRANTS" if replace else f"CREATE VIEW IF NOT EXISTS {name}"
        statements[name] = _source(query).format(create_view=create, **values)
    return statements


def dynamic_table_statement(settings: SnowflakeSettings, columns: Sequence[StoredColumn]) -> str:
    """The statement for a table of the latest events that Snowflake refreshes by itself."""
    return _source("latest_dynamic_table").format(
        dynamic_table=name_beside(settings, f"{LATEST}_TABLE"),
        view=name_beside(settings, LATEST),
        warehouse=quoted(stored_name(settings.warehouse)) if settings.warehouse else "…",
        columns=_lines(_names(columns)),
    )


def _values(
    settings: SnowflakeSettings, columns: Sequence[StoredColumn], filled: TableColumns | None
) -> dict[str, str]:
    """What the queries read in a row of the settings' format, by the name under which they mention it."""
    metadata = envelope_columns()
    if settings.row_format == "columns":
        values = {column.name.lower(): inside_evsup(column) for column in metadata} | _IN_COLUMNS
        values["array"] = _array('"_EVSUP":"body"', *_records(columns, filled or TableColumns(names=())))
    else:
        values = {column.name.lower(): quoted(column.name) for column in metadata} | _IN_ENVELOPE
        values["array"] = _array('"PAYLOAD"', '"PAYLOAD":"records"', otherwise=(_WHOLE,))
    groups = {"address": _ADDRESS, "properties": _PROPERTIES, "refusal": _REFUSAL}
    shown = {group: _lines(_shown(name, values[name]) for name in names) for group, names in groups.items()}
    return values | shown | {"table": table_name(settings), "columns": _lines(_names(columns))}


def _shown(name: str, value: str) -> str:
    return value if value == quoted(name.upper()) else f"{value} AS {quoted(name.upper())}"


def _array(*places: str, otherwise: Sequence[str] = ()) -> str:
    """The array of an event's records, at the first of the places; NULL, which has no elements, where there is none."""
    cases = [f"WHEN IS_ARRAY({each}) THEN {each}" for each in places]
    return "\n            ".join(["CASE", *cases, *otherwise]) + "\n        END"


def _records(columns: Sequence[StoredColumn], filled: TableColumns) -> Iterator[str]:
    """Where `records` of a body may be: in the column that takes this key, and among the keys without one, where the
    rows have it that are older than the column.
    """
    taker = ColumnKeys(filled).column_of("records")
    for column in columns:
        if column.name == taker and column.type in ("VARIANT", "ARRAY"):
            yield quoted(column.name)
    yield '"_EVSUP":"unknown"."records"'


def _latest(is_tombstone: str, latest: LatestBy) -> dict[str, str]:
    """What the query for the latest events says of the key, and of the events that delete one."""
    parts = {f'"evsup key {number}"': part.sql for number, part in enumerate(latest.key, start=1)}
    return {
        "key": _lines((f"{value} AS {part}" for part, value in parts.items()), 2),
        "parts": ", ".join(parts),
        "has_key": " AND ".join(f"{part} IS NOT NULL" for part in parts),
        "deletes": " OR ".join([is_tombstone, *(one.sql for one in latest.deletes)]),
    }


def _names(columns: Sequence[StoredColumn]) -> Iterable[str]:
    return (quoted(column.name) for column in columns)


def _lines(parts: Iterable[str], indent: int = 1) -> str:
    return f",\n{'    ' * indent}".join(parts)


def _source(name: str) -> str:
    return source("supervisor.target", name)

"""EvSnow's control table, made and written as its own source does.

https://github.com/MiguelElGallo/evsnow/blob/main/src/utils/snowflake.py and postgres.py beside it. Where it has MERGE,
which the local Snowflake lacks, this has the DELETE and INSERT that MERGE comes down to.
"""

import json
import re
from collections.abc import Callable
from typing import Any

import psycopg
from psycopg.sql import SQL, Identifier

_KEY = "PRIMARY KEY (EVENTHUB_NAMESPACE, EVENTHUB, TARGET_DB, TARGET_SCHEMA, TARGET_TABLE, PARTITION_ID)"
_COLUMNS = """
    TS_INSERTED TIMESTAMP_LTZ DEFAULT CURRENT_TIMESTAMP(),
    EVENTHUB_NAMESPACE VARCHAR(500),
    EVENTHUB VARCHAR(200),
    TARGET_DB VARCHAR(200),
    TARGET_SCHEMA VARCHAR(200),
    TARGET_TABLE VARCHAR(200),
    WATERLEVEL NUMBER(38, 0),
    PARTITION_ID VARCHAR(50) NOT NULL,
    METADATA VARIANT
"""
_POSTGRES = """
CREATE TABLE IF NOT EXISTS {} (
    ts_inserted TIMESTAMPTZ DEFAULT CURRENT_TIMESTAMP,
    eventhub_namespace TEXT NOT NULL,
    eventhub TEXT NOT NULL,
    target_db TEXT NOT NULL,
    target_schema TEXT NOT NULL,
    target_table TEXT NOT NULL,
    waterlevel BIGINT,
    partition_id TEXT NOT NULL,
    metadata JSONB,
    PRIMARY KEY (eventhub_namespace, eventhub, target_db, target_schema, target_table, partition_id)
)
"""
_ROW = """
INSERT INTO {} (
    TS_INSERTED, EVENTHUB_NAMESPACE, EVENTHUB, TARGET_DB, TARGET_SCHEMA, TARGET_TABLE, WATERLEVEL, PARTITION_ID,
    METADATA
)
"""
_SNOWFLAKE_ROW = f"""{_ROW}
SELECT DATEADD(second, ?, CURRENT_TIMESTAMP()), ?, ?, 'INGESTION', 'PUBLIC', ?, 4711, ?, PARSE_JSON(?)
"""
_SNOWFLAKE_ROW_GONE = """
DELETE FROM {} WHERE EVENTHUB_NAMESPACE = ? AND EVENTHUB = ? AND TARGET_TABLE = ? AND PARTITION_ID = ?
"""
_POSTGRES_ROW = f"""{_ROW}
VALUES (now() + make_interval(secs => %s), %s, %s, 'INGESTION', 'PUBLIC', %s, 4711, %s, %s)
ON CONFLICT (eventhub_namespace, eventhub, target_db, target_schema, target_table, partition_id)
DO UPDATE SET waterlevel = EXCLUDED.waterlevel, ts_inserted = EXCLUDED.ts_inserted, metadata = EXCLUDED.metadata
"""

Change = Callable[..., object]
"""A statement with `?` and its values, run in Snowflake."""


def metadata_of(sequence_number: int, offset: str) -> str:
    """What it writes beside the offset."""
    return json.dumps({"sequence_number": sequence_number, "offset_string": offset, "consumer_group": "evsnow"})


class InSnowflake:
    """The table in Snowflake: Hybrid, or as older versions had it, standard and only ever appended to."""

    def __init__(self, change: Change, table: str, *, hybrid: bool = True) -> None:
        self.address = table
        self._change, self._hybrid = change, hybrid
        kind, key = ("HYBRID TABLE", f", {_KEY}") if hybrid else ("TABLE", "")
        change(f"CREATE {kind} IF NOT EXISTS {table} ({_COLUMNS}{key})")

    def put(
        self, namespace: str, hub: str, partition: str, metadata: str | None, *, target: str = "EVENTS", age_s: int = 0
    ) -> None:
        """A row, written `age_s` seconds ago."""
        if self._hybrid:
            self._change(_SNOWFLAKE_ROW_GONE.format(self.address), namespace, hub, target, partition)
        statement = _SNOWFLAKE_ROW.format(self.address)
        self._change(statement, -age_s, namespace, hub, target, partition, metadata)


class InPostgres:
    """The table in Postgres; its address is without the password."""

    def __init__(self, dsn: str, schema: str = "public", table: str = "INGESTION_STATUS") -> None:
        self.address = f"{re.sub(':[^:/@]*@', '@', dsn)}#{schema}.{table}"
        self._dsn, self._table = dsn, Identifier(schema, table)
        self._run(SQL("CREATE SCHEMA IF NOT EXISTS {}").format(Identifier(schema)))
        self._run(SQL(_POSTGRES).format(self._table))

    def put(
        self, namespace: str, hub: str, partition: str, metadata: str | None, *, target: str = "EVENTS", age_s: int = 0
    ) -> None:
        """A row, written `age_s` seconds ago."""
        statement = SQL(_POSTGRES_ROW).format(self._table)
        self._run(statement, -age_s, namespace, hub, target, partition, metadata)

    def _run(self, statement: Any, *values: object) -> None:
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            connection.execute(statement, values)

"""The rows: one DuckDB database in memory, a schema and a table for each of Snowflake's.

Snowflake's three-part names work as they are, since every database is an attached catalog.
"""

import datetime as dt
import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from scripts.localcloud.snow.http.refusal import bad_request
from scripts.localcloud.snow.tables.column import Column, LoadOptions, quoted
from scripts.localcloud.snow.tables.load import SHAPES, plan

CODE = 100071  # of every rejected row; which numbers the service gives others is not known
ERRORS = "$ERRORS"  # behind the table's name
# https://docs.snowflake.com/en/user-guide/data-engineering/error-tables
_ERROR_COLUMNS = "TIMESTAMP TIMESTAMPTZ, QUERY_ID VARCHAR, ERROR_CODE BIGINT, ERROR_METADATA JSON, ERROR_DATA JSON"
CONVERSIONS = Path(__file__).with_name("conversions.sql")
DEFAULT_OPTIONS = LoadOptions()
_RESERVED = frozenset({"SYSTEM", "TEMP", "MEMORY", "MAIN", "_FS_GLOBAL"})  # catalogs of DuckDB and of fakesnow


@dataclass(frozen=True)
class Table:
    """A table with its columns; names are as Snowflake stores them."""

    database: str
    schema: str
    name: str
    columns: tuple[Column, ...]
    options: frozenset[str] = frozenset()
    """Those that are on, such as ERROR_LOGGING."""
    created_at: dt.datetime = field(default_factory=lambda: dt.datetime.now(dt.UTC))
    """Tells it from a former table of its name."""

    @property
    def path(self) -> tuple[str, str, str]:
        """The three parts of its name."""
        return self.database, self.schema, self.name

    @property
    def evolves(self) -> bool:
        """Whether it gets columns for new fields."""
        return "ENABLE_SCHEMA_EVOLUTION" in self.options

    @property
    def identifier(self) -> str:
        """The three-part name, quoted for SQL."""
        return ".".join(quoted(part) for part in self.path)

    @property
    def logs_errors(self) -> bool:
        """Whether rejected rows go to its error table."""
        return "ERROR_LOGGING" in self.options

    @property
    def errors(self) -> str:
        """The name of its error table, quoted for SQL."""
        return ".".join(quoted(part) for part in (self.database, self.schema, self.name + ERRORS))


@dataclass(frozen=True)
class Loaded:
    """What became of one request: lines read, rows stored, and why the first of the others was not."""

    parsed: int
    inserted: int
    complaint: str | None
    rejected: tuple[tuple[str, str], ...] = ()
    """The rows that were not stored and the reason of each, if the table logs errors."""

    @property
    def errors(self) -> int:
        """Lines that were skipped."""
        return self.parsed - self.inserted


@dataclass(frozen=True)
class Result:
    """The answer to a query; values are JSON values (a VARIANT its text, BINARY hex, a time ISO text in UTC)."""

    columns: list[str]
    rows: list[list[Any]]


class Warehouse:
    """Stores and answers. Calls block on DuckDB; writers take turns, a query has a connection of its own."""

    def __init__(self) -> None:
        # One thread: the machine is shared with the client whose speed is being measured. The lambdas are fakesnow's.
        self._connection = duckdb.connect(":memory:", config={"threads": "1", "lambda_syntax": "ENABLE_SINGLE_ARROW"})
        self._connection.execute("SET TimeZone = 'UTC'")
        self._connection.execute(CONVERSIONS.read_text())
        self._lock = threading.Lock()

    def create(self, table: Table) -> None:
        """Create the table, its schema and its database where they are missing; an existing table is left alone."""
        if table.database.upper() in _RESERVED:
            raise bad_request(f"{table.database} is a name of DuckDB's own; take another")
        columns = ", ".join(one.declaration for one in table.columns)
        with self._lock:
            self._connection.execute(f"ATTACH IF NOT EXISTS ':memory:' AS {quoted(table.database)}")
            self._connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(table.database)}.{quoted(table.schema)}")
            self._connection.execute(f"CREATE TABLE IF NOT EXISTS {table.identifier} ({columns})")
        self.create_error_table(table)

    def create_error_table(self, table: Table) -> None:
        """Create the table of rejected rows where it is missing, if the table logs errors."""
        if table.logs_errors:
            with self._lock:
                self._connection.execute(f"CREATE TABLE IF NOT EXISTS {table.errors} ({_ERROR_COLUMNS})")

    def log_errors(self, table: Table, rejected: Sequence[tuple[str, str]], details: dict[str, str]) -> None:
        """Write rejected rows, each with its reason, to the error table."""
        metadata = [{"service": "snowpipe_streaming", "error_message": why, "details": details} for _, why in rejected]
        values = [[json.dumps(each), row] for each, (row, _) in zip(metadata, rejected, strict=True)]
        with self._lock:
            self._connection.executemany(f"INSERT INTO {table.errors} VALUES (now(), NULL, {CODE}, ?, ?)", values)  # noqa: S608

    def alter(self, table: Table, clauses: Sequence[str]) -> None:
        """Change the columns of the table by clauses of DuckDB's ALTER TABLE."""
        with self._lock:
            for clause in clauses:
                self._connection.execute(f"ALTER TABLE {table.identifier} {clause}")

    def drop(self, table: Table) -> None:
        """Drop the table and its rows."""
        with self._lock:
            self._connection.execute(f"DROP TABLE IF EXISTS {table.identifier}")
            self._connection.execute(f"DROP TABLE IF EXISTS {table.errors}")

    def load(self, table: Table, body: bytes, options: LoadOptions = DEFAULT_OPTIONS) -> Loaded:
        """Store the NDJSON lines that fit, in one transaction; blank lines between appends are skipped."""
        text, undecodable = _decoded(body)
        with self._lock:
            shapes = self._connection.execute(SHAPES, [text]).fetchall()
            load = plan(table.identifier, table.columns, shapes, options)
            self._connection.execute(load.stage, [text])
            (inserted,) = self._one(load.insert)
            parsed = undecodable + sum(lines for _, lines in shapes)
            if inserted == parsed:
                return Loaded(parsed, inserted, None)
            if undecodable or load.broken:
                return Loaded(parsed, inserted, "Error parsing JSON: the row is not a JSON object in UTF-8")
            if not table.logs_errors:
                return Loaded(parsed, inserted, _complaint(table.columns, self._one(load.misfit)))
            misfits = self._connection.execute(load.misfits, [text]).fetchall()
            rejected = tuple((line, _complaint(table.columns, pairs)) for line, *pairs in misfits)
            return Loaded(parsed, inserted, rejected[0][1], rejected)

    def query(self, sql: str, database: str | None, schema: str | None) -> Result:
        """Answer one SELECT; unqualified tables are looked up in the given schema."""
        _check_read_only(sql)
        with self._connection.cursor() as cursor:
            cursor.execute("SET TimeZone = 'UTC'")
            if database and schema:
                cursor.execute(f"USE {quoted(database)}.{quoted(schema)}")
            relation = cursor.sql(sql.rstrip().rstrip(";"))
            shown = ", ".join(_shown(i, str(kind)) for i, kind in enumerate(relation.types, start=1))
            rows = relation.project(shown).fetchall()
            return Result(list(relation.columns), [list(row) for row in rows])

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """Open a connection of its own to the same rows."""
        return self._connection.cursor()

    def close(self) -> None:
        """Close the database; its rows are lost."""
        self._connection.close()

    def _one(self, sql: str) -> tuple[Any, ...]:
        row = self._connection.execute(sql).fetchone()
        assert row is not None
        return row


def _decoded(body: bytes) -> tuple[str, int]:
    """Give the text, and how many lines were left out because they are not UTF-8."""
    try:
        return body.decode(), 0
    except UnicodeDecodeError:
        lines = [line for line in body.split(b"\n") if line]
        readable = [line for line in lines if _is_utf8(line)]
        return b"\n".join(readable).decode(), len(lines) - len(readable)


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _complaint(columns: Sequence[Column], pairs: Sequence[Any]) -> str:
    for one, raw, fits in zip(columns, pairs[::2], pairs[1::2], strict=True):
        if not fits:
            return one.complaint(raw)
    raise AssertionError("a row was left out, and every column of it fits")


def _check_read_only(sql: str) -> None:
    try:
        statements = duckdb.extract_statements(sql)
    except duckdb.Error as exc:
        raise bad_request(str(exc)) from exc
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise bad_request("one SELECT statement, please")


def _shown(position: int, kind: str) -> str:
    """Give the SQL of one result column as a value that JSON can carry, numbers beyond 64 bits included."""
    if kind == "BLOB":
        return f"hex(#{position})"
    if kind.startswith("TIMESTAMP"):
        return f"strftime(#{position}, '%Y-%m-%dT%H:%M:%S.%fZ')"
    plain = ("DECIMAL", "BOOLEAN", "DOUBLE", "FLOAT", "BIGINT", "HUGEINT", "INTEGER", "UBIGINT")
    return f"#{position}" if kind.startswith(plain) else f"#{position}::VARCHAR"

"""Snowflake's dialect over the warehouse's own DuckDB: fakesnow translates, this adapter asks and reads the answer.

fakesnow's own server is not used: it knows no users and no keys, and what DuckDB refuses becomes HTTP 500 there.
"""

import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import duckdb
from fakesnow import info_schema, macros, transforms
from fakesnow.conn import FakeSnowflakeConnection
from fakesnow.transforms import show
from snowflake.connector.errors import Error as ConnectorError
from sqlglot import exp

from scripts.localcloud.snow.sql.statements.refusal import (
    SqlRefusal,
    already_exists,
    compilation,
    duplicate_key,
    internal,
    not_a_number,
    null_key,
    unknown_object,
)
from scripts.localcloud.snow.sql.statements.rowset import Rowset
from scripts.localcloud.snow.sql.statements.statement import Name
from scripts.localcloud.snow.tables.warehouse import Warehouse

OWN_DATABASES = ("memory", "system", "temp", "_fs_global")
_NO_TABLE = re.compile(r"(?:Table|View) with name (\S+) does not exist")
_NO_COLUMN = re.compile(r'Referenced (?:update )?column "?([^" ]+)"? not found')
_NO_NUMBER = re.compile(r"Could not convert string '(.*)' to (?:U?INT|DECIMAL|DOUBLE)")
_DUPLICATE = re.compile(r'[Dd]uplicate key "(.*)" violates')
_NOT_NULL = re.compile(r"NOT NULL constraint failed: (?:.*\.)?(\S+)")

# fakesnow says N for every table. Here a table is hybrid when DuckDB enforces a primary key for it; no other has one.
_KEYED = "(select (database_name, schema_name, table_name) from duckdb_tables() where has_primary_key)"
_HYBRID_SHOWN = (
    "'N' as is_hybrid",
    f"if((table_catalog, table_schema, table_name) in {_KEYED}, 'Y', 'N') as is_hybrid",
)
_HYBRID_LISTED = ("'NO' AS \"IS_HYBRID\"", "if(tables.has_primary_key, 'YES', 'NO') AS \"IS_HYBRID\"")

# A function of Snowflake's that fakesnow does not translate:
# https://docs.snowflake.com/en/sql-reference/functions/try_base64_decode_string
_TRY_BASE64 = "CREATE OR REPLACE MACRO {}.try_base64_decode_string(text) AS TRY(decode(from_base64(text)))"

warnings.filterwarnings("ignore", message="Arrow output on a DB-API result", category=UserWarning)  # fakesnow's way

_describe_table = transforms.describe_table


def _describe_table_of_any_name(
    expression: exp.Expr, current_database: str | None = None, current_schema: str | None = None
) -> exp.Expr:
    """As fakesnow, which puts names into a text as they are: an apostrophe would end the text."""
    if isinstance(expression, exp.Describe):
        expression = expression.copy()
        for name in expression.find_all(exp.Identifier):
            name.set("this", name.name.replace("'", "''"))
    return _describe_table(expression, current_database, current_schema)


transforms.describe_table = _describe_table_of_any_name


class Dialect:
    """Makes a DuckDB ready for fakesnow, and opens a connection for each session."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self._prepared: set[str] = set()
        with warehouse.cursor() as cursor:
            cursor.execute("ATTACH IF NOT EXISTS ':memory:' AS _fs_global")
            cursor.execute(info_schema.fs_global_creation_sql())
            cursor.execute(_with(show.fs_global_creation_sql(), _HYBRID_SHOWN))

    def connect(self, database: str | None, schema: str | None) -> "Connection":
        """Open a connection of its own; a database or schema that does not exist is left unset."""
        with self._warehouse.cursor() as cursor:
            self._prepare(cursor)
        return Connection(self._warehouse.cursor(), database, schema)

    def _prepare(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """Give every database the views and macros that translated statements call."""
        known = cursor.execute("SELECT database_name FROM duckdb_databases()").fetchall()
        for (name,) in known:
            if name not in OWN_DATABASES and name not in self._prepared:
                cursor.execute(_with(info_schema.per_db_creation_sql(name), _HYBRID_LISTED))
                cursor.execute(macros.creation_sql(name))
                cursor.execute(_TRY_BASE64.format(name))
                self._prepared.add(name)


class Connection:
    """One session's connection. Errors are `SqlRefusal`, whatever raised them."""

    def __init__(self, duck: duckdb.DuckDBPyConnection, database: str | None, schema: str | None) -> None:
        self._duck = duck
        duck.execute("SET TimeZone = 'UTC'")
        self._fake = FakeSnowflakeConnection(
            duck, {}, database, schema, create_database=False, create_schema=False, paramstyle="qmark"
        )

    @property
    def database(self) -> str | None:
        """The current database."""
        return self._fake.database if self._fake.database_set else None

    @property
    def schema(self) -> str | None:
        """The current schema."""
        return self._fake.schema if self._fake.schema_set else None

    def run(self, sql: str) -> Rowset:
        """Run one statement of Snowflake's SQL."""
        with _refusing():
            cursor = self._fake.cursor()
            cursor.execute(sql, server=True)
            # Its own server reads this attribute, too; fetchall() loses columns that share a name.
            table: Any = cursor._arrow_table
            rows = list(zip(*(one.to_pylist() for one in table.columns), strict=True))
            names, types = zip(*((one[0], str(one[1])) for one in self._duck.description), strict=True)
            return Rowset(names, types, rows)

    @contextmanager
    def tentative(self) -> Iterator[None]:
        """Take back what is run inside."""
        self._duck.execute("BEGIN")
        try:
            yield
        finally:
            self._duck.execute("ROLLBACK")

    @contextmanager
    def lasting(self) -> Iterator[None]:
        """Commit what is run inside, or none of it."""
        self._duck.execute("BEGIN")
        try:
            yield
        except BaseException:
            self._duck.execute("ROLLBACK")
            raise
        with _refusing():
            self._duck.execute("COMMIT")

    def key(self, table: Name) -> list[str]:
        """Give the columns of the enforced primary key; a standard table has none."""
        found = self._ask(
            "SELECT constraint_column_names FROM duckdb_constraints() WHERE constraint_type = 'PRIMARY KEY'"
            " AND (database_name, schema_name, table_name) = (?, ?, ?)",
            table,
        )
        return list(found[0][0]) if found else []

    def columns(self, table: Name) -> list[str]:
        """Give the columns of a table in their order; none when there is no such table."""
        return [
            name
            for (name,) in self._ask(
                "SELECT column_name FROM duckdb_columns() WHERE (database_name, schema_name, table_name) = (?, ?, ?)"
                " ORDER BY column_index",
                table,
            )
        ]

    def holds(self, path: Sequence[str]) -> bool:
        """Say whether a database, or a schema in it, exists."""
        columns = ("database_name", "schema_name")[: len(path)]
        found = f"SELECT 1 FROM duckdb_schemas() WHERE {' AND '.join(f'{each} = ?' for each in columns)} LIMIT 1"  # noqa: S608
        return bool(self._ask(found, path))

    def close(self) -> None:
        """Let the connection go."""
        self._duck.close()

    def _ask(self, sql: str, path: Sequence[str]) -> list[tuple[Any, ...]]:
        with self._duck.cursor() as cursor:
            return cursor.execute(sql, list(path)).fetchall()


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except ConnectorError as exc:
        raise _translated(exc) from exc
    except duckdb.ConstraintException as exc:
        raise _violated(str(exc)) from exc
    except (duckdb.Error, AssertionError, NotImplementedError) as exc:
        raise internal(str(exc)) from exc


def _translated(exc: ConnectorError) -> SqlRefusal:
    text = str(getattr(exc, "raw_msg", None) or exc.msg or exc)
    if found := _NO_TABLE.search(text):
        return unknown_object(found[1].strip('"!'))
    if found := _NO_COLUMN.search(text):
        return compilation("000904", "42000", f"invalid identifier '{found[1]}'")
    if found := _NO_NUMBER.search(text):
        return not_a_number(found[1])
    if "already exists" in text:
        return already_exists(text)
    return SqlRefusal(f"{exc.errno:06d}", str(exc.sqlstate), text)


def _violated(text: str) -> SqlRefusal:
    if found := _DUPLICATE.search(text):
        return duplicate_key(found[1])
    found = _NOT_NULL.search(text)
    return null_key(found[1]) if found else internal(text)


def _with(sql: str, change: tuple[str, str]) -> str:
    old, new = change
    assert old in sql, f"fakesnow changed its views: there is no {old} any more"
    return sql.replace(old, new)

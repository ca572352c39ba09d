"""Which tables and pipes exist. A table has its default pipe `<TABLE>-STREAMING`, and may have named ones.

https://docs.snowflake.com/en/user-guide/snowpipe-streaming/snowpipe-streaming-high-performance-overview
"""

import datetime as dt
import re
from collections.abc import Collection
from dataclasses import dataclass, field

from scripts.localcloud.snow.http.refusal import (
    DATABASE_UNKNOWN,
    PIPE_UNKNOWN,
    SCHEMA_UNKNOWN,
    TABLE_UNKNOWN,
    Refusal,
    bad_request,
    not_found,
)
from scripts.localcloud.snow.tables.warehouse import Table

DEFAULT_PIPE_SUFFIX = "-STREAMING"
BY_NAME = "FROM TABLE(DATA_SOURCE(TYPE => 'STREAMING')) MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE"
_CASE = re.compile(r"MATCH_BY_COLUMN_NAME\s*=\s*'?CASE_SENSITIVE", re.IGNORECASE)

Name = tuple[str, str, str]


@dataclass(frozen=True)
class Pipe:
    """A pipe and the table it feeds."""

    name: Name
    table: Table

    @property
    def is_default(self) -> bool:
        """Whether the service made it."""
        return self.name[2].endswith(DEFAULT_PIPE_SUFFIX)


@dataclass(frozen=True)
class Definition:
    """What a named pipe was made with. It is shown and not run: rows are matched to columns by name."""

    table: Name
    text: str
    comment: str = ""
    created_at: dt.datetime = field(default_factory=lambda: dt.datetime.now(dt.UTC))


@dataclass
class Catalog:
    """Tables and pipes by their stored names. SQL defines tables on a thread of its own."""

    _tables: dict[Name, Table] = field(default_factory=dict)
    _pipes: dict[Name, Definition] = field(default_factory=dict)
    _dropped: set[Name] = field(default_factory=set)
    _schemas: set[tuple[str, str]] = field(default_factory=set)
    """Where a table is or was."""

    def add(self, table: Table) -> bool:
        """Add a table with its default pipe; say whether it is new.

        DuckDB cannot hold two tables whose names differ only in case, so the second one is refused.
        """
        name = table.path
        present = self._tables.get(_resolved(name, self._tables))
        if present is not None and present.name != table.name:
            raise bad_request(f"there is a table {present.name}, and localcloud cannot hold {table.name} beside it")
        self._dropped.discard(_default_pipe(name))
        self._schemas.add(name[:2])
        return self._tables.setdefault(name, table) is table

    def remove(self, name: Name) -> Table:
        """Remove a table, and with it every pipe that feeds it."""
        table = self.table(name)
        key = _resolved(name, self._tables)
        del self._tables[key]
        self._pipes = {pipe: made for pipe, made in dict(self._pipes).items() if made.table != key}
        return table

    def alter(self, table: Table) -> None:
        """Take a table with other columns for the one of that name."""
        self._tables[table.path] = table

    def forget(self, name: Name) -> None:
        """Remove a table that SQL has dropped, if rows could be streamed into it."""
        if self.known(name) is not None:
            self.remove(name)

    def known(self, name: Name) -> Table | None:
        """Give a table that rows can be streamed into, if it is one."""
        return self._tables.get(_resolved(name, self._tables))

    def table(self, name: Name) -> Table:
        """Find a table, or refuse."""
        table = self.known(name)
        if table is None:
            raise not_found(TABLE_UNKNOWN, f"Table '{'.'.join(name)}'")
        return table

    def add_pipe(self, name: Name, table: Name, definition: str = "", comment: str = "") -> None:
        """Add a named pipe into a table; without a definition it is one that matches columns by name."""
        fed = self.table(table)
        text = definition or f"COPY INTO {fed.identifier} {BY_NAME}"
        self._pipes[name] = Definition(fed.path, text, comment)
        self._dropped.discard(name)

    def regards_case(self, pipe: Pipe) -> bool:
        """Say whether a named pipe compares keys with names by their case, too."""
        return bool(_CASE.search(self._pipes[pipe.name].text))

    def definitions(self) -> dict[Name, Definition]:
        """Give the named pipes that are there."""
        return {name: made for name, made in self._pipes.items() if name not in self._dropped}

    def drop_pipe(self, name: Name) -> None:
        """Make a pipe unknown until it, or the table of a default pipe, is added again."""
        self._dropped.add(self.pipe(name).name)

    def pipe(self, name: Name) -> Pipe:
        """Find a pipe with its table, or refuse."""
        key = _resolved(name, self._pipes)
        made = self._pipes.get(key)
        table = self._tables.get(made.table) if made else self._fed_by_default(name)
        if table is not None and made is None:
            key = _default_pipe(table.path)
        if table is None or key in self._dropped:
            raise self._unknown(name)
        return Pipe(key, table)

    def _unknown(self, name: Name) -> Refusal:
        """Refuse a pipe by the first part of its name that leads nowhere.

        That the service does so for a name that does not exist is a guess, from what it does without USAGE.
        """
        database, schema, _ = (part.upper() for part in folded(*name))
        schemas = {(one.upper(), two.upper()) for one, two in self._schemas}
        if database not in {one for one, _ in schemas}:
            return not_found(DATABASE_UNKNOWN, f"Database '{name[0]}'")
        if (database, schema) not in schemas:
            return not_found(SCHEMA_UNKNOWN, f"Schema '{'.'.join(name[:2])}'")
        return not_found(PIPE_UNKNOWN, f"Pipe '{'.'.join(name)}'")

    def _fed_by_default(self, name: Name) -> Table | None:
        database, schema, pipe = name
        known = {_default_pipe(table): table for table in self._tables}
        key = _resolved((database, schema, pipe), known)
        return self._tables[known[key]] if key in known else None


def folded(database: str, schema: str, name: str) -> Name:
    """Give a name as Snowflake stores it: in upper case, or as it is in quotes.

    https://docs.snowflake.com/en/sql-reference/identifiers-syntax
    """
    return stored(database), stored(schema), stored(name)


def stored(identifier: str) -> str:
    """Give one part of a name as Snowflake stores it."""
    if len(identifier) > 1 and identifier.startswith('"') and identifier.endswith('"'):
        return identifier[1:-1].replace('""', '"')
    return identifier.upper()


def _resolved(name: Name, known: Collection[Name]) -> Name:
    """Give the stored name that is meant: the very same, or else the one that `folded` or an equal spelling gives.

    The names of a URI have no case (https://docs.snowflake.com/en/user-guide/snowpipe-streaming/snowpipe-streaming-high-performance-rest-api);
    a client that passes a mixed-case table without quotes finds it:
    https://github.com/snowflakedb/snowflake-kafka-connector/blob/master/src/test/java/com/snowflake/kafka/connector/SnowflakeSinkTaskForStreamingIT.java
    """
    if name in known:
        return name
    wanted = folded(*name)
    if wanted in known or any(part.startswith('"') for part in name):
        return wanted
    return next((one for one in known if tuple(map(str.upper, one)) == wanted), wanted)


def _default_pipe(table: Name) -> Name:
    return table[0], table[1], table[2] + DEFAULT_PIPE_SUFFIX

"""Which tables and pipes exist. A table has its default pipe `<TABLE>-STREAMING`, and may have named ones.

https://docs.snowflake.com/en/user-guide/snowpipe-streaming/snowpipe-streaming-high-performance-overview
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .refusal import PIPE_UNKNOWN, TABLE_UNKNOWN, not_found

if TYPE_CHECKING:
    from .warehouse import Table

DEFAULT_PIPE_SUFFIX = "-STREAMING"
BY_NAME = "FROM TABLE(DATA_SOURCE(TYPE => 'STREAMING')) MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE"

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
    """Names of a URI are compared without regard to case. SQL defines tables on a thread of its own."""

    _tables: dict[Name, Table] = field(default_factory=dict)
    _pipes: dict[Name, Definition] = field(default_factory=dict)
    _dropped: set[Name] = field(default_factory=set)

    def add(self, table: Table) -> bool:
        """Add a table with its default pipe; say whether it is new."""
        name = folded(table.database, table.schema, table.name)
        self._dropped.discard(_default_pipe(name))
        return self._tables.setdefault(name, table) is table

    def remove(self, name: Name) -> Table:
        """Remove a table, and with it every pipe that feeds it."""
        table = self.table(name)
        del self._tables[folded(*name)]
        self._pipes = {pipe: made for pipe, made in dict(self._pipes).items() if made.table != folded(*name)}
        return table

    def alter(self, table: Table) -> None:
        """Take a table with other columns for the one of that name."""
        self._tables[folded(table.database, table.schema, table.name)] = table

    def forget(self, name: Name) -> None:
        """Remove a table that SQL has dropped, if rows could be streamed into it."""
        if folded(*name) in self._tables:
            self.remove(name)

    def known(self, name: Name) -> Table | None:
        """Give a table that rows can be streamed into, if it is one."""
        return self._tables.get(folded(*name))

    def table(self, name: Name) -> Table:
        """Find a table, or refuse."""
        table = self._tables.get(folded(*name))
        if table is None:
            raise not_found(TABLE_UNKNOWN, f"Table '{'.'.join(name)}'")
        return table

    def add_pipe(self, name: Name, table: Name, definition: str = "", comment: str = "") -> None:
        """Add a named pipe into a table; without a definition it is one that matches columns by name."""
        fed = self.table(table)
        target = folded(fed.database, fed.schema, fed.name)
        text = definition or f"COPY INTO {fed.identifier} {BY_NAME}"
        self._pipes[folded(*name)] = Definition(target, text, comment)
        self._dropped.discard(folded(*name))

    def definitions(self) -> dict[Name, Definition]:
        """Give the named pipes that are there."""
        return {name: made for name, made in self._pipes.items() if name not in self._dropped}

    def drop_pipe(self, name: Name) -> None:
        """Make a pipe unknown until it, or the table of a default pipe, is added again."""
        self.pipe(name)
        self._dropped.add(folded(*name))

    def pipe(self, name: Name) -> Pipe:
        """Find a pipe with its table, or refuse."""
        key = folded(*name)
        made = self._pipes.get(key)
        fed = made.table if made else (key[0], key[1], key[2].removesuffix(DEFAULT_PIPE_SUFFIX))
        table = self._tables.get(fed)
        known = key in self._pipes or key[2].endswith(DEFAULT_PIPE_SUFFIX)
        if table is None or not known or key in self._dropped:
            raise not_found(PIPE_UNKNOWN, f"Pipe '{'.'.join(name)}'")
        return Pipe(key, table)


def folded(database: str, schema: str, name: str) -> Name:
    """Give a name as it is compared."""
    return database.upper(), schema.upper(), name.upper()


def _default_pipe(table: Name) -> Name:
    return table[0], table[1], table[2] + DEFAULT_PIPE_SUFFIX

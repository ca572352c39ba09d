"""Which tables and pipes exist. A table has its default pipe `<TABLE>-STREAMING`, and may have named ones.

https://docs.snowflake.com/en/user-guide/snowpipe-streaming/snowpipe-streaming-high-performance-overview
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .refusal import PIPE_UNKNOWN, TABLE_UNKNOWN, not_found

if TYPE_CHECKING:
    from .warehouse import Table

DEFAULT_PIPE_SUFFIX = "-STREAMING"

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


@dataclass
class Catalog:
    """Names of a URI are compared without regard to case. SQL defines tables on a thread of its own."""

    _tables: dict[Name, Table] = field(default_factory=dict)
    _pipes: dict[Name, Name] = field(default_factory=dict)
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
        self._pipes = {pipe: fed for pipe, fed in dict(self._pipes).items() if fed != folded(*name)}
        return table

    def forget(self, name: Name) -> None:
        """Remove a table that SQL has dropped, if rows could be streamed into it."""
        if folded(*name) in self._tables:
            self.remove(name)

    def table(self, name: Name) -> Table:
        """Find a table, or refuse."""
        table = self._tables.get(folded(*name))
        if table is None:
            raise not_found(TABLE_UNKNOWN, f"Table '{'.'.join(name)}'")
        return table

    def add_pipe(self, name: Name, table: str) -> None:
        """Add a named pipe into a table of the same schema."""
        fed = self.table((name[0], name[1], table))
        self._pipes[folded(*name)] = folded(fed.database, fed.schema, fed.name)
        self._dropped.discard(folded(*name))

    def drop_pipe(self, name: Name) -> None:
        """Make a pipe unknown until it, or the table of a default pipe, is added again."""
        self.pipe(name)
        self._dropped.add(folded(*name))

    def pipe(self, name: Name) -> Pipe:
        """Find a pipe with its table, or refuse."""
        key = folded(*name)
        fed = self._pipes.get(key, (key[0], key[1], key[2].removesuffix(DEFAULT_PIPE_SUFFIX)))
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

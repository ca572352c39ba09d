"""A database, as the control store sees it: transactions that run named queries, and errors of ours."""

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from typing import Any, Literal, Protocol

Mode = Literal["read", "write", "atomic", "schema"]
Row = dict[str, Any]

CALL_S = 10.0  # a call answers or fails within this time and a little more; three of them fit a lease of 60 s


def begin(mode: Mode) -> str:
    """The query that begins such a transaction in PostgreSQL and SQLite, where every transaction is whole."""
    return "begin_write" if mode == "atomic" else f"begin_{mode}"


class Run(Protocol):
    """Runs a named query of `sql/` inside a transaction and gives the rows it returns."""

    def __call__(self, name: str, /, **values: object) -> list[Row]:
        """Raises what the driver raises; the transaction around it translates that."""


class Database(ABC):
    """Connections to one database. Safe to call from several threads, not across a fork."""

    dialect: str
    """Folder under `sql/` for what only this database understands."""
    address: str
    """Where it is, as it is shown to people."""

    @abstractmethod
    def transaction(self, mode: Mode = "write") -> AbstractContextManager[Run]:
        """One transaction: committed at the end of the block, rolled back when the block raises.

        In Snowflake each statement of a "write" is committed by itself, and its callers have made that safe. An
        "atomic" one is a transaction everywhere.

        Blocks for about `CALL_S` at most. Raises StoreUnavailable, NotPermitted or ConfigurationError for what the
        database says; other errors of the block pass. After StoreUnavailable it is unknown whether it was committed.
        """

    def check_writes(self) -> None:  # noqa: B027 (Snowflake has no such state)
        """Raise as a transaction that writes would, where the database is only read: a standby, a file that nobody may
        change. Nothing is written.
        """

    @abstractmethod
    def close(self) -> None:
        """Close all connections. Further transactions raise StoreUnavailable."""

"""Who holds which rows. A Hybrid Table is locked by row, a standard table as a whole, until the transaction ends.

https://docs.snowflake.com/en/sql-reference/transactions#resource-locking
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from scripts.localcloud.snow.sql.statements.statement import Name

Key = tuple[Any, ...]
WHOLE: Key = ()
"""Stands for every row of a table, those that do not exist yet among them."""


@dataclass
class Blocked(Exception):
    """Somebody else holds a row that a statement wants."""

    table: Name
    holder: int
    hybrid: bool


class Locks:
    """The locks of all sessions, by table and key. Used by one thread."""

    def __init__(self) -> None:
        self._held: dict[Name, dict[Key, int]] = {}

    def holder(self, table: Name, keys: Collection[Key], owner: int) -> int | None:
        """Give an owner other than `owner` that holds one of these rows."""
        held = self._held.get(table, {})
        wanted = held if WHOLE in keys else [WHOLE, *keys]
        return next((held[key] for key in wanted if held.get(key, owner) != owner), None)

    def contended(self, table: Name, owner: int) -> bool:
        """Say whether somebody else holds anything of this table."""
        return self.holder(table, [WHOLE], owner) is not None

    def take(self, table: Name, keys: Collection[Key], owner: int) -> None:
        """Hold these rows; nobody else may hold one of them."""
        self._held.setdefault(table, {}).update(dict.fromkeys(keys, owner))

    def release(self, owner: int) -> None:
        """Release everything that `owner` holds."""
        self._held = {
            table: kept
            for table, held in self._held.items()
            if (kept := {key: one for key, one in held.items() if one != owner})
        }

"""Which column of the target table takes the value of a key.

The default pipe matches names without regard to case, and a named one may regard it. So a key is compared without case,
and then sent as the column is spelled, which every pipe matches. Only ASCII letters are compared without case, because
no page says what Snowflake does with others.
https://docs.snowflake.com/en/user-guide/snowpipe-streaming/snowpipe-streaming-pipe-object
"""

from collections.abc import Iterable, Mapping, Sequence
from string import ascii_lowercase, ascii_uppercase
from typing import Any

import msgspec

from shared.config.formats.identifier import MOST_CHARACTERS
from shared.ipc.messages import TableColumns
from shared.snowflake.tables import EVSUP

MOST_MET = 10_000  # keys that are remembered at once: a sender may invent any number
MOST_SHAPES, LONGEST_SHAPE = 256, 256  # bodies whose keys are remembered, and keys of one
# Snowflake adds at most so many columns in one load, and a table of thousands of columns is slow to read.
# https://docs.snowflake.com/en/user-guide/data-load-schema-evolution
MOST_AWAITED, MOST_COLUMNS = 100, 1000

_UPPER = str.maketrans(ascii_lowercase, ascii_uppercase)


class ColumnKeys:
    """The columns of a table as the keys of bodies meet them. Not for two threads at once."""

    def __init__(self, columns: TableColumns) -> None:
        self._has_case = columns.are_case_sensitive
        self._columns = {self.fold(name): name for name in columns.names}
        self._columns.pop(EVSUP, None)
        self._met: dict[str, str | None] = {}
        """Keys of bodies, and the column of each."""
        self._spellings: set[str] = set()
        """Those that have one."""
        self._names = frozenset(self._columns.values())
        self._spelling: dict[str, str] = {}
        """One of them for each column."""
        self._has_variants = False
        """Whether two of these are spellings of one column."""
        self._shapes: dict[tuple[str, ...], Sequence[str]] = {}
        """The keys of whole bodies, and those of them that no column takes."""
        self._awaited: set[str] = set()
        """Names of columns that Snowflake was asked for and does not have yet."""

    def fold(self, key: str) -> str:
        """The name of the column that a key would have."""
        if self._has_case:
            return key
        return key.upper() if key.isascii() else key.translate(_UPPER)

    def has_all(self, body: dict[str, Any]) -> bool:
        """Whether each key of a body is known to have a column of its own. Fast, and False for a key that is new."""
        if not body.keys() <= self._spellings:
            return False
        return not self._has_variants or len({self.fold(key) for key in body}) == len(body)

    def are_names(self, body: dict[str, Any]) -> bool:
        """Whether each key of a body is spelled as a column."""
        return body.keys() <= self._names

    def column_of(self, key: str) -> str | None:
        """The column that takes a key, if no other key of the event does; None: there is none."""
        return self._columns.get(self.fold(key))

    def named(self, parts: Mapping[str, msgspec.Raw]) -> dict[str, msgspec.Raw]:
        """The same values, each under the name of its column, or of the one that it is to have."""
        known = self._met.get  # a call of our own for each key of each event would take several times as long
        return {known(key) or self.column_of(key) or self.fold(key): value for key, value in parts.items()}

    def without_column(self, body: dict[str, Any]) -> Sequence[str]:
        """The keys that no column takes, in order. Of two keys for one column it takes the one that is spelled as its
        name, else the first.
        """
        shape = tuple(body)  # senders repeat their keys: to look each of them up takes five times as long
        if (known := self._shapes.get(shape)) is not None:
            return known
        unknown = self._without_column(shape)
        if len(shape) <= LONGEST_SHAPE and len(self._shapes) < MOST_SHAPES:
            self._shapes[shape] = unknown
        return unknown

    def _without_column(self, keys: Iterable[str]) -> list[str]:
        met, taken, unknown = self._met, dict[str, str](), list[str]()
        for key in keys:
            column = met[key] if key in met else self._meet(key)
            if column is None:
                unknown.append(key)
            elif column not in taken:
                taken[column] = key
            elif key == column:
                unknown.append(taken[column])
                taken[column] = key
            else:
                unknown.append(key)
        return unknown

    def _meet(self, key: str) -> str | None:
        """The column of a key that is new."""
        column = self._columns.get(self.fold(key))
        if len(key) > MOST_CHARACTERS:
            return column
        if len(self._met) >= MOST_MET:
            self._met.clear()
            self._spellings.clear()
        self._met[key] = column
        if column is not None:
            self._spellings.add(key)
            self._has_variants |= self._spelling.setdefault(column, key) != key
        return column

    def to_be_added(self, keys: Iterable[str]) -> set[str]:
        """Those of the keys without a column that Snowflake is to add one for. Asked for again until it is known."""
        asked: dict[str, str] = {}
        for key in keys:
            name = self.fold(key)
            if name in asked or not key.isascii() or self.problem(key):
                continue
            if name not in self._awaited:
                if len(self._awaited) >= min(MOST_AWAITED, MOST_COLUMNS - len(self._columns)):
                    continue
                self._awaited.add(name)
            asked[name] = key
        return set(asked.values())

    def problem(self, key: str) -> str | None:
        """Why no column can be added for a key without one; None: one can."""
        name = self.fold(key)
        if name == EVSUP:
            return f"{EVSUP} is the column of evsup itself"
        if name in self._columns:
            return f"another key of the event goes to the column {self._columns[name]}"
        if not key:
            return "a column has a name"
        if len(key) > MOST_CHARACTERS:
            return f"a name of a column has at most {MOST_CHARACTERS} characters"
        if '"' in key or not key.isprintable():
            return "a name of a column has no quote and no control character"
        return None

"""Rows of the control tables, read strictly: anybody may have changed them.

SQLite stores whatever it is given, and every database what a person types into an UPDATE. A row with one damaged
column is refused as a whole: a position beside a broken epoch belongs to nobody.
"""

import re
from typing import TypeVar

import msgspec

from shared.control.database import Row
from shared.errors import DataRefused
from shared.model import Checkpoint, Ownership, SupervisorRow, Term

Stored = TypeVar("Stored", Checkpoint, Ownership, SupervisorRow, Term)

_TABLES: dict[type, str] = {
    Checkpoint: "evsup_checkpoint",
    Ownership: "evsup_ownership",
    Term: "evsup_ownership",
    SupervisorRow: "evsup_supervisor",
}
SHOWN = 60  # characters of a value that a message shows

_FIX = "Something other than evsup wrote it: stop all supervisors of the group, and restore the value."
_FIXES: dict[type, str] = {
    SupervisorRow: "Something other than evsup wrote it: delete it. A running supervisor writes its own again."
}
_COLUMN = re.compile(r" - at `\$\.(\w+)`$")
_NAMES = {"int": "a whole number", "float": "a number", "str": "text", "null": "nothing", "|": "or"}


def read_row(kind: type[Stored], row: Row) -> Stored:
    """The row as a value. Raises DataRefused, with table, row and column, when it cannot be read."""
    try:
        return msgspec.convert(row, kind)
    except (msgspec.ValidationError, ValueError) as error:  # a decimal that signals is no ValidationError
        what = f"The row of {_name(row)} in {_TABLES[kind]} cannot be read"
        raise DataRefused(what, _reason(str(error), row), _FIXES.get(kind, _FIX)) from error


def _name(row: Row) -> str:
    key = "partition_id" if "partition_id" in row else "owner_id"
    return f"{key} {row[key]!r:.{SHOWN}}"


def _reason(text: str, row: Row) -> str:
    """In plain English: `epoch is 'abc': expected a whole number, got text`."""
    column = _COLUMN.search(text)
    if column is None:
        return text
    reason = text[: column.start()].replace("`", "").replace("Expected", "expected")
    reason = re.sub(r"\b(int|float|str|null)\b|\|", lambda word: _NAMES[word[0]], reason)
    return f"{column[1]} is {row[column[1]]!r:.{SHOWN}}: {reason}"

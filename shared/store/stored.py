"""Rows of the control tables as anybody may have left them: what evsup writes, or refused.

SQLite stores what it is given, and every database what a person types into an UPDATE. A row with one damaged column is
refused whole: a position beside a broken epoch is nobody's.
"""

import re
from typing import TypeVar

import msgspec

from shared.errors import DataRefused
from shared.store.database import Row
from shared.store.types import Checkpoint, Ownership, SupervisorRow, Term

Stored = TypeVar("Stored", Checkpoint, Ownership, SupervisorRow, Term)

_TABLES = {
    Checkpoint: "evsup_checkpoint",
    Ownership: "evsup_ownership",
    Term: "evsup_ownership",
    SupervisorRow: "evsup_supervisor",
}
_COLUMN = re.compile(r" - at `\$\.(\w+)`$")


def read_row(kind: type[Stored], row: Row) -> Stored:
    """The row as a value. Raises DataRefused, which names table, row and column, when it is none."""
    try:
        return msgspec.convert(row, kind)
    except msgspec.ValidationError as error:
        raise DataRefused(
            f"The row of {_name(row)} in {_TABLES[kind]} cannot be read",
            _reason(str(error), row),
            "Somebody else wrote it: stop all supervisors of the group, and put back what stood there.",
        ) from error


def _name(row: Row) -> str:
    return f"partition {row['partition_id']!r}" if "partition_id" in row else f"supervisor {row['owner_id']!r}"


def _reason(text: str, row: Row) -> str:
    """`epoch is 'abc': expected int, got str`."""
    column = _COLUMN.search(text)
    if column is None:
        return text
    reason = text[: column.start()].replace("`", "")
    return f"{column[1]} is {row[column[1]]!r}: {reason[0].lower()}{reason[1:]}"

"""Whether rows fit the target table: pure comparison of its columns with those of evsup's rows, and the SQL that helps.

What `DESCRIBE TABLE` says: https://docs.snowflake.com/en/sql-reference/sql/desc-table
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from shared.identifier import quoted
from shared.snowflake import Column

WIDEST_TEXT = 16_777_216
LEAST_DIGITS = 19  # of a sequence number, which has 64 bits

_TYPE = re.compile(r"([A-Z_]+)(?:\((\d+)(?:,\s*(\d+))?\))?")


class Stored(NamedTuple):
    """A column of the table as it is."""

    name: str
    type: str
    is_nullable: bool
    has_default: bool


class Misfit(NamedTuple):
    """Why rows would be rejected, and the statement that helps."""

    problem: str
    statement: str
    some_rows: bool = False
    """Only some: those with a longer text, say."""


def misfits(stored: Sequence[Stored], wanted: Sequence[Column], table: str) -> Iterator[Misfit]:
    """Everything that does not fit. `table` is the quoted name for the statements."""
    found = {column.name: column for column in stored}
    for column in wanted:
        yield from _of_wanted(column, found, f"ALTER TABLE {table}")
    ours = {column.name for column in wanted}
    for other in stored:
        if other.name not in ours and not other.is_nullable and not other.has_default:
            yield _not_null(other.name, f"ALTER TABLE {table}")


def _of_wanted(column: Column, found: Mapping[str, Stored], alter: str) -> Iterator[Misfit]:
    stored = found.get(column.name)
    if stored is None:
        yield Misfit(f"there is no column {column.name}", f"{alter} ADD COLUMN {quoted(column.name)} {column.type};")
        return
    if not _takes(stored.type, column.type):
        rename = f"{alter} RENAME COLUMN {quoted(column.name)} TO {quoted(column.name + '_OLD')};"
        add = f"{alter} ADD COLUMN {quoted(column.name)} {column.type};"
        yield Misfit(f"{column.name} is {stored.type}, not {column.type}", f"{rename} {add}")
    elif _is_narrow(stored.type):
        widen = f"{alter} ALTER COLUMN {quoted(column.name)} SET DATA TYPE VARCHAR;"
        yield Misfit(f"{column.name} is {stored.type}: longer texts are rejected", widen, some_rows=True)
    if not (stored.is_nullable or column.is_required):
        yield _not_null(column.name, alter)


def _takes(stored: str, wanted: str) -> bool:
    """Whether every value of our type fits into theirs, lengths aside."""
    ours, theirs = _TYPE.match(wanted), _TYPE.match(stored)
    if ours is None or theirs is None or ours[1] != theirs[1]:
        return False
    return theirs[1] != "NUMBER" or int(theirs[2] or 38) - int(theirs[3] or 0) >= LEAST_DIGITS


def _is_narrow(stored: str) -> bool:
    found = _TYPE.match(stored)
    return found is not None and found[1] == "VARCHAR" and int(found[2] or WIDEST_TEXT) < WIDEST_TEXT


def _not_null(name: str, alter: str) -> Misfit:
    statement = f"{alter} ALTER COLUMN {quoted(name)} DROP NOT NULL;"
    return Misfit(f"{name} is NOT NULL, and evsup does not fill it in every row", statement)

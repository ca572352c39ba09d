"""Compares the columns of the target table with those of evsup's rows, and names the SQL that makes rows fit.

What `DESCRIBE TABLE` returns: https://docs.snowflake.com/en/sql-reference/sql/desc-table
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from shared.config.formats.identifier import quoted
from shared.snowflake.tables import COUNTED_BY, EVSUP, Column
from shared.snowflake.target_table import BODY
from supervisor.target.column_type import collation, holds, is_same

# Snowflake's own pages differ: the one on pipes says that a pipe supports such columns, an older one on limitations
# that matching by name writes NULL over the default.
# https://docs.snowflake.com/en/user-guide/snowpipe-streaming/snowpipe-streaming-pipe-object
# https://docs.snowflake.com/en/user-guide/snowpipe-streaming/snowpipe-streaming-high-performance-limitations
TRY = "docs/target-table.md#columns-with-a-default says how to try it."
# What `evsup verify` and the quarantine read. A policy changes what they see, and nothing of what is stored.
# https://docs.snowflake.com/en/user-guide/security-column-intro
_READ = frozenset((*COUNTED_BY, *BODY, EVSUP))
_CURRENT_TIME = re.compile(r"CURRENT_|LOCALTIME|SYSDATE|SYSTIMESTAMP|GETDATE", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class StoredColumn:
    """A column that the table has."""

    name: str
    type: str
    is_nullable: bool = True
    default: str | None = None
    """Also `IDENTITY START …` of an IDENTITY column."""
    is_computed: bool = False
    policy: str | None = None
    """The masking policy that decides which of its values a role may see."""


@dataclass(frozen=True, slots=True)
class Misfit:
    """Why rows would be rejected or lose something, and the fix: a statement, or where to read on."""

    problem: str
    fix: str
    is_doubtful: bool = False
    """It may do no harm: only longer values are rejected, for example, or the vendor's pages differ."""


def misfits(
    stored: Sequence[StoredColumn], wanted: Sequence[Column], table: str, filled: Collection[str] | None = None
) -> Iterator[Misfit]:
    """Everything that does not fit. `table` is its quoted name, for the statements.

    `filled` are the columns that a named pipe gives values to; None: columns are matched by name, and Snowflake drops a
    field without a column and does not count it.
    """
    found, alter = {column.name: column for column in stored}, f"ALTER TABLE {table}"
    yield from _missing([column for column in wanted if column.name not in found], found, alter)
    for column in wanted:
        if column.name in found:
            yield from _in_our_column(column, found[column.name], alter, filled)
    ours = {column.name for column in wanted}
    for other in stored:
        if other.name not in ours and not other.is_computed:
            yield from _in_other_column(other, alter, filled)


def _missing(columns: Sequence[Column], found: Mapping[str, StoredColumn], alter: str) -> Iterator[Misfit]:
    """The fix renames columns that differ in case only, and adds all others in one statement."""
    alike = {name.upper(): name for name in found}
    for column in columns:
        if name := alike.get(column.name):
            rename = f"{alter} RENAME COLUMN {quoted(name)} TO {quoted(column.name)};"
            yield Misfit(f"there is no column {column.name}, only {quoted(name)}", rename)
    if absent := [column for column in columns if column.name not in alike]:
        names = ", ".join(column.name for column in absent)
        added = ", ".join(f"{quoted(column.name)} {column.type}" for column in absent)
        yield Misfit(f"there is no column {names}", f"{alter} ADD COLUMN {added};")


def _in_our_column(
    column: Column, stored: StoredColumn, alter: str, filled: Collection[str] | None
) -> Iterator[Misfit]:
    if stored.is_computed:
        problem = f"{column.name} is computed by Snowflake, and nothing can be loaded into it"
        yield Misfit(problem, replacing(column, alter))
    elif not holds(stored.type, column.type):
        yield _wrong_type(column, stored, alter)
    # A column that each row fills never gets its default.
    if filled is None and stored.default is not None and not column.is_required:
        drop = f"{alter} ALTER COLUMN {quoted(column.name)} DROP DEFAULT;"
        yield Misfit(f"{column.name} has a DEFAULT, which an event without a value may get", drop, is_doubtful=True)
    if not (stored.is_nullable or column.is_required):
        yield _not_null(column.name, alter)
    if stored.policy and column.name in _READ:
        problem = f"{column.name} has the masking policy {stored.policy}, and `evsup verify` and the quarantine read it"
        yield Misfit(problem, "Let the policy show SNOWFLAKE_ROLE each value as it is.", is_doubtful=True)


def _wrong_type(column: Column, stored: StoredColumn, alter: str) -> Misfit:
    """Text or bytes that are too long are rejected. In a column of another type any value may change."""
    if not (column.type in ("VARCHAR", "BINARY") and is_same(stored.type, column.type)):
        return Misfit(f"{column.name} is {stored.type}, not {column.type}", replacing(column, alter))
    # What can be made longer: https://docs.snowflake.com/en/sql-reference/sql/alter-table-column
    widen = f"{alter} ALTER COLUMN {quoted(column.name)} SET DATA TYPE {column.type}{collation(stored.type)};"
    return Misfit(f"{column.name} is {stored.type}: longer values are rejected", widen, is_doubtful=True)


def _in_other_column(other: StoredColumn, alter: str, filled: Collection[str] | None) -> Iterator[Misfit]:
    """A column that evsup has no value for."""
    if filled is not None and other.name in filled:
        return
    if other.default is None:
        if not other.is_nullable:
            yield _not_null(other.name, alter)
    elif filled is None:
        yield Misfit(_default_in_doubt(other), TRY, is_doubtful=True)


def _default_in_doubt(other: StoredColumn) -> str:
    kind = "is an IDENTITY column" if (other.default or "").upper().startswith("IDENTITY") else "has a DEFAULT"
    then = "it stays NULL" if other.is_nullable else "every row is rejected, because it is NOT NULL"
    text = f"{other.name} {kind}: some accounts use it, others write NULL instead; with NULL, {then}"
    if _CURRENT_TIME.search(other.default or ""):
        text += "; where it is used, the time is the one at which Snowflake compiled the pipe, not that of the row"
    return text


def replacing(column: Column, alter: str) -> str:
    """Keeps the old column under another name, because Snowflake cannot change its type."""
    rename = f"{alter} RENAME COLUMN {quoted(column.name)} TO {quoted(column.name + '_OLD')};"
    return f"{rename} {alter} ADD COLUMN {quoted(column.name)} {column.type};"


def _not_null(name: str, alter: str) -> Misfit:
    statement = f"{alter} ALTER COLUMN {quoted(name)} DROP NOT NULL;"
    return Misfit(f"{name} is NOT NULL, and evsup does not fill it in every row", statement)

"""Which columns of the target table rows were made for, and what a later check says that the table has lost.

Snowflake drops a field that has no column, and counts nothing. And a table that is replaced, or swapped with another,
takes the rows of the one before with it: channels go on, or begin anew in the other one. So the columns that rows are
made for, and the time at which their table was created, are kept and compared: in memory while a tree runs
(`supervisor.process.table_watch`), and beside the checkpoint for the one that comes after it (`worker.column_record`).
"""

from collections.abc import Iterator, Sequence

import msgspec
from msgspec.structs import replace

from shared.errors import RowsDoNotFit
from shared.ipc.messages import TableColumns
from shared.snowflake.tables import EVSUP


class MadeFor(msgspec.Struct, frozen=True):
    """What the rows of a partition are made for."""

    table: str
    pipe: str
    columns: TableColumns

    @property
    def text(self) -> str:
        """As it is kept."""
        return msgspec.json.encode(self).decode()

    def lost_since(self, text: str | None) -> RowsDoNotFit | None:
        """Why rows that were made for the kept `text` may lack values; None: nothing is lost, or nothing was kept.

        Of another table nothing is known. Another pipe matches names in its own way, so its case says nothing. Rows of
        another format fill other columns: what one of them fills no more is lost only if the table has it no more.
        """
        before, now = self._before(text), self.columns
        if before is None:
            return None
        is_other_format = (EVSUP in before.columns.names) != (EVSUP in now.names)
        was_case_sensitive = before.columns.are_case_sensitive or before.pipe != self.pipe or is_other_format
        if is_other_format:
            now = replace(now, names=tuple(name for name, _ in now.order))
        return loss(replace(before.columns, are_case_sensitive=was_case_sensitive), now)

    def replaces(self, text: str | None) -> bool:
        """Whether the rows that were made for the kept `text` are in a former table of this name."""
        before = self._before(text)
        return before is not None and is_other_table(before.columns, self.columns)

    def _before(self, text: str | None) -> "MadeFor | None":
        """What is kept in `text`, if it is of a table of this name."""
        before = made_for(text)
        return before if before and before.table == self.table else None


def made_for(text: str | None) -> MadeFor | None:
    """What is kept in `text`; None: nothing, or what another version of evsup keeps."""
    try:
        return msgspec.json.decode(text or "", type=MadeFor)
    except (msgspec.DecodeError, RecursionError):
        return None


def loss(before: TableColumns, now: TableColumns) -> RowsDoNotFit | None:
    """Why rows that were made for the columns of `before` may lack values: the table is another one, or one of them is
    not there any more, or was not there for a while, or the pipe does not match its name with their keys any more.
    """
    if is_other_table(before, now):
        return RowsDoNotFit(
            "The target table was replaced by another one of its name while rows were loaded",
            f"it was created at {now.created}, and rows were loaded into one that was created at {before.created}",
            "Start again to go on with it, also after a failover to a replica:"
            " docs/target-table.md#a-table-that-is-replaced says how to fill it.",
        )
    if not (before.are_case_sensitive or now.are_case_sensitive):
        now = _respelled(now, before)
    what = "The target table has lost columns while rows were loaded"
    as_it_is = f"start as it is: {EVSUP}:unknown then takes"
    if gone := sorted(set(before.names).difference(now.names)):
        why = f"there is no column {', '.join(gone)} any more"
        return RowsDoNotFit(what, why, f"Add it again, or {as_it_is} its values.")
    if again := sorted({*_moved(before, now), *_retyped(before, now)}.intersection(before.names)):
        why = f"the column {', '.join(again)} was dropped and added again"
        return RowsDoNotFit(what, why, "Start again.")
    if now.are_case_sensitive and not before.are_case_sensitive:
        why = "the pipe now matches keys with names by their case, too"
        what = "The pipe has lost keys while rows were loaded"
        return RowsDoNotFit(what, why, f"Change it back, or {as_it_is} them.")
    return None


def is_other_table(before: TableColumns, now: TableColumns) -> bool:
    """Whether it is known that both are different tables, whatever their names. Renaming creates none."""
    return bool(before.created and now.created) and before.created != now.created


def _respelled(now: TableColumns, before: TableColumns) -> TableColumns:
    """The columns under their former names, where these differ in case alone: the pipe matches either with a key."""
    there, known = {name for name, _ in now.order}, {name for name, _ in before.order}
    former = {name.upper(): name for name in known - there if name.isascii()}

    def of(name: str) -> str:
        return name if name in known else former.get(name.upper(), name)

    order = tuple((of(name), kind) for name, kind in now.order)
    return replace(now, names=tuple(map(of, now.names)), order=order)


def _moved(before: TableColumns, now: TableColumns) -> Sequence[str]:
    """The columns that are behind one that was added since: Snowflake adds each at the end of the table. The last
    columns of a table cannot be told from those that stayed.
    """
    places = {name: place for place, (name, _) in enumerate(before.order)}
    names = [name for name, _ in now.order]
    at = -1
    for count, name in enumerate(names):
        if places.get(name, -1) <= at:
            return names[count:]
        at = places[name]
    return ()


def _retyped(before: TableColumns, now: TableColumns) -> Iterator[str]:
    """The columns of another type than before: Snowflake makes a column longer, and changes no type.

    https://docs.snowflake.com/en/sql-reference/sql/alter-table-column
    """
    types = dict(before.order)
    return (name for name, kind in now.order if types.get(name, kind) != kind)

"""Which columns of the target table rows were made for, and what a later look at the table says that they have lost.

Snowflake drops a field that has no column, and counts nothing. So the columns that rows are made for are kept and
compared: in memory while a tree runs (`supervisor.process.table_monitor`), and beside the checkpoint for the one that
comes after it (`worker.column_record`).
"""

from collections.abc import Iterator, Sequence

import msgspec

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

        Of another table nothing is known. Another pipe matches names in its own way, so its case says nothing.
        """
        before = made_for(text)
        if before is None or before.table != self.table:
            return None
        was_case_sensitive = before.columns.are_case_sensitive or before.pipe != self.pipe
        return loss(msgspec.structs.replace(before.columns, are_case_sensitive=was_case_sensitive), self.columns)


def made_for(text: str | None) -> MadeFor | None:
    """What is kept in `text`; None: nothing, or what another version of evsup keeps."""
    try:
        return msgspec.json.decode(text or "", type=MadeFor)
    except msgspec.DecodeError:
        return None


def loss(before: TableColumns, now: TableColumns) -> RowsDoNotFit | None:
    """Why rows that were made for the columns of `before` may lack values: one of them is not there any more, or was
    not there for a while, or the pipe does not match its name with their keys any more.
    """
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

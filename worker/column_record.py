"""The columns that the rows of a partition are made for, kept beside its checkpoint.

A tree that runs checks its table every 30 s. What is dropped after the last check of a tree that is killed is noticed
by whoever opens the partition next: it compares the table with what is kept here.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from shared.config.settings import SnowflakeSettings
from shared.errors import NotPermitted, RowsDoNotFit
from shared.ipc.messages import TableColumns
from shared.log.logger import get_logger
from shared.model import Checkpoint
from shared.snowflake.column_loss import MadeFor, made_for
from shared.snowflake.tables import table_name

AFTER_A_REPLACEMENT = "docs/target-table.md#a-table-that-is-replaced says how to fill it."
HOW_TO_MEND = "docs/columns.md#a-column-that-was-lost-before-a-start says how to fill them in."

log = get_logger()


class ColumnStore(Protocol):
    """What this needs of a `shared.control.store.ControlStore`."""

    def record_columns(self, checkpoint: Checkpoint, actor: str, lost: str | None = None) -> None:
        """Write `target_columns` and `checked_up_to` of a checkpoint; `lost` goes into an audit row."""

    def save_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Write all else of it, unless the stored one has a newer epoch."""


class ColumnRecord:
    """Of one partition. `make_rows_for` has later rows made for some columns.

    Without columns, because nobody checks the table, what is kept stays as it is.
    """

    def __init__(
        self,
        settings: SnowflakeSettings,
        store: ColumnStore,
        columns: TableColumns | None,
        make_rows_for: Callable[[TableColumns], None],
    ) -> None:
        self._table, self._pipe, self._store = table_name(settings), settings.pipe_name, store
        self._make_rows_for = make_rows_for
        self.columns = columns
        """Those of the newest check of the table."""
        self._kept: str | None = None

    @property
    def text(self) -> str | None:
        """What is to be kept before rows are made for the newest columns."""
        return MadeFor(self._table, self._pipe, self.columns).text if self.columns else None

    def begin(self, stored: Checkpoint, durable_up_to: int | None) -> Checkpoint:
        """The stored checkpoint with the columns that rows are made for from now on, written before the first of them.

        What the rows up to now have lost is logged, and kept in an audit row. That ends nothing: no later row loses
        anything, because it is made for the columns as they are.
        """
        columns = self.columns  # the loop may learn others meanwhile
        if columns is None:
            self._kept = stored.target_columns
            return stored
        now = MadeFor(self._table, self._pipe, columns)
        if now.replaces(stored.target_columns):
            log.warning("table_replaced", up_to=durable_up_to, created=columns.created, how=AFTER_A_REPLACEMENT)
        lost = now.lost_since(stored.target_columns)
        is_known = lost is None and stored.target_columns is not None
        begun = replace(
            stored, target_columns=now.text, checked_up_to=stored.checked_up_to if is_known else durable_up_to
        )
        action = _told(lost, stored, durable_up_to) if lost else None
        if begun != stored:
            self._record(begun, action)
        self._kept = now.text
        self._make_rows_for(columns)
        return begun

    def save(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint. Where it has other columns than the last one, rows are made for them from then on."""
        if checkpoint.target_columns != self._kept and (known := made_for(checkpoint.target_columns)):
            # Kept before the first row is made for them: after a crash the next owner asks what rows were made for.
            self._record(checkpoint, None)
            self._kept = checkpoint.target_columns
            self._make_rows_for(known.columns)
        self._store.save_checkpoint(checkpoint)

    def _record(self, checkpoint: Checkpoint, lost: str | None) -> None:
        actor = f"worker of epoch {checkpoint.epoch}"
        try:
            self._store.record_columns(checkpoint, actor, lost)
        except NotPermitted as error:
            if lost is None:
                raise
            # An audit row needs a grant that a start does not. The log has said the same.
            log.warning("audit_row_not_written", reason=str(error))
            self._store.record_columns(checkpoint, actor)


def _told(lost: RowsDoNotFit, stored: Checkpoint, durable_up_to: int | None) -> str | None:
    """Log which rows may lack values; the same for an audit row. None: no row was loaded since the last check."""
    known = stored.begins_after if stored.checked_up_to is None else stored.checked_up_to
    first, last = 0 if known is None else known + 1, durable_up_to
    if last is None or last < first:
        return None
    again = f"evsup replay --partition {stored.partition_id} --from {first} --to {last}"
    log.error("columns_lost", reason=lost.why, first=first, last=last, fix=f"`{again}`: {HOW_TO_MEND}")
    return f"{lost.why}: events {first} to {last} may be affected"

"""Who opens a partition says which rows may lack values, keeps its columns first, and goes on."""

from dataclasses import replace
from typing import Any

import pytest
from msgspec import structs

from shared.errors import NotPermitted, StoreUnavailable
from shared.ipc.messages import TableColumns
from shared.model import Checkpoint
from shared.snowflake.column_loss import MadeFor
from shared.snowflake.tables import table_name
from tests.unit.captured_log import capture_logs
from tests.unit.plain_settings import snowflake
from worker.column_record import ColumnRecord

SETTINGS = snowflake(row_format="columns")


def of(*names: str) -> TableColumns:
    return TableColumns(names=names, order=tuple((name, "VARCHAR") for name in names))


def text(*names: str) -> str:
    return MadeFor(table_name(SETTINGS), SETTINGS.pipe_name, of(*names)).text


class StandInStore:
    """Keeps the order of what is written; raises `failure` as long as there is one."""

    def __init__(self) -> None:
        self.written: list[tuple[str | None, int | None, str | None]] = []
        self.saved: list[int | None] = []
        self.failure: Exception | None = None
        self.may_audit = True

    def record_columns(self, checkpoint: Checkpoint, actor: str, lost: str | None = None) -> None:
        if self.failure:
            raise self.failure
        if lost and not self.may_audit:
            raise NotPermitted("No audit row can be written")
        self.written.append((checkpoint.target_columns, checkpoint.checked_up_to, lost))

    def save_checkpoint(self, checkpoint: Checkpoint) -> None:
        self.saved.append(checkpoint.sequence_number)


@pytest.fixture
def store() -> StandInStore:
    return StandInStore()


def record(store: StandInStore, *names: str, made: list[TableColumns] | None = None) -> ColumnRecord:
    rows_for = [] if made is None else made
    return ColumnRecord(SETTINGS, store, of(*names) if names else None, rows_for.append)


def begun(store: StandInStore, stored: Checkpoint, durable: int | None, *names: str) -> tuple[Checkpoint, Any]:
    """The checkpoint with these columns, and the line of what was lost."""
    with capture_logs() as lines:
        checkpoint = record(store, *names).begin(stored, durable)
    return checkpoint, next((line for line in lines if line["event"] == "columns_lost"), None)


def kept(*names: str, checked: int | None = 12) -> Checkpoint:
    return Checkpoint("3", 15, None, 2, checked_up_to=checked, target_columns=text(*names))


def test_a_first_start_keeps_the_columns_and_knows_nothing_of_the_rows_before(store: StandInStore) -> None:
    checkpoint, told = begun(store, Checkpoint("3", 15, None, 2), 20, "A", "B")
    assert told is None
    assert store.written == [(text("A", "B"), 20, None)]
    assert (checkpoint.target_columns, checkpoint.checked_up_to) == (text("A", "B"), 20)


def test_a_column_that_is_gone_is_told_with_the_rows_since_the_last_look_and_how_to_read_them_again(
    store: StandInStore,
) -> None:
    checkpoint, told = begun(store, kept("A", "B"), 20, "A")
    assert told["reason"] == "there is no column B any more"
    assert (told["first"], told["last"]) == (13, 20)
    assert "`evsup replay --partition 3 --from 13 --to 20`" in told["fix"]
    assert "docs/columns.md#" in told["fix"]
    assert store.written == [(text("A"), 20, "there is no column B any more: events 13 to 20 may be affected")]
    assert begun(store, checkpoint, 20, "A")[1] is None, "it is told once"


def test_a_table_that_was_replaced_is_told_although_every_row_before_was_looked_at(store: StandInStore) -> None:
    older, newer = (structs.replace(of("A"), created=time) for time in ("2026-01-30", "2026-01-31"))
    kept_text = MadeFor(table_name(SETTINGS), SETTINGS.pipe_name, older).text
    stored, rows_for = Checkpoint("3", 20, None, 2, checked_up_to=20, target_columns=kept_text), list[TableColumns]()
    with capture_logs() as lines:
        checkpoint = ColumnRecord(SETTINGS, store, newer, rows_for.append).begin(stored, 20)
    assert [(line["event"], line["up_to"], line["created"]) for line in lines] == [("table_replaced", 20, "2026-01-31")]
    assert "docs/target-table.md#a-table-that-is-replaced" in lines[0]["how"]
    with capture_logs() as lines:
        ColumnRecord(SETTINGS, store, newer, rows_for.append).begin(checkpoint, 20)
    assert not lines, "it is told once"


def test_a_role_that_may_write_no_audit_row_starts_all_the_same(store: StandInStore) -> None:
    store.may_audit = False
    assert begun(store, kept("A", "B"), 20, "A")[1]
    assert store.written == [(text("A"), 20, None)]


@pytest.mark.parametrize(("checked", "begins_after", "first"), [(None, None, 0), (None, 7, 8), (0, None, 1)])
def test_the_rows_in_doubt_begin_after_the_last_look_else_with_the_channel(
    store: StandInStore, checked: int | None, begins_after: int | None, first: int
) -> None:
    stored = replace(kept("A", "B", checked=checked), begins_after=begins_after)
    assert begun(store, stored, 20, "A")[1]["first"] == first


@pytest.mark.parametrize("durable", [12, 5, None])
def test_a_column_that_was_dropped_while_nothing_ran_has_lost_nothing(store: StandInStore, durable: int | None) -> None:
    checkpoint, told = begun(store, kept("A", "B"), durable, "A")
    assert told is None
    assert store.written == [(text("A"), durable, None)]
    assert checkpoint.target_columns == text("A")


def test_what_is_as_it_was_is_not_written_again_and_stays_in_doubt_until_a_look(store: StandInStore) -> None:
    stored = kept("A", "B")
    assert begun(store, stored, 20, "A", "B")[0] == stored
    assert store.written == []


def test_where_nobody_looks_at_the_table_nothing_is_written(store: StandInStore) -> None:
    stored = kept("A", "B")
    unseen = record(store)
    assert unseen.begin(stored, 20) == stored
    unseen.save(stored)
    assert (store.written, store.saved) == ([], [15])


def test_rows_are_made_for_a_new_column_once_the_store_has_kept_it(store: StandInStore) -> None:
    made: list[TableColumns] = []
    columns = record(store, "A", made=made)
    checkpoint = columns.begin(Checkpoint("3", 15, None, 2), 15)
    columns.columns = of("A", "B")
    columns.save(checkpoint)
    assert made == [of("A")]
    store.failure = StoreUnavailable("away")
    later = replace(checkpoint, sequence_number=16, target_columns=columns.text)
    with pytest.raises(StoreUnavailable):
        columns.save(later)
    assert made == [of("A")]
    store.failure = None
    columns.save(later)
    columns.save(later)
    assert made == [of("A"), of("A", "B")]
    assert store.written[1:] == [(text("A", "B"), 15, None)]
    assert store.saved == [15, 16, 16]

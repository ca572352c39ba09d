"""A row of the control store that somebody else wrote or damaged is refused by its name, and never half believed."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.control import schema
from shared.control.rows import read_row
from shared.control.sqlite import SqliteDatabase
from shared.control.store import ControlStore
from shared.errors import ConfigurationError, DataRefused
from shared.model import Checkpoint, ConsumerGroup, Ownership, SupervisorRow
from tests.unit.shared.control.stores import EXPIRATION_S, GROUP

MOST = 2**63 - 1

Read = Callable[[ControlStore], object]
TABLES: dict[str, Read] = {
    "evsup_checkpoint": lambda store: store.checkpoints(),
    "evsup_ownership": lambda store: store.ownerships(),
    "evsup_supervisor": lambda store: store.supervisors(),
}
NUMBERS = {
    "evsup_checkpoint": (
        "sequence_number",
        "epoch",
        "rows_error_count",
        "channel_generation",
        "opened_generation",
        "begins_after",
    ),
    "evsup_ownership": ("epoch",),
    "evsup_supervisor": ("pid", "capacity"),
}
TIMES = {
    "evsup_checkpoint": ("hub_created_at", "updated_at", "enqueued_at"),
    "evsup_ownership": ("last_modified_time",),
    "evsup_supervisor": ("last_seen",),
}
TEXTS = {
    "evsup_checkpoint": ("partition_id", '"offset"'),
    "evsup_ownership": ("partition_id", "owner_id", "etag"),
    "evsup_supervisor": ("owner_id", "host", "version"),
}


class Damaged:
    """A store with one row in each table, and a way around it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.store = ControlStore(SqliteDatabase(str(path)), GROUP, EXPIRATION_S)
        self.store.initialise()
        self.store.claim("0", "a", EXPIRATION_S)
        self.store.heartbeat(SupervisorRow("a", "host", 4711, None, "0.1.0"))

    def put(self, table: str, column: str, value: object) -> None:
        """Write it over what stands there."""
        with closing(sqlite3.connect(self._path, isolation_level=None)) as connection:
            connection.execute(f"UPDATE {table} SET {column} = ?", [value])  # noqa: S608


@pytest.fixture
def damaged(tmp_path: Path) -> Iterator[Damaged]:
    made = Damaged(tmp_path / "control.db")
    yield made
    made.store.close()


def of(columns: dict[str, tuple[str, ...]]) -> list[tuple[str, str]]:
    return [(table, column) for table, names in columns.items() for column in names]


@pytest.mark.parametrize("value", ["twelve", "", b"\xff", 1.5, -5, MOST, float("inf")])
@pytest.mark.parametrize(("table", "column"), of(NUMBERS))
def test_what_is_no_count_is_refused_with_table_row_and_column(
    damaged: Damaged, table: str, column: str, value: object
) -> None:
    damaged.put(table, column, value)
    with pytest.raises(
        DataRefused,
        match=f"'(0|a)' in {table} cannot be read: {column} is .*: expected a whole number.*(restore the|delete it)",
    ):
        TABLES[table](damaged.store)


@pytest.mark.parametrize("value", ["yesterday", "", b"\xff", float("inf"), -1e300, 9e18])
@pytest.mark.parametrize(("table", "column"), of(TIMES))
def test_what_is_no_time_is_refused(damaged: Damaged, table: str, column: str, value: object) -> None:
    damaged.put(table, column, value)
    with pytest.raises(DataRefused, match=f"in {table} cannot be read"):
        TABLES[table](damaged.store)


@pytest.mark.parametrize("value", ["a minute", b"\xff", 0, -60.0, float("inf"), 1e300])
@pytest.mark.parametrize("table", ["evsup_ownership", "evsup_supervisor"])
def test_what_is_no_expiration_is_refused(damaged: Damaged, table: str, value: object) -> None:
    damaged.put(table, "expiration_s", value)
    with pytest.raises(DataRefused, match=f"in {table} cannot be read: expiration_s is "):
        TABLES[table](damaged.store)


@pytest.mark.parametrize(("table", "column"), of(TEXTS))
def test_bytes_are_no_text(damaged: Damaged, table: str, column: str) -> None:
    damaged.put(table, column, b"\xff\x00")
    with pytest.raises(DataRefused, match=r"expected text.*, got bytes"):
        TABLES[table](damaged.store)


@pytest.mark.parametrize("value", ["twelve", b"\xff", 1.5, MOST])
def test_a_partition_whose_checkpoint_has_no_epoch_is_refused_to_who_claims_it(damaged: Damaged, value: object) -> None:
    damaged.put("evsup_checkpoint", "epoch", value)
    damaged.put("evsup_ownership", "last_modified_time", time.time() - 2 * EXPIRATION_S)
    with pytest.raises(DataRefused, match="epoch is"):
        damaged.store.claim("0", "b", EXPIRATION_S)
    assert damaged.store.ownerships()[0].owner_id == "a", "the claim was rolled back"


@pytest.mark.parametrize("value", ["yesterday", b"\xff", float("inf"), 9e18])
def test_a_lease_whose_time_is_none_never_ends_by_itself(damaged: Damaged, value: object) -> None:
    damaged.put("evsup_ownership", "last_modified_time", value)
    assert damaged.store.claim("0", "b", EXPIRATION_S) is None


def test_a_checkpoint_of_another_namespace_is_never_seen(damaged: Damaged) -> None:
    other = ConsumerGroup("other.servicebus.windows.net", GROUP.eventhub_name, GROUP.consumer_group)
    damaged.put("evsup_checkpoint", "fully_qualified_namespace", other.fully_qualified_namespace)
    assert damaged.store.load_checkpoint("0") is None


@pytest.mark.parametrize("value", ["two", b"\xff", 1.5, -1, schema.VERSION + 1])
def test_tables_of_no_version_that_ever_was_are_refused(damaged: Damaged, value: object) -> None:
    damaged.put("evsup_schema", "version", value)
    for call in (damaged.store.check, damaged.store.initialise):
        with pytest.raises(ConfigurationError, match="they have version"):
            call()


ANYTHING = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.decimals()


@given(st.sampled_from([Checkpoint, Ownership, SupervisorRow]), st.data())
def test_any_row_is_a_value_with_its_bounds_or_refused(kind: Any, data: st.DataObject) -> None:
    row = data.draw(st.fixed_dictionaries(dict.fromkeys(kind.__dataclass_fields__, ANYTHING)))
    with suppress(DataRefused):
        value = read_row(kind, row)
        plain = {name: float(each) if isinstance(each, Decimal) else each for name, each in row.items()}
        assert {name: getattr(value, name) for name in row} == plain

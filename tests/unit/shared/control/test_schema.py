"""Tables of an older evsup in a database that commits every statement as it runs, as Snowflake does."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from shared.control import schema
from shared.control.database import Mode, Row, Run
from shared.control.sqlite import SqliteDatabase
from shared.control.store import ControlStore
from shared.errors import PartitionHeld
from tests.unit.shared.control.stores import EXPIRATION_S, GROUP


class OneByOne(SqliteDatabase):
    """Every statement is a transaction of its own."""

    @contextmanager
    def transaction(self, mode: Mode = "write") -> Iterator[Run]:
        def run(name: str, /, **values: Any) -> list[Row]:
            with SqliteDatabase.transaction(self, mode) as statement:
                return statement(name, **values)

        yield run


def test_tables_that_cannot_be_moved_forward_yet_keep_their_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "control.db"
    with closing(ControlStore(SqliteDatabase(str(path)), GROUP, EXPIRATION_S)) as store:
        store.initialise()
        store.claim("0", "a", EXPIRATION_S)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE evsup_ownership SET eventhub_name = 'FLIGHTS'")
        connection.execute("UPDATE evsup_schema SET version = 4")
    for version in (5, 6):
        monkeypatch.setitem(schema.MIGRATIONS, version, ())  # the columns are there
    with closing(OneByOne(str(path))) as database:
        with pytest.raises(PartitionHeld):
            schema.create(database, GROUP)
        assert schema.version(database) == 4
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("UPDATE evsup_ownership SET owner_id = ''")
        assert schema.create(database, GROUP) == 4
        assert schema.version(database) == schema.VERSION

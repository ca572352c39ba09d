"""A transaction that has waited: `now()` is when it began, and others have worked since."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from shared.control import sqlite
from shared.control.database import Mode, Run
from shared.control.sqlite import SqliteDatabase
from shared.control.store import ControlStore
from shared.errors import StoreUnavailable
from shared.model import SupervisorRow, Term
from tests.unit.shared.control.stores import GROUP, Clock, Host

LEASE_S = 5.0
WAITED_S = 11.0


class Waiting(SqliteDatabase):
    """Its transactions begin, and then wait: their first statement runs WAITED_S later."""

    def __init__(self, path: str, clock: Clock) -> None:
        super().__init__(path, Host(clock))
        self._waits = clock

    @contextmanager
    def transaction(self, mode: Mode = "write") -> Iterator[Run]:
        self._waits.move(-WAITED_S)
        with super().transaction(mode) as run:
            self._waits.move(WAITED_S)
            yield run


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def late(tmp_path: Path, clock: Clock) -> Iterator[ControlStore]:
    """A store whose transactions began WAITED_S ago; "a" has claimed partition 0 with one that began just now."""
    path = str(tmp_path / "control.db")
    prompt = ControlStore(SqliteDatabase(path, Host(clock)), GROUP, LEASE_S)
    prompt.initialise()
    assert prompt.claim("0", "a", LEASE_S) == Term("0", "a", 1)
    prompt.heartbeat(SupervisorRow("a", "host", 1, None, "0"))
    prompt.close()
    store = ControlStore(Waiting(path, clock), GROUP, LEASE_S)
    yield store
    store.close()


def test_a_claim_that_waited_takes_no_lease_that_was_renewed_meanwhile(late: ControlStore) -> None:
    assert late.claim("0", "b", LEASE_S) is None


def test_an_azure_sdk_client_that_waited_takes_none_either(late: ControlStore) -> None:
    (row,) = late.ownerships()
    assert late.compare_and_set("0", "b", row.etag) is None


def test_a_look_that_waited_sees_the_owner_and_its_supervisor_live(late: ControlStore) -> None:
    assert [(row.age_s, row.is_live) for row in late.ownerships()] == [(0.0, True)]
    assert [(row.age_s, row.is_live) for row in late.supervisors()] == [(0.0, True)]


def test_a_lease_ends_by_the_clock(late: ControlStore, clock: Clock) -> None:
    clock.move(LEASE_S)
    assert late.claim("0", "b", LEASE_S) == Term("0", "b", 2)


def test_a_call_to_a_disk_that_stands_still_holds_up_no_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "CLOSE_S", 0.01)
    database = SqliteDatabase(str(tmp_path / "control.db"))
    with database.transaction("schema"):
        database.close()  # its lock is held, as by another thread
    with pytest.raises(StoreUnavailable, match="was closed"), database.transaction():
        pass

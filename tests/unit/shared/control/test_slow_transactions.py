"""A transaction that has waited: `now()` is when it began, and others have gone on since."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.control import sqlite
from shared.control.sqlite import SqliteDatabase
from shared.control.store import ControlStore
from shared.model import SupervisorRow, Term
from tests.unit.shared.control.stores import GROUP, Clock

LEASE_S = 5.0
WAITED_S = 11.0


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def late(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[ControlStore]:
    """A store whose transactions began WAITED_S ago; "a" has claimed partition 0 with one that began just now."""
    monkeypatch.setitem(sqlite._FUNCTIONS, ("now", 0), clock)
    monkeypatch.setitem(sqlite._FUNCTIONS, ("clock_timestamp", 0), clock)
    database = SqliteDatabase(str(tmp_path / "control.db"))
    prompt = ControlStore(database, GROUP, LEASE_S)
    prompt.initialise()
    assert prompt.claim("0", "a", LEASE_S) == Term("0", "a", 1)
    prompt.heartbeat(SupervisorRow("a", "host", 1, None, "0"))
    prompt.close()
    monkeypatch.setitem(sqlite._FUNCTIONS, ("now", 0), lambda: clock.now_s - WAITED_S)
    store = ControlStore(SqliteDatabase(str(tmp_path / "control.db")), GROUP, LEASE_S)
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

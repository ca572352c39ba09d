"""Snowflake commits statement by statement: what that means for a claim, and what is one transaction all the same."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread

import pytest

from shared.config.settings import ControlSettings
from shared.control.database import Database, Mode, Row, Run
from shared.control.store import ControlStore
from shared.errors import OwnershipLost, StoreUnavailable
from shared.model import Checkpoint, SupervisorRow, Term
from shared.snowflake.session import SqlSession
from tests.harness.snow.sql import SnowSql
from tests.integration.conftest import EXPIRATION_S, Site, initialised, snowflake_settings_of


@pytest.fixture
def site(snow_server: SnowSql) -> Iterator[Site]:
    """A schema with control tables."""
    account = snowflake_settings_of(snow_server.elsewhere())
    with initialised(ControlSettings(store="snowflake"), account) as made:
        yield made
    snow_server.admin.clear_faults()


# --- a claim and its fence are two commits ----------------------------------------------------------------------------


class Crashing(Database):
    """A database to which something happens just before a query, its connection breaks for example."""

    def __init__(self, database: Database) -> None:
        self.database, self.dialect, self.address = database, database.dialect, database.address
        self.happens_before: dict[str, Callable[[], object]] = {}

    @contextmanager
    def transaction(self, mode: Mode = "write") -> Iterator[Run]:
        with self.database.transaction(mode) as run:

            def until_it_breaks(name: str, /, **values: object) -> list[Row]:
                self.happens_before.pop(name, lambda: None)()
                return run(name, **values)

            yield until_it_breaks

    def close(self) -> None:
        self.database.close()


@pytest.fixture
def crashing(site: Site) -> Crashing:
    return Crashing(site.database())


@pytest.fixture
def unlucky(site: Site, crashing: Crashing) -> ControlStore:
    site.stores.append(ControlStore(crashing, site.group, EXPIRATION_S))
    return site.stores[-1]


def breaks() -> None:
    raise StoreUnavailable("The connection broke")


def claim_without_fence(unlucky: ControlStore, crashing: Crashing) -> None:
    crashing.happens_before["fence"] = breaks
    with pytest.raises(StoreUnavailable):
        unlucky.claim("0", "b", EXPIRATION_S)


def test_an_old_writer_is_true_until_the_fence_and_refused_after_it(
    site: Site, unlucky: ControlStore, crashing: Crashing
) -> None:
    old = site.stores[0]
    assert old.claim("0", "a", EXPIRATION_S) == Term("0", "a", 1)
    site.age(EXPIRATION_S + 5)
    claim_without_fence(unlucky, crashing)
    old.save_checkpoint(Checkpoint("0", 10, "o10", 1))
    assert unlucky.claim("0", "b", EXPIRATION_S) == Term("0", "b", 2)
    with pytest.raises(OwnershipLost, match="epoch 2 owns"):
        old.save_checkpoint(Checkpoint("0", 11, "o11", 1))
    stored = unlucky.load_checkpoint("0")
    assert stored is not None
    assert (stored.sequence_number, stored.epoch) == (10, 2)


def test_one_that_died_before_its_fence_only_delays_the_next(
    site: Site, unlucky: ControlStore, crashing: Crashing
) -> None:
    claim_without_fence(unlucky, crashing)
    next_one = site.stores[0]
    assert next_one.claim("0", "c", EXPIRATION_S) is None
    site.age(EXPIRATION_S + 5)
    assert next_one.claim("0", "c", EXPIRATION_S) == Term("0", "c", 2)


def test_a_fence_that_comes_after_a_newer_one_gives_no_term(
    site: Site, unlucky: ControlStore, crashing: Crashing
) -> None:
    claim_without_fence(unlucky, crashing)
    site.stores[0].save_checkpoint(Checkpoint("0", 10, "o10", 9))
    assert unlucky.claim("0", "b", EXPIRATION_S) is None


# --- what a person does and its audit row are one ---------------------------------------------------------------------


@pytest.fixture
def claimed(unlucky: ControlStore) -> ControlStore:
    assert unlucky.claim("0", "a", EXPIRATION_S) == Term("0", "a", 1)
    unlucky.save_checkpoint(Checkpoint("0", 10, "o10", 1))
    return unlucky


def move(store: ControlStore) -> None:
    store.move_checkpoint(Checkpoint("0", 5, None, 1), "me@here", "set")


def set_aside(store: ControlStore) -> None:
    store.record_quarantine(Checkpoint("0", 15, None, 1, rows_error_count=2), "worker of epoch 1", "quarantined 2 rows")


def position_and_audit(site: Site) -> tuple[int | None, int]:
    stored = site.stores[0].load_checkpoint("0")
    assert stored is not None
    group = f"eventhub_name = '{site.group.eventhub_name}'"
    return stored.sequence_number, len(site.sql(f"SELECT actor FROM evsup_audit WHERE {group}"))  # noqa: S608


@pytest.mark.parametrize(("act", "position"), [(move, 5), (set_aside, 15)])
def test_a_move_without_its_audit_row_is_taken_back(
    site: Site, claimed: ControlStore, crashing: Crashing, act: Callable[[ControlStore], None], position: int
) -> None:
    crashing.happens_before["record_audit"] = breaks
    with pytest.raises(StoreUnavailable):
        act(claimed)
    assert position_and_audit(site) == (10, 0)
    site.stores[0].save_checkpoint(Checkpoint("0", 11, "o11", 1))
    assert position_and_audit(site) == (11, 0)
    act(claimed)
    assert position_and_audit(site) == (position, 1)


def test_a_session_that_is_lost_in_the_middle_takes_the_move_with_it(
    site: Site, claimed: ControlStore, crashing: Crashing, snow_server: SnowSql
) -> None:
    crashing.happens_before["record_audit"] = lambda: snow_server.admin.expire_sessions(master=True)
    with pytest.raises(StoreUnavailable):
        move(claimed)
    assert position_and_audit(site) == (10, 0)


def test_a_lost_reply_of_the_commit_is_asked_for_again(
    site: Site, claimed: ControlStore, snow_server: SnowSql, monkeypatch: pytest.MonkeyPatch
) -> None:
    change = SqlSession.change

    def loses_the_reply(session: SqlSession, statement: str, *values: object) -> int:
        if statement == "COMMIT":
            snow_server.admin.reset("query", served=True)
        return change(session, statement, *values)

    monkeypatch.setattr(SqlSession, "change", loses_the_reply)
    lost = snow_server.admin.fired().get("reset_after", 0)
    move(claimed)
    assert snow_server.admin.fired()["reset_after"] == lost + 1
    assert position_and_audit(site) == (5, 1)


def test_what_another_thread_writes_meanwhile_is_not_taken_back(claimed: ControlStore, crashing: Crashing) -> None:
    other = Thread(target=claimed.heartbeat, args=(SupervisorRow("a", "here", 1, None, "1.0"),))

    def breaks_while_another_waits() -> None:
        other.start()
        other.join(0.5)
        breaks()

    crashing.happens_before["record_audit"] = breaks_while_another_waits
    with pytest.raises(StoreUnavailable):
        move(claimed)
    other.join()
    assert [row.owner_id for row in claimed.supervisors()] == ["a"]

"""Snowflake only: terms in few statements, tables of the wrong kind, and what an account may refuse."""

import multiprocessing
import os
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing.synchronize import Barrier
from pathlib import Path
from time import monotonic
from typing import TypeVar

import pytest
from msgspec import structs

from scripts.harness.waiting import BUSY_S, PATIENCE_S
from scripts.localcloud.cloud import key_pair
from scripts.localcloud.signing.certificate import write_private
from shared.clock import Deadline
from shared.config.settings import ControlSettings
from shared.control.store import ControlStore
from shared.errors import (
    ConfigurationError,
    DataRefused,
    NoControlTables,
    NotPermitted,
    OwnershipLost,
    StoreUnavailable,
    Unsupported,
)
from shared.model import Checkpoint, Term
from shared.snowflake.connector import LOGIN_S
from shared.snowflake.session import SqlSession
from tests.harness.snow.sql import ROLE, SnowSql
from tests.integration.conftest import EXPIRATION_S, Site, snowflake_settings_of

DURABLE = ControlSettings(store="snowflake")
SMOKE = ControlSettings(store="snowflake", ownership_mode="local_single_consumer_smoke")
PROCESSES, PARTITIONS = 20, 32
HOT = 2  # partitions that every process wants first

Result = TypeVar("Result")


@pytest.fixture
def snow(snow_server: SnowSql) -> Iterator[SnowSql]:
    """A schema without tables of ours."""
    yield snow_server.elsewhere()
    snow_server.admin.clear_faults()


@pytest.fixture
def empty(snow: SnowSql) -> Iterator[Site]:
    made = Site(DURABLE, snowflake=snowflake_settings_of(snow))
    yield made
    for store in made.stores:
        store.close()


@pytest.fixture
def site(empty: Site) -> Site:
    empty.open().initialise()
    return empty


def elsewhere(site: Site, **changes: object) -> ControlStore:
    """A store object with other settings of the account."""
    assert site.snowflake is not None
    return replace(site, snowflake=structs.replace(site.snowflake, **changes)).open()


# --- statements -------------------------------------------------------------------------------------------------------


def test_all_terms_are_renewed_in_two_statements(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    store = site.stores[0]
    terms = [term for n in range(5) if (term := store.claim(str(n), "a", EXPIRATION_S))]
    statements: list[str] = []
    for method in (SqlSession.query, SqlSession.change):
        _count(monkeypatch, method.__name__, statements)
    assert store.renew(terms) == terms
    assert [statement.split()[0] for statement in statements] == ["UPDATE", "SELECT"]


def _count(monkeypatch: pytest.MonkeyPatch, method: str, statements: list[str]) -> None:
    original = getattr(SqlSession, method)

    def counted(self: SqlSession, statement: str, *values: object) -> object:
        statements.append(statement)
        return original(self, statement, *values)

    monkeypatch.setattr(SqlSession, method, counted)


# --- many processes ---------------------------------------------------------------------------------------------------

_together: Barrier | None = None


def meet(everybody: Barrier) -> None:
    """Give each racing process the barrier at which it waits for the others."""
    global _together  # noqa: PLW0603 (a process of its own)
    _together = everybody


def answered(call: Callable[[], Result]) -> Result:
    """What the store answers, asked again as a tree asks: a claim whose reply came too late gives the same term."""
    deadline = Deadline.after(PATIENCE_S)
    while True:
        try:
            return call()
        except StoreUnavailable:
            if deadline.passed():
                raise


def race(site: Site, me: str) -> tuple[int, list[Term]]:
    """Log in, wait until all have, and claim whatever is left; who won it, by process."""
    store = site.open()
    answered(store.check)
    assert _together is not None
    _together.wait(PATIENCE_S)
    won, owned = [], set[str]()
    order = [str(partition) for partition in range(PARTITIONS)]
    rest = order[HOT:]
    random.Random(me).shuffle(rest)  # noqa: S311 (not a secret)
    for partition in order[:HOT] + rest:
        if partition in owned:
            continue
        if term := answered(partial(store.claim, partition, me, EXPIRATION_S)):
            won.append(term)
        else:
            owned = {row.partition_id for row in answered(store.ownerships)}
    store.close()
    return os.getpid(), won


def test_twenty_processes_racing_for_every_partition_yield_one_winner_each(site: Site) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])  # else each imports the connector: a second of CPU time
    everybody = context.Barrier(PROCESSES)
    with ProcessPoolExecutor(PROCESSES, context, meet, (everybody,)) as racers:
        answers = list(racers.map(race, [replace(site, stores=[])] * PROCESSES, map(str, range(PROCESSES))))
    assert len({pid for pid, _ in answers}) == PROCESSES
    won = sorted((term.partition_id, term.epoch) for _, terms in answers for term in terms)
    assert won == sorted((str(partition), 1) for partition in range(PARTITIONS))
    assert len({row.owner_id for row in site.stores[0].ownerships()}) > 1


# --- tables and grants ------------------------------------------------------------------------------------------------


def test_a_standard_table_is_refused_with_what_to_do(empty: Site) -> None:
    empty.sql("CREATE TABLE evsup_ownership (partition_id VARCHAR)")
    store = empty.open()
    for call in (store.initialise, store.check, store.ownerships):
        with pytest.raises(ConfigurationError, match="evsup_ownership is a standard table") as caught:
            call()
        assert "CONTROL_STORE=postgres" in caught.value.fix
        assert "drop the table" in caught.value.fix


def test_missing_tables_are_named_with_the_command_that_makes_them(empty: Site) -> None:
    with pytest.raises(NoControlTables, match=r"EVSUP_SCHEMA.*evsup init"):
        empty.open().check()


def test_an_account_without_hybrid_tables_is_sent_to_postgres(empty: Site, snow: SnowSql) -> None:
    snow.admin.allow_hybrid_tables(allowed=False)
    with pytest.raises(ConfigurationError) as caught:
        empty.open().initialise()
    assert "trial accounts" in caught.value.fix
    assert "CONTROL_STORE=postgres" in caught.value.fix


def test_a_role_that_may_not_create_hybrid_tables_is_told_the_grant(empty: Site, snow: SnowSql) -> None:
    snow.admin.revoke("CREATE HYBRID TABLE", ("DB", snow.schema), ROLE)
    with pytest.raises(NotPermitted) as caught:
        empty.open().initialise()
    assert "CREATE HYBRID TABLE" in caught.value.fix
    assert "DELETE on evsup_supervisor" in caught.value.fix, "which leaves its row at its end"
    assert "CONTROL_STORE=postgres" in caught.value.fix


def test_a_role_that_may_not_write_is_told_so(site: Site, snow: SnowSql) -> None:
    snow.admin.revoke("UPDATE", ("DB", snow.schema, "EVSUP_OWNERSHIP"), ROLE)
    with pytest.raises(NotPermitted, match="Insufficient privileges"):
        site.stores[0].claim("0", "a", EXPIRATION_S)
    snow.admin.revoke("INSERT", ("DB", snow.schema, "EVSUP_AUDIT"), ROLE)
    with pytest.raises(NotPermitted, match="No audit row can be written"):
        site.stores[0].check_audit()


def test_an_account_without_explain_is_told_by_the_first_act(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    original = SqlSession.change

    def change(self: SqlSession, statement: str, *values: object) -> object:
        if statement.startswith("EXPLAIN"):
            raise Unsupported("Snowflake failed", "Unsupported feature 'EXPLAIN'", "Use another account.")
        return original(self, statement, *values)

    monkeypatch.setattr(SqlSession, "change", change)
    site.stores[0].check_audit()


# --- sessions ---------------------------------------------------------------------------------------------------------


def test_a_wrong_key_is_not_permitted(site: Site, tmp_path: Path) -> None:
    write_private(tmp_path / "other.p8", key_pair()[0])
    with pytest.raises(NotPermitted, match="JWT token is invalid"):
        elsewhere(site, private_key_file=str(tmp_path / "other.p8")).check()


def test_another_role_is_not_permitted(site: Site) -> None:
    with pytest.raises(NotPermitted, match="SNOWFLAKE_ROLE"):
        elsewhere(site, role="ACCOUNTADMIN").check()


def test_nobody_at_the_address_is_unavailable_soon_after_a_login_may_take(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert LOGIN_S <= 30, "a start says within the minute what is wrong"
    monkeypatch.setattr("shared.snowflake.connector.LOGIN_S", 2)
    started = monotonic()
    with pytest.raises(StoreUnavailable):
        elsewhere(site, url="https://127.0.0.1:1").check()
    assert monotonic() - started < 4 * BUSY_S


def test_a_session_that_expired_is_begun_anew(site: Site, snow: SnowSql) -> None:
    store = site.stores[0]
    for master in (False, True):
        snow.admin.expire_sessions(master=master)
        store.check()


def test_a_held_lock_is_waited_for_and_no_longer_than_a_call_may_take(
    site: Site, snow: SnowSql, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, table = site.stores[0], ("DB", snow.schema, "EVSUP_OWNERSHIP")
    term = store.claim("0", "a", EXPIRATION_S)
    assert term is not None
    snow.admin.hold_lock(table)
    started = monotonic()
    with pytest.raises(StoreUnavailable, match="lock"):
        store.renew([term])
    assert monotonic() - started < 4 * BUSY_S
    monkeypatch.setattr("shared.control.snowflake.time.sleep", lambda _: snow.admin.release_locks())
    snow.admin.hold_lock(table)
    assert store.renew([term]) == [term]


# --- the diagnostic ---------------------------------------------------------------------------------------------------


@pytest.fixture
def smoke(empty: Site) -> Site:
    made = replace(empty, settings=SMOKE)
    made.open().initialise()
    return made


def test_ownership_in_memory_fences_the_consumer_before(smoke: Site) -> None:
    first, second = smoke.stores[-1], smoke.open()
    assert first.claim("0", "a", EXPIRATION_S) == Term("0", "a", 1)
    first.save_checkpoint(Checkpoint("0", 10, "o10", 1))
    assert second.claim("0", "b", EXPIRATION_S) == Term("0", "b", 2)
    with pytest.raises(OwnershipLost):
        first.save_checkpoint(Checkpoint("0", 11, "o11", 1))
    assert [row.partition_id for row in second.checkpoints()] == ["0"]


def test_a_position_that_stands_twice_is_not_guessed(smoke: Site) -> None:
    store = smoke.stores[-1]
    store.claim("0", "a", EXPIRATION_S)
    smoke.sql("INSERT INTO evsup_checkpoint SELECT * FROM evsup_checkpoint")
    with pytest.raises(DataRefused, match="2 rows"):
        store.load_checkpoint("0")


def test_the_diagnostic_leaves_durable_tables_alone(site: Site) -> None:
    with pytest.raises(ConfigurationError, match="evsup_checkpoint is a hybrid table"):
        replace(site, settings=SMOKE).open().check()

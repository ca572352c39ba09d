"""PgBouncer in transaction mode: many clients share two server connections, and no client leaves anything in one.

The contract's own suite runs through it as well (`site`).
"""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import Any

import psycopg
import pytest

from scripts.harness.waiting import eventually
from scripts.localcloud.pgbouncer import SERVER_CONNECTIONS, PgBouncer
from scripts.localcloud.postgres import Postgres
from shared.config.settings import ControlSettings
from shared.control.open import open_store
from shared.control.store import ControlStore
from shared.errors import ConfigurationError, StoreUnavailable
from shared.log.secret import Secret
from shared.model import Checkpoint, SupervisorRow, Term
from tests.harness.pipeline import UNCHECKED, pipeline_of
from tests.integration.conftest import EXPIRATION_S, Site, initialised

CLIENTS = 12
LEFT_BEHIND = """
    SELECT
        current_setting('statement_timeout'), current_setting('lock_timeout'),
        current_setting('idle_in_transaction_session_timeout'),
        (SELECT count(*) FROM pg_prepared_statements),
        (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid())
"""


@pytest.fixture
def site(pgbouncer_settings: ControlSettings) -> Iterator[Site]:
    with initialised(pgbouncer_settings) as made:
        yield made


def a_working_life(store: ControlStore, partition_id: str) -> None:
    """Each call that a supervisor and its worker make."""
    term = store.claim(partition_id, f"owner{partition_id}", EXPIRATION_S)
    assert term == Term(partition_id, f"owner{partition_id}", 1)
    for position in range(12):  # psycopg prepares a statement when it has seen it five times
        store.save_checkpoint(Checkpoint(partition_id, position, f"o{position}", term.epoch))
        assert store.renew([term]) == [term]
        store.heartbeat(SupervisorRow(term.owner_id, "host", 1, None, "0.1.0"))
    loaded = store.load_checkpoint(partition_id)
    assert loaded is not None
    assert loaded.sequence_number == 11
    assert store.release(term)
    store.retire(term.owner_id)


def in_every_session(pgbouncer: PgBouncer, statement: str) -> list[tuple[Any, ...]]:
    """What a statement gives in each of the pool's server connections: transactions hold them all at once."""
    with ExitStack() as stack:
        held = [stack.enter_context(psycopg.connect(pgbouncer.dsn)) for _ in range(SERVER_CONNECTIONS)]
        return [row for session in held if (row := session.execute(statement.encode()).fetchone())]


def test_many_clients_at_once_share_two_server_connections(site: Site, postgres: Postgres) -> None:
    stores = [site.open() for _ in range(CLIENTS)]
    with ThreadPoolExecutor(CLIENTS) as threads:
        list(threads.map(a_working_life, stores, map(str, range(CLIENTS))))
    with psycopg.connect(postgres.dsn, autocommit=True) as session:
        count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'evsup'"
        # A session of a test before this one may be about to end.
        eventually(lambda: session.execute(count).fetchone() == (SERVER_CONNECTIONS,), "there are two")
    assert [ownership.epoch for ownership in site.stores[0].ownerships()] == [1] * CLIENTS


def test_nothing_of_a_client_is_left_in_a_session_for_the_next(site: Site, pgbouncer: PgBouncer) -> None:
    for number in range(SERVER_CONNECTIONS + 1):
        a_working_life(site.open(), f"{number}")
    site.stores[0].initialise()  # takes an advisory lock
    assert in_every_session(pgbouncer, LEFT_BEHIND) == [("0", "0", "0", 0, 0)] * SERVER_CONNECTIONS


def test_tables_are_created_once_by_eight_at_once(site: Site) -> None:
    barrier = threading.Barrier(8)

    def initialise(store: ControlStore) -> None:
        barrier.wait()
        store.initialise()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(initialise, [site.open() for _ in range(8)]))
    site.stores[0].check()


def test_a_server_connection_lost_behind_the_pool_is_one_failed_call_at_most(site: Site, postgres: Postgres) -> None:
    [store] = site.stores
    term = store.claim("0", "a", EXPIRATION_S)
    assert term is not None
    postgres.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'evsup'")
    for _ in range(SERVER_CONNECTIONS):
        with suppress(StoreUnavailable):
            store.renew([term])
    assert store.renew([term]) == [term]


def test_a_tree_runs_over_the_pool(pgbouncer: PgBouncer) -> None:
    with pipeline_of(
        partitions=2, CONTROL_STORE="postgres", CONTROL_POSTGRES_DSN=pgbouncer.dsn, **UNCHECKED
    ) as pipeline:
        pipeline.publish(200)
        evsup = pipeline.start()
        pipeline.await_all()
        assert evsup.stop() == 0
        with pipeline.store() as store:
            assert [row.sequence_number for row in store.checkpoints()] == [199, 199]


def test_options_that_the_pool_hands_on_to_nobody_are_a_configuration_error(site: Site, pgbouncer: PgBouncer) -> None:
    dsn = Secret(f"{pgbouncer.dsn}?options=-csearch_path%3Devsup")
    store = open_store(ControlSettings(store="postgres", postgres_dsn=dsn), site.group, EXPIRATION_S)
    with pytest.raises(ConfigurationError, match="unsupported startup parameter"):
        store.ownerships()

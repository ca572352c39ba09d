"""Postgres only: what the network, the server and its administrator can do to the control store."""

import os
import re
import secrets
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict
from time import monotonic

import psycopg
import pytest
import yaml

from scripts.docs.generated import ROOT
from scripts.harness.waiting import BUSY_S, eventually
from scripts.localcloud.daemon import HOST
from scripts.localcloud.postgres import Postgres
from shared.config.settings import ControlSettings
from shared.control.database import CALL_S
from shared.control.open import open_store
from shared.control.postgres import database as postgres_store
from shared.control.postgres.database import PostgresDatabase
from shared.control.store import ControlStore
from shared.errors import ConfigurationError, EvsupError, NotPermitted, StoreUnavailable
from shared.log.secret import Secret
from shared.model import Checkpoint, Term
from tests.harness.services.ports import free_port
from tests.integration.conftest import EXPIRATION_S, Site, a_group, initialised


@pytest.fixture
def site(postgres_settings: ControlSettings) -> Iterator[Site]:
    with initialised(postgres_settings) as made:
        yield made


def elsewhere(site: Site, dsn: str) -> ControlStore:
    """A store object that reaches the database, or not, by another connection string."""
    site.stores.append(open_store(ControlSettings(store="postgres", postgres_dsn=Secret(dsn)), site.group, 60.0))
    return site.stores[-1]


def failure(store: ControlStore) -> EvsupError:
    with pytest.raises(EvsupError) as caught:
        store.ownerships()
    return caught.value


def sessions(postgres: Postgres) -> list[int]:
    """The server's processes that serve evsup."""
    with psycopg.connect(postgres.dsn) as session:
        rows = session.execute("SELECT pid FROM pg_stat_activity WHERE application_name = 'evsup'").fetchall()
    return [row[0] for row in rows]


def scaler_query(site: Site) -> str:
    """What KEDA asks, for the group of this test."""
    file = ROOT / "scripts/deploy/kubernetes/overlays/autoscaled/scaled-object.yaml"
    _, scaled_object = yaml.safe_load_all(file.read_text())
    (trigger,) = scaled_object["spec"]["triggers"]
    names = iter(asdict(site.group.key).values())
    return re.sub(r"'[^']*'", lambda _: f"'{next(names)}'", trigger["metadata"]["query"])


def test_the_autoscaler_reads_one_number_which_is_the_lag_of_the_group(site: Site) -> None:
    store, query = site.stores[0], scaler_query(site)
    assert site.sql(query) == [(0,)]
    for partition, last in (("0", 14), ("1", 7)):
        term = store.claim(partition, "owner", EXPIRATION_S)
        assert term is not None
        store.save_checkpoint(Checkpoint(partition, 6, None, term.epoch, last_enqueued=last))
    other = site.beside().open()
    term = other.claim("0", "owner", EXPIRATION_S)
    assert term is not None
    other.save_checkpoint(Checkpoint("0", 6, None, term.epoch, last_enqueued=1000))
    other.close()
    assert site.sql(query) == [(9,)]


# --- settings and grants ----------------------------------------------------------------------------------------------


def test_a_wrong_password_is_not_permitted_and_not_shown(site: Site, postgres: Postgres) -> None:
    wrong = "hunter2-é/@"
    dsn = re.sub(r"postgres:[^@]+@", "postgres:hunter2-%C3%A9%2F%40@", postgres.dsn)
    error = failure(elsewhere(site, dsn))
    assert isinstance(error, NotPermitted)
    assert "password authentication failed" in error.why
    assert all(part not in f"{error} {error!r}" for part in (wrong, "hunter2", "%C3%A9"))
    assert error.__suppress_context__


def test_an_unknown_database_is_a_configuration_error(site: Site, postgres: Postgres) -> None:
    error = failure(elsewhere(site, postgres.dsn.replace("/postgres", "/nowhere").replace("//nowhere:", "//postgres:")))
    assert isinstance(error, ConfigurationError)
    assert '"nowhere" does not exist' in error.why


def test_missing_tables_are_a_configuration_error_that_names_init(site: Site, postgres: Postgres) -> None:
    error = failure(elsewhere(site, f"{postgres.dsn}?options=-csearch_path%3Dnowhere"))
    assert isinstance(error, ConfigurationError)
    assert "evsup init" in error.fix


def test_a_missing_grant_is_not_permitted(site: Site, postgres: Postgres) -> None:
    role, password = f"poor{secrets.token_hex(4)}", secrets.token_hex(8)
    site.sql(f"CREATE ROLE {role} LOGIN PASSWORD '{password}'")
    error = failure(elsewhere(site, f"postgresql://{role}:{password}@{HOST}:{postgres.port}/postgres"))
    assert isinstance(error, NotPermitted)
    assert "permission denied for table evsup_ownership" in error.why


def test_nobody_at_the_address_is_unavailable_at_once(site: Site) -> None:
    port = free_port()
    started = monotonic()
    error = failure(elsewhere(site, f"postgresql://u:p@{HOST}:{port}/db"))
    assert isinstance(error, StoreUnavailable)
    assert f"{HOST}:{port}/db" in error.what
    assert monotonic() - started < CALL_S, "it is refused, and not waited for"


def test_an_address_that_swallows_connections_fails_in_time(site: Site) -> None:
    with socket.create_server((HOST, 0), backlog=1) as listener:  # it accepts, and never sends a byte
        started = monotonic()
        error = failure(elsewhere(site, f"postgresql://u:p@{HOST}:{listener.getsockname()[1]}/db"))
    assert isinstance(error, StoreUnavailable)
    assert monotonic() - started < CALL_S + BUSY_S


def test_a_database_without_an_encoding_gives_texts(site: Site, postgres: Postgres) -> None:
    name = f"ascii{secrets.token_hex(4)}"
    site.sql(f"CREATE DATABASE {name} ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0")
    store = elsewhere(site, postgres.dsn.removesuffix("/postgres") + f"/{name}")
    store.initialise()
    assert store.claim("0", "a", EXPIRATION_S) == Term("0", "a", 1)
    assert store.ownerships()[0].owner_id == "a"


# --- connections that break -------------------------------------------------------------------------------------------


class Wire:
    """A proxy in front of Postgres that can cut a connection after COMMIT went out and before its reply comes back."""

    def __init__(self, server_port: int) -> None:
        self.cut_after_commit = False
        self._server_port = server_port
        self._listener = socket.create_server((HOST, 0))
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()
        self.port = self._listener.getsockname()[1]

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, server = self._listener.accept()[0], socket.create_connection((HOST, self._server_port))
                ends = (client, server)
                self._threads += [threading.Thread(target=self._copy, args=way) for way in (ends, ends[::-1])]
                for thread in self._threads[-2:]:
                    thread.start()

    def _copy(self, source: socket.socket, drain: socket.socket) -> None:
        with suppress(OSError), source:
            while data := source.recv(65536):
                if self.cut_after_commit and b"COMMIT\0" in data:
                    self.cut_after_commit = False
                    self._commit_unheard(source, drain, data)
                drain.sendall(data)
        with suppress(OSError):
            drain.shutdown(socket.SHUT_RDWR)

    def _commit_unheard(self, client: socket.socket, server: socket.socket, data: bytes) -> None:
        client.shutdown(socket.SHUT_RDWR)
        server.sendall(data)
        raise OSError


@contextmanager
def wired(site: Site, postgres: Postgres) -> Iterator[tuple[ControlStore, Wire]]:
    wire = Wire(postgres.port)
    store = elsewhere(site, postgres.dsn.replace(f":{postgres.port}/", f":{wire.port}/"))
    try:
        yield store, wire
    finally:
        store.close()
        wire.close()


def test_a_claim_whose_reply_was_cut_off_after_commit_gives_the_same_term(site: Site, postgres: Postgres) -> None:
    with wired(site, postgres) as (store, wire):
        assert store.ownerships() == []
        wire.cut_after_commit = True
        with pytest.raises(StoreUnavailable):
            store.claim("0", "a", EXPIRATION_S)
        assert store.claim("0", "a", EXPIRATION_S) == Term("0", "a", 1)


def test_a_checkpoint_whose_reply_was_cut_off_can_be_written_again(site: Site, postgres: Postgres) -> None:
    with wired(site, postgres) as (store, wire):
        store.claim("0", "a", EXPIRATION_S)
        wire.cut_after_commit = True
        with pytest.raises(StoreUnavailable):
            store.save_checkpoint(Checkpoint("0", 10, "o10", 1))
        store.save_checkpoint(Checkpoint("0", 10, "o10", 1))
        assert [checkpoint.sequence_number for checkpoint in store.checkpoints()] == [10]


def test_a_terminated_session_is_replaced_unseen(site: Site) -> None:
    [store] = site.stores
    for _ in range(2):
        site.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'evsup'")
        assert store.ownerships() == []


def test_a_frozen_session_is_replaced(site: Site, postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_store, "CHECK_S", 0.3)  # of the 1.5 s for a live connection
    [store] = site.stores
    frozen = sessions(postgres)
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    try:
        assert store.ownerships() == []
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)


def test_a_statement_without_an_answer_is_given_up(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    [store] = site.stores
    store.claim("0", "a", EXPIRATION_S)
    assert site.settings.postgres_dsn is not None
    with psycopg.connect(site.settings.postgres_dsn.reveal()) as holder, monkeypatch.context() as patch:
        holder.execute("SELECT 1 FROM evsup_checkpoint FOR UPDATE")
        patch.setattr(postgres_store, "CALL_S", 0.5)
        with pytest.raises(StoreUnavailable, match="no answer within"):
            store.save_checkpoint(Checkpoint("0", 10, "o10", 1))
    store.save_checkpoint(Checkpoint("0", 10, "o10", 1))


def test_the_store_comes_back_with_the_server(site: Site, postgres: Postgres) -> None:
    [store] = site.stores
    term = store.claim("0", "a", EXPIRATION_S)
    assert term is not None
    postgres.stop_immediately()
    try:
        # refused, or cut off by a server that ends
        with pytest.raises(StoreUnavailable, match="Cannot connect to the control store"):
            store.renew([term])
    finally:
        postgres.start()
    assert store.renew([term]) == [term]


def test_nothing_is_left_in_a_session_that_pgbouncer_would_hand_on(site: Site, postgres: Postgres) -> None:
    database = PostgresDatabase(Secret(postgres.dsn))
    store = ControlStore(database, site.group, EXPIRATION_S)
    for position in range(12):  # psycopg prepares a statement when it has seen it five times
        store.save_checkpoint(Checkpoint("0", position, None, 1))
    with database.open_pool().connection() as session:
        left = [
            session.execute("SELECT count(*) AS n FROM pg_prepared_statements").fetchone(),
            session.execute("SELECT current_setting('statement_timeout') AS n").fetchone(),
            session.execute("SELECT current_setting('lock_timeout') AS n").fetchone(),
        ]
    store.close()
    assert left == [{"n": 0}, {"n": "0"}, {"n": "0"}]


def test_what_a_role_or_a_connection_string_sets_changes_no_value(site: Site, postgres: Postgres) -> None:
    options = "-c%20extra_float_digits%3D-15%20-c%20DateStyle%3DGerman%20-c%20TimeZone%3DAmerica/St_Johns"
    options += "%20-c%20standard_conforming_strings%3Doff%20-c%20IntervalStyle%3Diso_8601"
    store = elsewhere(site, f"{postgres.dsn}?client_encoding=SQL_ASCII&options={options}")
    assert store.claim("0", "a", EXPIRATION_S)
    checkpoint = Checkpoint("0", 10, "o\\'10", 1, hub_created_at_s=1764371234.123457)
    store.save_checkpoint(checkpoint)
    loaded = store.load_checkpoint("0")
    assert loaded is not None
    assert (loaded.offset, loaded.hub_created_at_s) == (checkpoint.offset, checkpoint.hub_created_at_s)


def test_a_server_that_takes_no_writes_is_found_by_who_asks(site: Site, postgres: Postgres) -> None:
    site.stores[0].check_writes()
    store = elsewhere(site, f"{postgres.dsn}?options=-c%20default_transaction_read_only%3Don")
    store.check()
    with pytest.raises(StoreUnavailable, match=r"in a read-only transaction.*its disk is nearly full"):
        store.check_writes()


# --- sessions ---------------------------------------------------------------------------------------------------------


def limited(site: Site, postgres: Postgres, limit: int) -> str:
    """The connection string of a role that may do everything in so many sessions."""
    role, password = f"few{secrets.token_hex(4)}", secrets.token_hex(8)
    site.sql(f"CREATE ROLE {role} LOGIN PASSWORD '{password}' CONNECTION LIMIT {limit}")
    site.sql(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}")
    return f"postgresql://{role}:{password}@{HOST}:{postgres.port}/postgres"


def test_a_process_takes_one_session_however_many_threads_ask(site: Site, postgres: Postgres) -> None:
    before = set(sessions(postgres))
    store = elsewhere(site, postgres.dsn)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda partition: store.claim(str(partition), "a", EXPIRATION_S), range(40)))
        eventually(lambda: len(set(sessions(postgres)) - before) == 1, "one session is left")
        list(threads.map(lambda _: store.ownerships(), range(40)))
    assert len(set(sessions(postgres)) - before) == 1


def test_a_server_without_a_session_left_is_unavailable_and_says_how_to_get_one(site: Site, postgres: Postgres) -> None:
    dsn = limited(site, postgres, 1)
    store = elsewhere(site, dsn)
    store.ownerships()
    error = failure(elsewhere(site, dsn))
    assert isinstance(error, StoreUnavailable)
    assert "too many connections for role" in error.why
    assert "a session for each partition" in error.fix
    assert store.ownerships() == []


def test_the_sessions_of_the_server_are_counted_by_a_role_that_sees_little(site: Site, postgres: Postgres) -> None:
    store = elsewhere(site, limited(site, postgres, 5))

    def others() -> int:
        found = store.sessions()
        assert found is not None
        assert found.most == 97  # 100, and 3 for superusers
        return found.others

    def are_two_more_counted() -> bool:
        before = others()
        with psycopg.connect(postgres.dsn), psycopg.connect(postgres.dsn):
            return others() >= before + 2  # unless one of before, whose client has gone, has ended meanwhile

    eventually(are_two_more_counted, "two that came are counted")


# --- races ------------------------------------------------------------------------------------------------------------


def test_tables_are_created_once_by_eight_at_once(site: Site, postgres: Postgres) -> None:
    schema = f"fresh{secrets.token_hex(4)}"
    site.sql(f"CREATE SCHEMA {schema}")
    stores = [elsewhere(site, f"{postgres.dsn}?options=-csearch_path%3D{schema}") for _ in range(8)]
    barrier = threading.Barrier(len(stores))

    def initialise(store: ControlStore) -> None:
        barrier.wait()
        store.initialise()

    with ThreadPoolExecutor(len(stores)) as threads:
        list(threads.map(initialise, stores))
    stores[0].check()


def test_a_claim_that_waited_for_another_owners_whole_term_rises_above_it(site: Site, postgres: Postgres) -> None:
    [store] = site.stores
    term = store.claim("0", "a", EXPIRATION_S)
    assert term is not None
    store.release(term)
    row = f"eventhub_name = '{site.group.eventhub_name}'"
    with psycopg.connect(postgres.dsn) as other, ThreadPoolExecutor(1) as thread:
        other.execute(f"UPDATE evsup_ownership SET epoch = 2 WHERE {row}".encode())  # noqa: S608
        other.execute(f"UPDATE evsup_checkpoint SET epoch = 2 WHERE {row}".encode())  # noqa: S608
        claimed = thread.submit(store.claim, "0", "b", EXPIRATION_S)
        await_a_blocked_session(postgres)
        other.commit()
        assert claimed.result() == Term("0", "b", 3)


def test_a_claim_that_waited_longer_than_a_lease_takes_none_that_was_renewed_meanwhile(
    site: Site, postgres: Postgres
) -> None:
    [store], lease_s = site.stores, 1.0
    assert store.claim("0", "a", lease_s)
    row = f"eventhub_name = '{site.group.eventhub_name}'"
    with psycopg.connect(postgres.dsn) as owner, ThreadPoolExecutor(1) as thread:
        owner.execute(f"UPDATE evsup_ownership SET last_modified_time = clock_timestamp() WHERE {row}".encode())  # noqa: S608
        claimed = thread.submit(store.claim, "0", "b", lease_s)
        await_a_blocked_session(postgres)
        owner.execute("SELECT pg_sleep(%s)", [1.1 * lease_s])
        owner.execute(f"UPDATE evsup_ownership SET last_modified_time = clock_timestamp() WHERE {row}".encode())  # noqa: S608
        owner.commit()
        assert claimed.result() is None


def await_a_blocked_session(postgres: Postgres) -> None:
    waiting = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'evsup' AND wait_event_type = 'Lock'"
    with psycopg.connect(postgres.dsn, autocommit=True) as session:
        eventually(lambda: session.execute(waiting).fetchall(), "it waits for a lock", every_s=0.01)


def test_closing_gives_every_session_and_thread_back(site: Site, postgres: Postgres) -> None:
    site.stores.pop().close()
    threads, served = set(threading.enumerate()), set(sessions(postgres))
    for _ in range(5):
        store = Site(site.settings, group=a_group()).open()
        store.ownerships()
        store.close()
    assert set(threading.enumerate()) <= threads
    eventually(lambda: set(sessions(postgres)) <= served, "the server has seen that the sockets are closed")

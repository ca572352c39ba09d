# ruff: noqa: D102 (each method is described where it is declared)
"""PostgreSQL: the control store of many hosts, also behind PgBouncer in transaction mode."""

import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout, TooManyRequests

from shared.clock import Deadline
from shared.errors import EvsupError, StoreUnavailable
from shared.secret import Secret
from shared.store import dsn
from shared.store.database import CALL_S, Database, Mode, Row
from shared.store.postgres_errors import of_connecting, of_running
from shared.store.queries import pyformat

Answer = TypeVar("Answer")

POOL_S = 6.0  # for a connection that works; the rest of CALL_S is left for the transaction
CHECK_S = 2.0  # for an idle connection to prove that it is alive
MOST_CONNECTIONS = 4  # a process: the lease, the balancer and a command at the same time
# Reconnecting backs off for so long only and then starts afresh with the next call: a pool that has backed off to
# minutes would outlast a lease although the database is back.
RECONNECT_S = 5.0


class PostgresDatabase(Database):
    """A pool of connections. No prepared statements and no session state, so that PgBouncer may share the sessions.

    Nothing is retried but finding a live connection: the outcome of a write whose reply is lost is unknown, and whoever
    called decides.
    """

    dialect = "postgres"

    def __init__(self, text: Secret) -> None:
        self._dsn = dsn.parse(text)
        self.address = self._dsn.address
        self._opening = threading.Lock()
        self._pool: ConnectionPool[_Bounded] | None = None
        self._closed = False

    @contextmanager
    def transaction(self, mode: Mode = "write") -> Iterator["_Transaction"]:
        deadline = Deadline.after(CALL_S)
        try:
            with self._open_pool().connection() as connection:
                connection.deadline = deadline
                connection.execute(pyformat(f"begin_{mode}", self.dialect))
                yield _Transaction(connection)
        except (PoolTimeout, PoolClosed, TooManyRequests):
            raise self._without_connection() from None
        except psycopg.Error as error:
            raise of_running(error, self._dsn) from error

    def close(self) -> None:
        with self._opening:
            self._closed = True
            if self._pool is not None:
                self._pool.close(CHECK_S)

    def _open_pool(self) -> "ConnectionPool[_Bounded]":
        """The pool connects in a thread of its own and keeps the reason of a failure; so the first try is made here."""
        with self._opening:
            if self._closed:
                raise StoreUnavailable(f"The control store {self._dsn.address} was closed")
            if self._pool is None:
                self._try_to_connect()
                self._pool = _pool(self._dsn)
            return self._pool

    def _without_connection(self) -> EvsupError:
        what = f"The control store {self._dsn.address} gave no connection"
        if self._closed:
            return StoreUnavailable(what, "it was closed")
        try:
            self._try_to_connect()
        except EvsupError as reason:
            return reason
        return StoreUnavailable(what, f"none of {MOST_CONNECTIONS} was free or alive within {POOL_S:g} s")

    def _try_to_connect(self) -> None:
        try:
            psycopg.connect(self._dsn.conninfo.reveal(), autocommit=True).close()
        except psycopg.Error as error:
            raise of_connecting(error, self._dsn) from None  # libpq's own text is not masked


class _Bounded(psycopg.Connection[Row]):
    """A connection that waits for the server until its deadline and no longer.

    A frozen server, or a proxy in front of a dead one, still acknowledges packets, so that no timeout of TCP fires and
    the server's own statement_timeout never comes.
    """

    deadline = Deadline(0)

    def wait(self, gen: PQGen[Answer], *args: Any, **kwargs: Any) -> Answer:
        return super().wait(_until(self.deadline, gen, self), *args, **kwargs)


def _until(deadline: Deadline, steps: PQGen[Answer], connection: _Bounded) -> Generator[Any, Any, Answer]:
    """`steps`, until it is done or the deadline passes: psycopg wakes it ten times a second, ready or not."""
    try:
        wanted = next(steps)
        while True:
            ready = yield wanted
            wanted = steps.send(ready)
            if deadline.passed():
                connection.pgconn.finish()  # what the server still answers must not be taken for the next reply
                raise psycopg.OperationalError(f"no answer within {CALL_S:g} s")
    except StopIteration as done:
        answer: Answer = done.value
        return answer


class _Transaction:
    def __init__(self, connection: _Bounded) -> None:
        self._connection = connection

    def __call__(self, name: str, /, **values: object) -> list[Row]:
        cursor = self._connection.execute(pyformat(name, PostgresDatabase.dialect), values)
        return cursor.fetchall() if cursor.description else []


def _pool(address: dsn.Dsn) -> ConnectionPool[_Bounded]:
    # https://www.psycopg.org/psycopg3/docs/advanced/prepare.html#using-prepared-statements-with-pgbouncer
    return ConnectionPool(
        address.conninfo.reveal(),
        connection_class=_Bounded,
        kwargs={"autocommit": True, "prepare_threshold": None, "row_factory": dict_row},
        min_size=1,
        max_size=MOST_CONNECTIONS,
        num_workers=1,
        timeout=POOL_S,
        reconnect_timeout=RECONNECT_S,
        check=_check,
        open=True,
        name="evsup",
    )


def _check(connection: _Bounded) -> None:
    connection.deadline = Deadline.after(CHECK_S)
    ConnectionPool.check_connection(connection)

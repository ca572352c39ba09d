# ruff: noqa: D102 (each method is described where it is declared)
"""PostgreSQL: the control store of many hosts, also behind PgBouncer in transaction mode."""

import logging
import threading
from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool, PoolTimeout

from shared.clock import Deadline
from shared.config.formats import dsn
from shared.control.database import CALL_S, Database, Mode, Row, begin
from shared.control.postgres.errors import translate, translate_refusal
from shared.control.postgres.pool_log import Unrepeated
from shared.control.queries import pyformat
from shared.errors import StoreUnavailable
from shared.log.secret import Secret

Answer = TypeVar("Answer")
logging.getLogger("psycopg.pool").addFilter(Unrepeated())

POOL_S = 1.5  # for the pool to give a connection that lives
CHECK_S = 2.0  # for an idle connection to prove that it is alive
# One a process: the server has some 100 for everybody, and a tree is as many processes as it has partitions. Calls of
# two threads at once take turns; whoever waits longer than POOL_S makes a connection of its own for that call.
MOST_CONNECTIONS = 1
# Reconnecting backs off for so long only and then starts afresh with the next call: a pool that has backed off to
# minutes would outlast a lease although the database is back.
RECONNECT_S = 5.0

# https://www.psycopg.org/psycopg3/docs/advanced/prepare.html#using-prepared-statements-with-pgbouncer
# UTF8 whatever DSN and environment say: in SQL_ASCII psycopg gives bytes for text, and other encodings lack characters.
# https://www.psycopg.org/psycopg3/docs/basic/adapt.html#strings-adaptation
_OPTIONS: dict[str, Any] = {
    "autocommit": True,
    "prepare_threshold": None,
    "row_factory": dict_row,
    "client_encoding": "UTF8",
}


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
            with self._connection() as connection:
                # Of this transaction; the pool's connection still has that of the one before.
                connection.deadline = deadline
                connection.execute(pyformat(begin(mode), self.dialect))
                yield _Transaction(connection)
        except psycopg.Error as error:
            raise translate(error, self._dsn) from error

    def check_writes(self) -> None:
        with self.transaction() as run:
            run("probe_writes")

    def close(self) -> None:
        with self._opening:
            self._closed = True
            if self._pool is not None:
                self._pool.close(CHECK_S)

    @contextmanager
    def _connection(self) -> Iterator["_Bounded"]:
        """One from the pool; a new one when the pool has none that lives.

        The pool reconnects in a thread of its own, with pauses, and keeps the reason of a failure to itself: a
        connection made here says why there is none, and is there as soon as the database is.
        """
        with ExitStack() as stack:
            try:
                connection = stack.enter_context(self.open_pool().connection(POOL_S))
            except PoolTimeout:
                connection = stack.enter_context(self._connect())
            yield connection

    def open_pool(self) -> "ConnectionPool[_Bounded]":
        """The pool of this process; opened by the first call. Raises StoreUnavailable when there is no server."""
        with self._opening:
            if self._closed:
                raise StoreUnavailable(f"The control store {self.address} was closed")
            if self._pool is None:
                # First a connection of our own: it raises why there is none, and the pool would only try again.
                self._connect().close()
                self._pool = _pool(self._dsn)
            return self._pool

    def _connect(self) -> "_Bounded":
        try:
            return _Bounded.connect(self._dsn.conninfo.reveal(), **_OPTIONS)
        except (psycopg.Error, UnicodeError) as error:  # the second: a host that can be no name, `db..example.com`
            raise translate_refusal(error, self._dsn) from None  # libpq's own text is not masked


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
        return self.statement(pyformat(name, PostgresDatabase.dialect), values)

    def statement(self, text: str, values: Mapping[str, object]) -> list[Row]:
        """One that no file holds as it is: of a table that somebody names."""
        cursor = self._connection.execute(text, values)
        return cursor.fetchall() if cursor.description else []


def _pool(address: dsn.Dsn) -> ConnectionPool[_Bounded]:
    return ConnectionPool(
        address.conninfo.reveal(),
        connection_class=_Bounded,
        kwargs=_OPTIONS,
        min_size=1,
        max_size=MOST_CONNECTIONS,
        num_workers=1,
        reconnect_timeout=RECONNECT_S,
        check=_check,
        open=True,
        name="evsup",
    )


def _check(connection: _Bounded) -> None:
    # A connection that does not answer is replaced soon: most of the call's time has to be left for its statement.
    connection.deadline = Deadline.after(CHECK_S)
    ConnectionPool.check_connection(connection)

"""SQL in Snowflake, through the vendor's connector: one session, one statement at a time.

Importing the connector takes a second and 36 MB and starts a thread, so it is imported by the first statement and never
by a process that runs none. https://docs.snowflake.com/en/developer-guide/python-connector/python-connector-api
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from shared.config.formats import account, private_key
from shared.config.settings import SnowflakeSettings
from shared.errors import EvsupError, SnowflakeUnavailable
from shared.fixes import REACH_SNOWFLAKE
from shared.snowflake import connector, errors, oauth, tls_probe
from shared.snowflake.fixes import Refusal
from shared.snowflake.key_pair import signing_key
from shared.snowflake.tables import address
from shared.timeout import within

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection
    from snowflake.connector.cursor import SnowflakeCursor

Row = dict[str, Any]
Parameter = str | int | bool
Answer = TypeVar("Answer")

CLOSE_S = 2.0  # for a logout, and for a statement under way to end before it
CALL_S = 10  # a statement; a command that reads a whole table gives it more

# Telemetry would hold a process that ends while Snowflake is away. The rest is announced to nobody.
_SESSION: dict[str, Parameter] = {"QUERY_TAG": "evsup", "TIMEZONE": "UTC", "CLIENT_TELEMETRY_ENABLED": False}


class SqlSession:
    """Logs in at the first statement; safe to call from several threads, not across a fork.

    Statements have `?` for each value, bound by the server. Raises what `shared.snowflake.errors` makes of the
    connector's errors. After `SnowflakeUnavailable` it is unknown whether the statement was executed, unless it is
    `RowLocked`.
    """

    def __init__(
        self,
        settings: SnowflakeSettings,
        *,
        database: str | None = None,
        schema: str | None = None,
        parameters: Mapping[str, Parameter] | None = None,
        call_s: int = CALL_S,
    ) -> None:
        self._settings = settings
        self._database, self._schema = database or settings.database, schema or settings.schema
        self._parameters = {**_SESSION, "STATEMENT_TIMEOUT_IN_SECONDS": call_s, **(parameters or {})}
        self._call_s = call_s
        host, port = address(settings)
        self.address = f"{host}:{port}/{self._database}.{self._schema}"
        self._lock = threading.RLock()
        self._connection: SnowflakeConnection | None = None
        self._closed = self._in_transaction = False

    def query(self, statement: str, *values: object) -> list[Row]:
        """The rows of a SELECT or SHOW, by their columns' names in small letters."""
        return self._answer(statement, values, _rows)

    def change(self, statement: str, *values: object) -> int:
        """Run a statement that changes something; how many rows it changed, if it changes rows."""
        return self._answer(statement, values, _changes)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit what the block changes at its end, all of it or nothing; other threads wait until then.

        It lives and dies with its session. When this process dies in the middle, Snowflake ends it as soon as it has
        been idle for five minutes while others wait for its rows: https://docs.snowflake.com/en/sql-reference/transactions
        """
        with self._lock:
            self.change("BEGIN TRANSACTION")
            # From here on a lost session is not begun anew: the first half of the transaction went with it.
            self._in_transaction = True
            try:
                yield
                self.change("COMMIT")
            except BaseException:
                self._roll_back()
                raise
            finally:
                self._in_transaction = False

    def close(self) -> None:
        """End the session. Further statements raise SnowflakeUnavailable. Blocks for some `CLOSE_S` at most: behind a
        statement that is not answered, the session is left to end by itself.
        """
        self._closed = True
        if self._lock.acquire(timeout=CLOSE_S):
            try:
                self._leave()
            finally:
                self._lock.release()

    def _answer(
        self, statement: str, values: tuple[object, ...], read: "Callable[[SnowflakeCursor], Answer]"
    ) -> Answer:
        refusal = Refusal(statement, self._settings, self._database, self._schema)
        with self._lock, errors.translated(self.address, refusal):
            return self._execute(lambda connection: _run(connection, statement, values, read))

    def _execute(self, statement: "Callable[[SnowflakeConnection], Answer]") -> Answer:
        from snowflake.connector import Error

        try:
            return self._ask(statement)
        except Error as error:
            if self._in_transaction or error.errno not in errors.SESSION_LOST:
                raise
            self._leave()  # the session was refused, so the statement was not executed
            return self._ask(statement)

    def _ask(self, statement: "Callable[[SnowflakeConnection], Answer]") -> Answer:
        connection = self._connected()
        return self._bounded(self._call_s, lambda: statement(connection))

    def _bounded(self, call_s: int, call: Callable[[], Answer]) -> Answer:
        """What `call` returns. The connector limits its tries and the silence in each, and not an answer that comes a
        byte at a time.
        """
        try:
            return within(connector.longest_s(call_s), call)
        except TimeoutError as error:
            # A logout cancels what still runs, and what is still answered is not taken for the next answer:
            # https://docs.snowflake.com/en/sql-reference/parameters#abort-detached-query
            self._leave()
            raise SnowflakeUnavailable(f"Snowflake at {self.address} failed", str(error), REACH_SNOWFLAKE) from error

    def _roll_back(self) -> None:
        """Give the rows back, if need be with the session."""
        if self._connection is None:
            return
        try:
            self.change("ROLLBACK")
        except EvsupError:
            self._leave()

    def _connected(self) -> "SnowflakeConnection":
        if self._closed:
            raise SnowflakeUnavailable(f"The session with {self.address} was closed")
        if self._connection is None:
            self._connection = self._bounded(connector.LOGIN_S, self._connect)
        return self._connection

    def _connect(self) -> "SnowflakeConnection":
        from snowflake.connector import Error

        try:
            return self._log_in()
        except Error:
            # A connector that tries again until its time is up may then say no more than that.
            tls_probe.refuse_untrusted(*address(self._settings), self._settings.ca_file)
            raise

    def _log_in(self) -> "SnowflakeConnection":
        from snowflake.connector import __version__, connect

        settings = self._settings
        host, port = address(settings)
        return connect(
            account=account.parse(settings.account).name,
            host=host,
            port=port,
            user=settings.user,
            **_credential(settings),
            role=settings.role,
            warehouse=settings.warehouse,
            database=self._database,
            schema=self._schema,
            application="evsup",
            # The server binds the values. By default the connector writes them into the text of the statement:
            # https://docs.snowflake.com/en/developer-guide/python-connector/python-connector-example#binding-data
            paramstyle="qmark",
            autocommit=True,
            session_parameters=self._parameters,
            # Heartbeats: without them a session ends when it idles for four hours, and a claim would wait for a login.
            # https://docs.snowflake.com/en/user-guide/session-policies
            client_session_keep_alive=True,
            **connector.options(__version__, self._call_s, settings.ca_file),
        )

    def _leave(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            # Without retries, and not for long: nobody waits for the end of a session while Snowflake is away.
            with suppress(TimeoutError):
                within(CLOSE_S, lambda: connection.close(retry=False))


def _run(
    connection: "SnowflakeConnection",
    statement: str,
    values: tuple[object, ...],
    read: "Callable[[SnowflakeCursor], Answer]",
) -> Answer:
    with closing(connection.cursor()) as cursor:
        cursor.execute(statement, values or None)
        return read(cursor)


def _rows(cursor: "SnowflakeCursor") -> list[Row]:
    names = [column.name.lower() for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _changes(cursor: "SnowflakeCursor") -> int:
    return max(cursor.rowcount or 0, 0)  # -1, or None before version 5: not a change of rows


def _credential(settings: SnowflakeSettings) -> dict[str, object]:
    """What the connector is given to log in with."""
    if settings.oauth_client_id:
        return {"authenticator": "oauth", "token": oauth.access_token(settings)}
    return {"private_key": private_key.der(signing_key(settings))}

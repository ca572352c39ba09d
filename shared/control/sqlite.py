# ruff: noqa: D102 (each method is described where it is declared)
"""SQLite: the control store of one host."""

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.control import schema
from shared.control.database import CALL_S, Database, Mode, Row, begin
from shared.control.queries import query
from shared.errors import ConfigurationError, EvsupError, NoControlTables, NotPermitted, StoreUnavailable

NEVER_S = float("inf")


def _seconds(_field: str, at_s: object) -> float | None:
    """What is no time, for SQLite stores anything, is never: no lease ends by it, and who reads the row refuses it."""
    return float(at_s) if isinstance(at_s, int | float) else None if at_s is None else NEVER_S


# PostgreSQL's functions that the shared queries use. Times are Unix seconds in SQLite, and its clock is the host's.
_FUNCTIONS: dict[tuple[str, int], Callable[..., float | None]] = {
    ("now", 0): time.time,
    ("clock_timestamp", 0): time.time,
    ("date_part", 2): _seconds,
    ("to_timestamp", 1): lambda at_s: at_s,
    ("greatest", 2): max,
}

_NOT_PERMITTED = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH}
_NOT_A_STORE = {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_SCHEMA, sqlite3.SQLITE_MISMATCH}


class SqliteDatabase(Database):
    """One file, in write-ahead mode so that readers and the writer do not wait for each other.

    Many threads and processes may use it, each process with an object of its own: the connection is guarded by a lock.
    The file must be on a local disk. Write-ahead mode needs memory shared by all users of the file, which network
    filesystems do not give (https://www.sqlite.org/wal.html); several hosts need PostgreSQL.
    """

    dialect = "sqlite"

    def __init__(self, path: str) -> None:
        self.path = Path(path).expanduser()
        self.address = str(self.path)
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._closed = False

    @contextmanager
    def transaction(self, mode: Mode = "write") -> Iterator["_Transaction"]:
        with self._lock, self._errors_in_our_words():
            connection = self._connected(create=mode == "schema")
            connection.execute(query(begin(mode), self.dialect))
            try:
                yield _Transaction(connection)
                connection.commit()
            finally:
                connection.rollback()  # of nothing, after a commit

    def close(self) -> None:
        with self._lock:
            self._closed = True
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _connected(self, *, create: bool) -> sqlite3.Connection:
        if self._closed:
            raise StoreUnavailable(f"The control store {self.path} was closed")
        if self._connection is None:
            self._prepare_file() if create else self._require_file()
            self._connection = self._open()
        return self._connection

    def _open(self) -> sqlite3.Connection:
        # Never created: an empty store in the wrong place looks like a fresh one.
        return _connect(f"{self.path.absolute().as_uri()}?mode=rw")

    def _prepare_file(self) -> None:
        """Nobody else may read who owns what: the file is private before SQLite opens it, its -wal and -shm follow."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        except PermissionError as error:
            raise NotPermitted(f"Cannot write the control store {self.path}", str(error.strerror), _FIX) from error
        except OSError as error:
            raise ConfigurationError(
                f"Cannot create the control store {self.path}", str(error.strerror), _FIX
            ) from error

    def _require_file(self) -> None:
        try:
            self.path.stat()
        except PermissionError as error:
            raise NotPermitted(f"Cannot open the control store {self.path}", str(error.strerror), _FIX) from error
        except OSError as error:
            what = f"There is no control store {self.path}"
            fix = f"{schema.INIT} Or change CONTROL_SQLITE_PATH."
            raise NoControlTables(what, str(error.strerror), fix) from error

    @contextmanager
    def _errors_in_our_words(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise _translated(error, self.path) from error


class MemoryDatabase(SqliteDatabase):
    """Seen by this object alone, and gone with it."""

    def __init__(self) -> None:
        super().__init__(":memory:")

    def _prepare_file(self) -> None:
        """There is none."""

    def _open(self) -> sqlite3.Connection:
        return _connect("file::memory:")


class _Transaction:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __call__(self, name: str, /, **values: object) -> list[Row]:
        return self._connection.execute(query(name, SqliteDatabase.dialect), values).fetchall()


_FIX = "Give this user the file and its directory, or change CONTROL_SQLITE_PATH."


def _connect(uri: str) -> sqlite3.Connection:
    """A connection whose only transactions are those that are begun in so many words."""
    connection = sqlite3.connect(uri, uri=True, timeout=CALL_S, isolation_level=None, check_same_thread=False)
    try:
        connection.row_factory = _as_dict
        for (name, arguments), function in _FUNCTIONS.items():
            connection.create_function(name, arguments, function)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")  # an epoch must not shrink when the power fails
    except BaseException:
        connection.close()
        raise
    return connection


def _as_dict(cursor: sqlite3.Cursor, row: tuple[object, ...]) -> Row:
    return {column[0]: value for column, value in zip(cursor.description, row, strict=True)}


def _translated(error: sqlite3.Error, path: Path) -> EvsupError:
    """Result codes: https://www.sqlite.org/rescode.html; the low byte is the primary one."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    what, why = f"The control store {path} failed", str(error)
    if code in _NOT_PERMITTED or (code == sqlite3.SQLITE_CANTOPEN and not os.access(path, os.R_OK | os.W_OK)):
        return NotPermitted(what, why, _FIX)
    if why.startswith(("no such table", "no such column")):
        return NoControlTables(what, why, schema.INIT)
    if code in _NOT_A_STORE:
        return ConfigurationError(what, why, "Check that CONTROL_SQLITE_PATH names evsup's file, or restore it.")
    return StoreUnavailable(what, why)

# ruff: noqa: D102 (each method is described where it is declared)
"""SQLite: the control store of one host.

Its clock is the host's. Somebody may set that clock while leases are held, and then a lease would look older or younger
than it is. So the file remembers what the host's clock said when the host was booted (`evsup_clock`). When that has
changed, the clock was set: leases, heartbeats and checkpoints are moved along with it, and keep their age.
"""

import os
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from shared.clock import HostClock
from shared.control import schema
from shared.control.database import CALL_S, Database, Mode, Row, Run, begin
from shared.control.queries import query
from shared.errors import ConfigurationError, EvsupError, NoControlTables, NotPermitted, StoreUnavailable

Identity: TypeAlias = tuple[int, int]
"""Device and inode of a file."""

NEVER_S = float("inf")
CLOSE_S = 2.0  # for a call under way to end
STEP_S = 0.5  # less is a clock that was read twice, or slewed


def _seconds(_field: str, at_s: object) -> float | None:
    """A time in seconds. SQLite stores anything: what is no time counts as never, so that no lease ends by it. Whoever
    reads such a row refuses it.
    """
    return float(at_s) if isinstance(at_s, int | float) else None if at_s is None else NEVER_S


# PostgreSQL's functions that the shared queries use, but for those that tell the time. Times are Unix seconds here.
_FUNCTIONS: dict[tuple[str, int], Callable[..., float | None]] = {
    ("date_part", 2): _seconds,
    ("to_timestamp", 1): lambda at_s: at_s,
    ("greatest", 2): max,
}

# The first has what was committed last, the second who holds which lock: https://www.sqlite.org/walformat.html
_COMPANIONS = ("-wal", "-shm")

_FIX = "Give this user the file and its directory, or change CONTROL_SQLITE_PATH."
_NOT_PERMITTED = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH}
_NOT_A_STORE = {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_SCHEMA, sqlite3.SQLITE_MISMATCH}


class SqliteDatabase(Database):
    """One file, in write-ahead mode so that readers and the writer do not wait for each other.

    Many threads and processes may use it, each process with an object of its own: the connection is guarded by a lock.
    The file must be on a local disk. Write-ahead mode needs memory shared by all users of the file, which network
    filesystems do not give (https://www.sqlite.org/wal.html); several hosts need PostgreSQL.
    """

    dialect = "sqlite"

    def __init__(self, path: str, clock: HostClock | None = None) -> None:
        self.path = Path(path).expanduser()
        self.address = str(self.path)
        self._clock = clock or HostClock()
        self._booted_s = self._began_s = 0.0
        """Unix time of the boot, by which leases are counted, and of the beginning of the transaction."""
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._file: Identity | None = None
        """The file that the connection has open."""
        self._companions: dict[Path, Identity | None] = {}
        """The files beside it, by their paths, that the connection has open as well."""
        self._closed = False

    @contextmanager
    def transaction(self, mode: Mode = "write") -> Iterator[Run]:
        with self._lock, self._translated():
            connection = self._connected(create=mode == "schema")
            # Before the clock is read: another process may move it until this one holds the lock.
            connection.execute(query(begin(mode), self.dialect))
            try:
                run = _Transaction(connection)
                self._set_clock(run, is_written=mode != "read")
                yield run
                connection.commit()
            finally:
                connection.rollback()  # of nothing, after a commit
            self._note_companions()

    def check_writes(self) -> None:
        # SQLite writes to files beside it as well. A transaction that writes would set the clock of the file.
        for path in (self.path, self.path.parent):
            if not os.access(path, os.W_OK):
                raise NotPermitted(f"Cannot write the control store {self.path}", f"{path} is read-only", _FIX)

    def close(self) -> None:
        self._closed = True
        # A call to a disk that stands still may have it for ever. Its connection ends with the process.
        if self._lock.acquire(timeout=CLOSE_S):
            try:
                if self._connection is not None:
                    self._connection.close()
                    self._connection = None
            finally:
                self._lock.release()

    def connect(self) -> sqlite3.Connection:
        """A new connection, with all functions that the queries call."""
        # Never created: an empty store in the wrong place looks like a fresh one.
        return self._opened(f"{self.path.absolute().as_uri()}?mode=rw")

    def _opened(self, uri: str) -> sqlite3.Connection:
        connection = _connect(uri)
        connection.create_function("now", 0, lambda: self._began_s)
        connection.create_function("clock_timestamp", 0, self._now_s)
        return connection

    def _now_s(self) -> float:
        return self._booted_s + self._clock.since_boot_s()

    def _set_clock(self, run: Run, *, is_written: bool) -> None:
        """Tell the time by the boot that the file remembers. A transaction that writes first moves that to what the
        clock says now, and what was written with it.
        """
        boot_id, booted_s = self._clock.boot_id(), self._clock.unix_s() - self._clock.since_boot_s()
        # Where the system does not name its boots, the file's may be another one.
        known_s = _booted_s(run, boot_id) if boot_id else None
        # No process of an earlier boot is alive, so its leases stay as they are and end.
        was_set = known_s is not None and abs(booted_s - known_s) >= STEP_S
        self._booted_s = booted_s if known_s is None or (was_set and is_written) else known_s
        self._began_s = self._now_s()
        if is_written and was_set:
            for table in ("leases", "heartbeats", "checkpoints"):
                run(f"move_{table}", step_s=self._booted_s - (known_s or 0.0))
        if is_written and boot_id and self._booted_s != known_s:
            run("create_clock")
            run("set_clock", boot_id=boot_id, booted_at=self._booted_s)

    def _connected(self, *, create: bool) -> sqlite3.Connection:
        if self._closed:
            raise StoreUnavailable(f"The control store {self.path} was closed")
        if self._connection is None:
            if create:
                self._prepare_file()
            # Before it is opened, and compared after that, as before each later call: it may be replaced in between.
            self._file = self._require_file()
            self._connection = self.connect()
            self._companions = dict.fromkeys(self._companion_paths())
        if self._require_file() != self._file:
            raise ConfigurationError(
                f"The control store {self.path} was replaced by another file",
                "what was written meanwhile is in the former one alone",
                "Start again. Stop evsup before a file is restored.",
            )
        self._refuse_other_companions()
        return self._connection

    def _note_companions(self) -> None:
        """After a transaction the connection has them open, and SQLite deletes them with the last connection alone."""
        for path, known in self._companions.items():
            self._companions[path] = known or _identity(path)

    def _refuse_other_companions(self) -> None:
        for path, known in self._companions.items():
            if known not in (None, _identity(path)):
                raise ConfigurationError(
                    f"{path} of the control store was deleted or replaced",
                    "SQLite goes on with the former one, and other processes with the new one",
                    "Start again. Stop evsup before files of its store are moved or deleted.",
                )

    def _companion_paths(self) -> Iterable[Path]:
        file = self.path.resolve()  # SQLite puts them beside the file that a link leads to
        return [file.with_name(file.name + suffix) for suffix in _COMPANIONS]

    def _prepare_file(self) -> None:
        """Create the file, private before SQLite opens it: its -wal and -shm files get the same mode."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        except PermissionError as error:
            raise NotPermitted(f"Cannot write the control store {self.path}", str(error.strerror), _FIX) from error
        except OSError as error:
            raise ConfigurationError(
                f"Cannot create the control store {self.path}", str(error.strerror), _FIX
            ) from error

    def _require_file(self) -> Identity | None:
        """Which file it is. SQLite itself goes on in one that was deleted, and says nothing."""
        try:
            facts = self.path.stat()
        except PermissionError as error:
            raise NotPermitted(f"Cannot open the control store {self.path}", str(error.strerror), _FIX) from error
        except (FileNotFoundError, NotADirectoryError) as error:
            what = f"There is no control store {self.path}"
            fix = f"{schema.INIT} Or change CONTROL_SQLITE_PATH."
            raise NoControlTables(what, str(error.strerror), fix) from error
        if not stat.S_ISREG(facts.st_mode):
            raise ConfigurationError(f"The control store {self.path} is no file", fix="Change CONTROL_SQLITE_PATH.")
        return facts.st_dev, facts.st_ino

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise translate(error, self.path) from error
        except OSError as error:  # the disk or the mount fails: the files may be there, and `init` would make others
            raise StoreUnavailable(f"The control store {self.path} failed", str(error.strerror)) from error


class MemoryDatabase(SqliteDatabase):
    """A database in memory, which only this object sees and which ends with it."""

    def __init__(self, clock: HostClock | None = None) -> None:
        super().__init__(":memory:", clock)

    def connect(self) -> sqlite3.Connection:
        return self._opened("file::memory:")

    def _prepare_file(self) -> None:
        """There is none."""

    def _require_file(self) -> None:
        """There is none, and so no other."""

    def _companion_paths(self) -> Iterable[Path]:
        return ()


class _Transaction:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __call__(self, name: str, /, **values: object) -> list[Row]:
        return self._connection.execute(query(name, SqliteDatabase.dialect), values).fetchall()


def _identity(path: Path) -> Identity | None:
    """Which file has that path; None where there is none."""
    try:
        facts = path.stat()
    except FileNotFoundError:
        return None
    return facts.st_dev, facts.st_ino


def _booted_s(run: Run, boot_id: str) -> float | None:
    """The Unix time of this boot that the file remembers; None when nothing was written since."""
    try:
        rows = run("clock", boot_id=boot_id)
    except sqlite3.OperationalError as error:
        if not str(error).startswith("no such table"):
            raise
        return None  # a file of an older evsup, or a new one
    return rows[0]["booted_at"] if rows else None


def _connect(uri: str) -> sqlite3.Connection:
    """A connection that begins no transaction by itself."""
    connection = sqlite3.connect(uri, uri=True, timeout=CALL_S, isolation_level=None, check_same_thread=False)
    try:
        connection.row_factory = _as_dict
        for (name, arguments), function in _FUNCTIONS.items():
            connection.create_function(name, arguments, function)
        connection.execute("PRAGMA journal_mode = WAL")
        # In write-ahead mode less than that would undo commits when the power fails, and an epoch must not shrink:
        # https://www.sqlite.org/pragma.html#pragma_synchronous
        connection.execute("PRAGMA synchronous = FULL")
    except BaseException:
        connection.close()
        raise
    return connection


def _as_dict(cursor: sqlite3.Cursor, row: tuple[object, ...]) -> Row:
    return {column[0]: value for column, value in zip(cursor.description, row, strict=True)}


def translate(error: sqlite3.Error, path: Path) -> EvsupError:
    """The error as one of ours. Result codes: https://www.sqlite.org/rescode.html; the low byte is the primary one."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    what, why = f"The control store {path} failed", str(error)
    if code in _NOT_PERMITTED or (code == sqlite3.SQLITE_CANTOPEN and not os.access(path, os.R_OK | os.W_OK)):
        return NotPermitted(what, why, _FIX)
    if why.startswith(("no such table", "no such column")):
        return NoControlTables(what, why, schema.INIT)
    if code == sqlite3.SQLITE_BUSY:
        return StoreUnavailable(what, why, f"Another program keeps it locked: `fuser -v {path}` shows which.")
    if code in _NOT_A_STORE:
        return ConfigurationError(what, why, "Check that CONTROL_SQLITE_PATH names evsup's file, or restore it.")
    return StoreUnavailable(what, why)

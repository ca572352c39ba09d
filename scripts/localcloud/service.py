"""A local service as a process of its own: started, awaited by its ready line, and stopped without a trace."""

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from multiprocessing import connection
from pathlib import Path
from typing import IO, Any, ClassVar, Self

from scripts.failure import Failed
from scripts.interrupt import held_back

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0
SHOWN_STDERR_BYTES = 4000
REPOSITORY = Path(__file__).resolve().parents[2]

_PR_SET_PDEATHSIG = 1


class ServiceError(Failed):
    """A service did not start, or ended by itself; the message carries the last of its stderr."""

    exit_code: ClassVar[int] = os.EX_UNAVAILABLE


class Service:
    """One child process. `ready` is the JSON object it printed when it began to listen."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], stderr: IO[bytes]) -> None:
        self.name = name
        self.ready: dict[str, Any] = {}
        self._process = process
        self._stderr = stderr

    @classmethod
    def start(
        cls,
        module: str,
        arguments: Sequence[str],
        environment: Mapping[str, str] | None = None,
        timeout_s: float = START_TIMEOUT_S,
        entrance: Sequence[str] = (),
    ) -> Self:
        """Run `python -m module` behind `entrance`, and wait for its ready line.

        Its stderr goes to a file that `stderr` reads. Raises `ServiceError` when it exits or is silent too long.
        """
        stderr = _anonymous_file(module)
        with contextlib.ExitStack() as failed:
            with held_back():
                process = subprocess.Popen(
                    [*entrance, sys.executable, "-m", module, *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=stderr,
                    cwd=REPOSITORY,
                    env={**os.environ, **(environment or {})},
                )
                service = cls(module, process, stderr)
                failed.callback(service.kill)
            service.ready = service._read_ready_line(time.monotonic() + timeout_s)
            failed.pop_all()
        return service

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Say whether the process is there."""
        return self._process.poll() is None

    def require_running(self) -> None:
        """Raise `ServiceError` when the process has ended."""
        if not self.running:
            raise ServiceError(f"{self.name} exited with {self._process.returncode}\n{self.stderr()}")

    def stderr(self) -> str:
        """Give the end of what the process wrote to stderr."""
        if self._stderr.closed:
            return ""
        size = os.fstat(self._stderr.fileno()).st_size
        start = max(0, size - SHOWN_STDERR_BYTES)
        return os.pread(self._stderr.fileno(), SHOWN_STDERR_BYTES, start).decode(errors="replace")

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> int:
        """Ask with SIGTERM, insist with SIGKILL; give the exit code. A stopped process stays stopped."""
        if self.running:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout_s)
        return self.kill()

    def kill(self) -> int:
        """End the process at once; give the exit code."""
        if self.running:
            self._process.kill()
        code = self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._stderr.close()
        return code

    def _read_ready_line(self, deadline: float) -> dict[str, Any]:
        assert self._process.stdout is not None
        descriptor, line = self._process.stdout.fileno(), b""
        while not line.endswith(b"\n"):
            left_s = deadline - time.monotonic()
            if left_s <= 0 or not connection.wait([descriptor], left_s):
                raise ServiceError(f"{self.name} did not get ready in time\n{self.stderr()}")
            chunk = os.read(descriptor, 65536)
            if not chunk:
                code = self._process.wait()
                raise ServiceError(f"{self.name} exited with {code} before it was ready\n{self.stderr()}")
            line += chunk
        ready = json.loads(line)
        if not isinstance(ready, dict):
            raise ServiceError(f"{self.name} printed {line!r} instead of a JSON object")
        return ready


def leave_with_parent(number: signal.Signals = signal.SIGTERM) -> None:
    """Make the kernel send a signal to this process when its parent dies, however it dies.

    The signal follows the thread that started this process, and a parent that died already sends none:
    https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html
    """
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
    if os.getppid() != parent:
        os.kill(os.getpid(), number)


def _anonymous_file(name: str) -> IO[bytes]:
    return os.fdopen(os.memfd_create(name), "w+b", buffering=0)

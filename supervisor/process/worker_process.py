"""The Unix process of a worker, as it is started: with a pipe for messages and a pipe for its stderr."""

import os
import signal
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing import Pipe
from typing import TYPE_CHECKING, Protocol, TypeAlias

from shared import limits
from shared.clock import monotonic
from shared.eventhubs.identity import Identity
from shared.ipc import spawn
from shared.ipc.fork_server import Started
from shared.ipc.messages import Lease, Report, TableColumns
from shared.ipc.pipe import MessagePipe
from shared.model import Term
from supervisor.process.signals import HANDLED
from supervisor.process.stderr_relay import StderrRelay
from worker.main import Boot, run

if TYPE_CHECKING:
    from multiprocessing.connection import Connection


@dataclass(frozen=True, slots=True)
class WorkerProcess:
    """A process that was started, and the supervisor's ends of its pipes."""

    process: Started
    pipe: MessagePipe[Report]
    stderr: StderrRelay

    @property
    def pid(self) -> int:
        """Its process id, also after its end."""
        return self.process.pid or 0

    @property
    def has_exited(self) -> bool:
        """Whether it has ended."""
        return not self.process.is_alive()

    def kill(self) -> None:
        """Send SIGKILL, unless it has exited: its pid may belong to another process by then."""
        if not self.has_exited:
            self.process.kill()

    def show_stacks(self) -> None:
        """Have it write the stacks of its threads to its stderr."""
        if not self.has_exited:
            # The worker's handler is in C (`worker.main`): it runs also while native code holds the interpreter.
            # https://docs.python.org/3/library/faulthandler.html#faulthandler.register
            os.kill(self.pid, signal.SIGUSR1)

    def reap(self) -> int:
        """The exit code of a process that has exited; negative: the signal that ended it."""
        self.process.join()
        return self.process.exitcode or 0


Start: TypeAlias = Callable[[Term, float, TableColumns | None], WorkerProcess]


class Begin(Protocol):
    """Runs `worker.main.run` with the order, a pipe, and a pipe for its stderr, in a process of its own."""

    def __call__(
        self, order: Boot, stderr: "Connection[bytes, bytes]", /, *, name: str
    ) -> "tuple[Started, Connection[bytes, bytes]]":
        """The process, and our end of the pipe. Raises the kernel's OSError."""


def spawned(
    order: Boot, stderr: "Connection[bytes, bytes]", /, *, name: str
) -> "tuple[Started, Connection[bytes, bytes]]":
    """As `Begin`."""
    return spawn.start(run, order, stderr, name=name, held_back=HANDLED)


def start(
    term: Term,
    trusted_until_s: float,
    columns: TableColumns | None = None,
    turn_s: Callable[[], float] = monotonic,
    begin: Begin = spawned,
) -> WorkerProcess:
    """Start the worker of a term. Only from the main thread: the kernel ends a worker with the thread that started it.

    `turn_s` says from when on it may ask the hub. Raises LimitReached or ConfigurationError when the kernel does not
    give what a process takes.
    """
    lease = Lease(trusted_until_s=trusted_until_s)
    try:
        return _started(Boot(term, lease, os.getpid(), Identity.has_signed_in, turn_s(), columns), begin)
    except OSError as error:
        raise limits.start_limit_error(error, f"No worker can be started for partition {term.partition_id}") from None


def _started(boot: Boot, begin: Begin) -> WorkerProcess:
    name = f"evsup-worker-{boot.term.partition_id}"
    stderr, their_stderr = Pipe(duplex=False)
    # Our copy of the worker's end is closed in any case: as long as one is open, the end of its stderr is never seen.
    with ExitStack() as after_failure, their_stderr:
        after_failure.callback(stderr.close)
        process, ours = begin(boot, their_stderr, name=name)
        after_failure.pop_all()
    return WorkerProcess(process, MessagePipe(ours, Report), StderrRelay(stderr, f"partition {boot.term.partition_id}"))

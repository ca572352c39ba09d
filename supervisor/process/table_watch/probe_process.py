"""The process of `probe`, as the supervisor sees it: started for a question, and again after it was given up."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from shared.errors import ProtocolError
from shared.ipc.exit_code import ended
from shared.ipc.messages import CheckTable, TableReport
from supervisor.process.table_watch.probe import WHO

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

    from shared.ipc.pipe import MessagePipe

RunningProbe: TypeAlias = "tuple[BaseProcess, MessagePipe[TableReport]]"
StartProbe: TypeAlias = Callable[[], RunningProbe]

EXIT_S = 0.5  # at most, until a process whose pipe has ended has an exit code: the kernel needs a moment


class ProbeProcess:
    """At most one process at a time. No method blocks, but for the `EXIT_S` of one that has just exited."""

    def __init__(self, start: StartProbe) -> None:
        self._start = start
        self._running: RunningProbe | None = None
        self._killed: BaseProcess | None = None

    @property
    def is_running(self) -> bool:
        """Whether there is a process to ask."""
        return self._running is not None

    def fds(self) -> list[int]:
        """File descriptors that wake a turn."""
        return [self._running[1].fileno()] if self._running else []

    def ask(self) -> None:
        """Request a check, of a new process if there is none. Raises as `start`."""
        self._running = self._running or self._start()
        self._running[1].send(CheckTable(), topic="check")

    def receive(self) -> TableReport | None:
        """The newest result, if one has arrived: the one before may be of a check that had no answer in time.

        A process that has exited, or that cannot be understood, is given up: raises what `ended` says of its exit code,
        or ProtocolError.
        """
        if self._running is None:
            return None
        process, pipe = self._running
        pipe.flush()
        try:
            reports = pipe.receive()
        except ProtocolError:
            self.close()
            raise
        if reports:
            return reports[-1]
        if pipe.ended:
            process.join(EXIT_S)
            failure = ended(WHO, process.pid, process.exitcode)
            self.close()  # after the exit code was read: this kills
            raise failure
        return None

    def close(self) -> None:
        """Kill it, and do not wait for its exit: in kernel state D it may take minutes."""
        if self._running:
            (self._killed, pipe), self._running = self._running, None
            self._killed.kill()
            pipe.close()

    def killed_has_exited(self) -> bool:
        """Whether another one may be started: a stuck disk would keep them all."""
        if self._killed and not self._killed.is_alive():  # which also reaps it
            self._killed = None
        return self._killed is None

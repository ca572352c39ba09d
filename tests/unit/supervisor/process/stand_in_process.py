"""A process that never runs, in place of one that the supervisor has started."""

import os
from multiprocessing.process import BaseProcess

NO_PID = 2**22 + 1  # more than the kernel gives (https://man7.org/linux/man-pages/man5/proc_sys_kernel.5.html, pid_max)


class StandInProcess(BaseProcess):
    """A process that ends when a test says so, or when it is killed."""

    def __init__(self) -> None:
        self.code: int | None = None
        self.kills = 0
        self.is_stuck = False
        """In the kernel, where a kill does not reach it."""
        self.reader, self._writer = os.pipe()

    @property
    def pid(self) -> int:
        return NO_PID

    @property
    def exitcode(self) -> int | None:
        return self.code

    @property
    def sentinel(self) -> int:
        return self.reader

    def is_alive(self) -> bool:
        return self.code is None

    def kill(self) -> None:
        self.kills += 1
        self.code = None if self.is_stuck else -9

    def join(self, timeout: float | None = None) -> None:
        assert self.code is not None

    def close(self) -> None:
        os.close(self.reader)
        os.close(self._writer)

"""Orphans that the kernel makes children of this process: they are reaped.

Otherwise they would stay zombies as long as it runs. PID 1 of a container gets all orphans, and any supervisor those of
a fork server that was killed while it forked.

https://man7.org/linux/man-pages/man7/pid_namespaces.7.html
"""

import os
from collections.abc import Collection
from contextlib import suppress
from multiprocessing import active_children
from pathlib import Path

from shared.ipc.vitals import parent_and_state

EVERY_S = 5.0


class OrphanReaper:
    """Reaps child processes that evsup has not started.

    A child is reaped after it was a zombie at two looks. A process that a library has started (`az`, for a credential)
    is not one for so long: the library waits for its exit code, and reads it at once.
    """

    def __init__(self) -> None:
        self._zombies: set[int] = set()
        self._due_s = 0.0

    def reap(self, own: Collection[int], now_s: float) -> None:
        """Look for zombies when it is time. `own` are the pids of the workers, whose exit codes the tree reads."""
        if now_s < self._due_s:
            return
        self._due_s = now_s + EVERY_S
        # It reaps the processes that it has started, a lost fork server among them, and keeps their exit codes: a pid
        # whose end it does not know of would be killed with the fork server, and be another's by then.
        active_children()
        zombies = {pid for pid in _zombies() if pid not in own} if _has_ended_child() else set()
        for pid in zombies & self._zombies:
            # Whoever started it has reaped it meanwhile.
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        self._zombies = zombies


def _zombies() -> list[int]:
    pids: list[int] = []
    with suppress(OSError):  # no file descriptor is left to look: the next look finds them
        pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    return [pid for pid in pids if parent_and_state(pid) == (os.getpid(), "Z")]


def _has_ended_child() -> bool:
    """Whether there is a zombie at all, which is left as it is. There hardly ever is, and then /proc is not read."""
    try:
        return os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:  # there is no child
        return False

"""Orphans that the kernel makes children of this process, as PID 1 of a container: they are reaped.

Otherwise they would stay zombies as long as the container runs.

https://man7.org/linux/man-pages/man7/pid_namespaces.7.html
"""

import ctypes
import os
from collections.abc import Collection
from contextlib import suppress
from multiprocessing import active_children
from pathlib import Path

from shared.ipc.memory import parent_and_state

PR_GET_CHILD_SUBREAPER = 37  # <linux/prctl.h>
EVERY_S = 5.0


class OrphanReaper:
    """Reaps child processes that evsup has not started.

    A child is reaped after it was a zombie at two looks. A process that a library has started (`az`, for a credential)
    is not one for so long: the library waits for its exit code, and reads it at once.
    """

    def __init__(self) -> None:
        self._gets_orphans = os.getpid() == 1 or _is_subreaper()
        self._zombies: set[int] = set()
        self._due_s = 0.0

    def reap(self, own: Collection[int], now_s: float) -> None:
        """Look for zombies when it is time. `own` are the pids of the workers, whose exit codes the tree reads."""
        if not self._gets_orphans or now_s < self._due_s:
            return
        self._due_s = now_s + EVERY_S
        # It reaps the processes that it has started, and keeps their exit codes: a pid whose end it does not know of
        # would be killed with the fork server, and be another's by then.
        active_children()
        zombies = {pid for pid in _zombies() if pid not in own}
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


def _is_subreaper() -> bool:
    answer = ctypes.c_int(0)
    ctypes.CDLL(None, use_errno=True).prctl(PR_GET_CHILD_SUBREAPER, ctypes.byref(answer))
    return bool(answer.value)

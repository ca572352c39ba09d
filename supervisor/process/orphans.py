"""Orphans that the kernel gave to this process, as PID 1 of a container: reaped, or they would stay zombies for ever.

https://man7.org/linux/man-pages/man7/pid_namespaces.7.html
"""

import ctypes
import os
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from shared.ipc.memory import parent_and_state

PR_GET_CHILD_SUBREAPER = 37  # <linux/prctl.h>
EVERY_S = 5.0


class OrphanReaper:
    """Children that nobody here has started.

    One is reaped when it was a zombie at two looks: the exit code of a process that a library of ours has started
    (`az`, for a credential) belongs to who waits for it, and is fetched at once.
    """

    def __init__(self) -> None:
        self._gets_orphans = os.getpid() == 1 or _is_subreaper()
        self._dead: set[int] = set()
        self._due_s = 0.0

    def reap(self, own: Collection[int], now_s: float) -> None:
        """Take a look when it is time; `own` are the workers, whose exit codes are the tree's."""
        if not self._gets_orphans or now_s < self._due_s:
            return
        self._due_s = now_s + EVERY_S
        dead = {pid for pid in _zombies() if pid not in own}
        for pid in dead & self._dead:
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        self._dead = dead


def _zombies() -> list[int]:
    pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    return [pid for pid in pids if parent_and_state(pid) == (os.getpid(), "Z")]


def _is_subreaper() -> bool:
    answer = ctypes.c_int(0)
    ctypes.CDLL(None, use_errno=True).prctl(PR_GET_CHILD_SUBREAPER, ctypes.byref(answer))
    return bool(answer.value)

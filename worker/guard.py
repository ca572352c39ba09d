"""No orphan, no writer past its lease: a thread that ends the process when the loop cannot.

A worker may be stuck in native code when its supervisor dies, and Python signal handlers do not run there. So the
kernel kills it with its parent, and this thread, which holds no lock of anybody, is the portable second guard.
"""

import ctypes
import os
import signal
import threading
from collections.abc import Callable
from multiprocessing import connection, parent_process

from shared.clock import monotonic
from shared.errors import ExitCode

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
CHECK_S = 0.5
LEASE_GRACE_S = 1.0  # the loop notices the end of its lease itself; this much later it is stuck


def die_with(parent_pid: int) -> None:
    """Have the kernel kill this process when the thread that started it ends.

    The setting covers no parent that died before the call, so its pid is compared after:
    https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html
    """
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        os._exit(ExitCode.TEMPORARY)


def watch(trusted_until_s: Callable[[], float]) -> threading.Thread:
    """Start the guard: it leaves by `os._exit` when the supervisor is gone or the lease is over and nothing happened.

    `os._exit` runs no finalizer, and a channel's finalizer is what must not run: it would flush.
    """
    thread = threading.Thread(target=_watch, args=(trusted_until_s,), name="guard", daemon=True)
    thread.start()
    return thread


def _watch(trusted_until_s: Callable[[], float]) -> None:
    parent = parent_process()
    sentinels = [parent.sentinel] if parent else []
    while not connection.wait(sentinels, CHECK_S):
        if is_overdue(monotonic(), trusted_until_s()):
            break
    os._exit(ExitCode.TEMPORARY)


def is_overdue(now_s: float, trusted_until_s: float) -> bool:
    """Whether the lease has been over for so long that the loop must be stuck."""
    return now_s > trusted_until_s + LEASE_GRACE_S

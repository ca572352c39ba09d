"""No orphan, and no writer past its lease: the guard ends the process when its loop cannot.

A worker may be stuck in native code when its supervisor dies, and Python signal handlers do not run there. So the
kernel kills it with its parent. The guard, a thread that takes no lock which others hold, is the second means: it works
on any kernel, and ends a worker whose lease has ended, too.
"""

import ctypes
import os
import signal
import threading
from collections.abc import Callable
from multiprocessing import connection, parent_process

from shared.clock import monotonic
from shared.errors import ExitCode
from shared.ipc.exit_code import LEASE_OVER

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
CHECK_S = 0.5
LEASE_GRACE_S = 1.0  # the loop notices the end of its lease by itself; if it has not so much later, it is stuck


def die_with(parent_pid: int) -> None:
    """Have the kernel kill this process when the thread that started it ends.

    https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html
    """
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    # After the call, which does not cover a parent that died before it.
    if os.getppid() != parent_pid:
        os._exit(ExitCode.TEMPORARY)


def watch(trusted_until_s: Callable[[], float]) -> threading.Thread:
    """Start the guard. It ends the process when the supervisor has exited, or the loop is stuck past the lease.

    `os._exit` runs no finalizer. A channel's finalizer would flush, and must not run.
    """
    thread = threading.Thread(target=keep_watch, args=(trusted_until_s,), name="guard", daemon=True)
    thread.start()
    return thread


def keep_watch(trusted_until_s: Callable[[], float]) -> None:
    """What the guard does: wait for one of the two, and end the process."""
    parent = parent_process()
    sentinels = [parent.sentinel] if parent else []
    while not connection.wait(sentinels, CHECK_S):
        if is_overdue(monotonic(), trusted_until_s()):
            break
    os._exit(LEASE_OVER)


def is_overdue(now_s: float, trusted_until_s: float) -> bool:
    """Whether the lease ended so long ago that the loop must be stuck."""
    return now_s > trusted_until_s + LEASE_GRACE_S

"""Why a worker exited that reported nothing: a pure decision over its exit code."""

from shared.errors import EvsupError, OwnershipLost
from shared.ipc import exit_code


def unreported_exit(code: int, pid: int, epoch: int, *, is_out_of_memory: bool) -> EvsupError:
    """The failure of a worker that exited with `code`, a negative one for a signal.

    `is_out_of_memory` says whether the kernel has killed a process of this cgroup for want of memory meanwhile.
    """
    if code == exit_code.LEASE_OVER:  # of worker.guard, which ends the process before it can report anything
        return OwnershipLost(
            "The worker exited at the end of its lease",
            f"its loop was stuck or stopped (epoch {epoch})",
            "Nothing is lost. Start again; another supervisor may hold the partition.",
        )
    return exit_code.ended("The worker", pid, code, is_out_of_memory=is_out_of_memory)

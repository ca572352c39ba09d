"""Why a worker exited that reported nothing: a pure decision over its exit code."""

import signal

from shared.errors import EvsupError, ExitCode, OwnershipLost, WorkerCrashed, WorkerKilled

# Of native code, to itself (https://man7.org/linux/man-pages/man7/signal.7.html). All others come from outside.
FAULTS = {
    signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSEGV, signal.SIGSYS, signal.SIGTRAP
}  # fmt: skip
WHY: dict[int, str] = {
    signal.SIGKILL: "an operator did it, or the kernel because memory ran out",
    signal.SIGXCPU: "it has used the processor time that it may (`ulimit -t`, LimitCPU=)",
}


def unreported_exit(code: int, pid: int, epoch: int, *, is_out_of_memory: bool) -> EvsupError:
    """The failure of a worker that exited with `code`, a negative one for a signal.

    `is_out_of_memory` says whether the kernel has killed a process of this cgroup for want of memory meanwhile.
    """
    if code == ExitCode.TEMPORARY:  # of worker.guard, which ends the process before it can report anything
        return OwnershipLost(
            "The worker exited at the end of its lease",
            f"its loop was stuck or stopped (epoch {epoch})",
            "Nothing is lost. Start again; another supervisor may hold the partition.",
        )
    if code >= 0:
        return WorkerCrashed(
            "The worker exited without reporting an error", f"exit code {code}", "See its last lines above."
        )
    return _killed(-code, pid, is_out_of_memory=is_out_of_memory)


def _killed(number: int, pid: int, *, is_out_of_memory: bool) -> EvsupError:
    if number == signal.SIGKILL and is_out_of_memory:
        return WorkerKilled(
            f"The worker (pid {pid}) was killed by the kernel",
            "memory ran out in its cgroup",
            "Nothing is lost. Give it more memory (MemoryMax=, the container's limit), or lower EVENTHUB_PREFETCH,"
            " EVSUP_MAX_PARTITIONS and SNOWFLAKE_MAX_INFLIGHT_BYTES.",
        )
    if number in FAULTS:
        return WorkerCrashed(f"The worker (pid {pid}) died of {_name(number)}", "a fault in native code", "")
    return WorkerKilled(
        f"The worker (pid {pid}) was killed by {_name(number)}",
        WHY.get(number, "somebody sent it"),
        "Start again: it resumes after the last committed row. `dmesg` shows what the kernel did.",
    )


def _name(number: int) -> str:
    """SIGKILL, for example; the real-time signals have no such names."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number} ({signal.strsignal(number)})"

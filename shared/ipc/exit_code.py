"""Why a process ended that reported nothing: a pure decision over its exit code."""

import signal

from shared.errors import EvsupError, WorkerCrashed, WorkerKilled
from shared.fixes import MORE_MEMORY

# Of a worker that its guard ends, because its loop is stuck past the lease (worker/guard.py). No code of sysexits(3) or
# of a shell: a mapper or a library that ends the process with 75 would seem to have lost the lease.
LEASE_OVER = 113

# Of native code, to itself (https://man7.org/linux/man-pages/man7/signal.7.html). All others come from outside.
FAULTS = {
    signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSEGV, signal.SIGSYS, signal.SIGTRAP
}  # fmt: skip
WHY: dict[int, str] = {
    signal.SIGKILL: "an operator did it, or the kernel because memory ran out",
    signal.SIGXCPU: "it has used the processor time that it may (`ulimit -t`, LimitCPU=)",
}


def ended(who: str, pid: int | None, code: int | None, *, is_out_of_memory: bool = False) -> EvsupError:
    """The failure of a process that exited with `code`, a negative one for a signal; `who` is "The worker", say.

    `is_out_of_memory` says whether the kernel has killed a process of this cgroup for want of memory meanwhile.
    """
    if code is None or code >= 0:
        return WorkerCrashed(
            f"{who} exited without reporting an error",
            f"exit code {code}",
            "See its last lines above. A mapper (EVSUP_MAPPER) or a library may have ended it, as os._exit does.",
        )
    who, number = f"{who} (pid {pid})", -code
    if number == signal.SIGKILL and is_out_of_memory:
        return WorkerKilled(f"{who} was killed by the kernel", "memory ran out in its cgroup", MORE_MEMORY)
    if number in FAULTS:
        return WorkerCrashed(f"{who} died of {_name(number)}", "a fault in native code", "")
    return WorkerKilled(
        f"{who} was killed by {_name(number)}",
        WHY.get(number, "somebody sent it"),
        "Start again: nothing is lost. `dmesg` shows what the kernel did.",
    )


def _name(number: int) -> str:
    """SIGKILL, for example; the real-time signals have no such names."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number} ({signal.strsignal(number)})"

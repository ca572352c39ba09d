"""Limits of the host that were reached: descriptors, processes, memory, disk. Errors of the kernel, as ours."""

import errno
import os
import resource
from pathlib import Path

from shared.errors import ConfigurationError, EvsupError, LimitReached
from shared.fixes import MORE_MEMORY

# In a supervisor: pipe, stderr and handle of a worker. Beside them it has some 20, starts a worker with 4, and may ask
# the hub meanwhile.
DESCRIPTORS_A_WORKER, DESCRIPTORS_BESIDE = 3, 28
THREADS_A_WORKER = 25  # to plan with; it has about 10 (docs/operations.md)
MOST_DESCRIPTORS = 65_536  # enough for 20,000 partitions; some hosts allow a billion, and tables would be as long

_CGROUPS = Path("/sys/fs/cgroup")


def raise_descriptors(workers: int) -> None:
    """Raise the soft limit to what so many workers take. Raises ConfigurationError when the hard limit is below that.

    The soft limit is 1,024 for the sake of programs that call select(2): https://0pointer.net/blog/file-descriptor-limits.html
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MOST_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    needed, room = workers * DESCRIPTORS_A_WORKER + DESCRIPTORS_BESIDE, max(soft, most)
    if soft != resource.RLIM_INFINITY and needed > room:
        fits = (room - DESCRIPTORS_BESIDE) // DESCRIPTORS_A_WORKER
        raise ConfigurationError(
            f"{workers} partitions need {needed} file descriptors",
            f"the hard limit of this process is {hard}",
            "Raise it (LimitNOFILE= in the unit, `ulimit -Hn` in a shell)"
            + (f", or set EVSUP_MAX_PARTITIONS={fits}." if fits > 0 else "."),
        )


def limit_error(error: BaseException, what: str) -> EvsupError | None:
    """The error as one of ours when it is about a limit of the host, because of which `what`; None for any other."""
    if isinstance(error, MemoryError) or "malloc failure" in str(error):  # the second: of OpenSSL, within any library
        return LimitReached(what, "Python is out of memory", MORE_MEMORY)
    if isinstance(error, RuntimeError) and "can't start new thread" in str(error):
        return _processes(what, str(error))
    file = f"{error.filename}: " if isinstance(error, OSError) and error.filename else ""
    match error.errno if isinstance(error, OSError) else None:
        case errno.EMFILE:
            why, fix = "this process has as many descriptors as it may", "Raise the limit (LimitNOFILE=, `ulimit -n`)"
            return ConfigurationError(what, why, f"{fix}, or lower EVSUP_MAX_PARTITIONS.")
        case errno.EFBIG:
            why, fix = f"{file}a file is as large as it may be", "Raise the limit (LimitFSIZE=, `ulimit -f`)."
            return ConfigurationError(what, why, fix)
        case errno.ENFILE:
            return LimitReached(what, "the host has no file descriptors left", "`sysctl fs.file-max` is the limit.")
        case errno.ENOMEM:
            return LimitReached(what, "the kernel has no memory left for it", MORE_MEMORY)
        case errno.ENOSPC | errno.EDQUOT as number:
            return LimitReached(what, f"{file}{os.strerror(number)}", "Make room. Nothing is lost.")
    return None


def start_limit_error(error: OSError, what: str) -> EvsupError:
    """Why the kernel starts no further process: fork(2) also gives EAGAIN."""
    if error.errno == errno.EAGAIN:
        return _processes(what, "the kernel refuses to start another process")
    return limit_error(error, what) or LimitReached(what, str(error), "Start again.")


def _processes(what: str, why: str) -> EvsupError:
    fix = "Raise the limit of processes and threads (TasksMax=, `ulimit -u`, the container's pids limit): a worker has"
    return LimitReached(what, why, f"{fix} some {THREADS_A_WORKER}. Or lower EVSUP_MAX_PARTITIONS. Nothing is lost.")


def oom_kills(own: Path = Path("/proc/self/cgroup"), cgroups: Path = _CGROUPS) -> int | None:
    """How many processes of this cgroup the kernel has killed because memory ran out; None: it does not say.

    https://docs.kernel.org/admin-guide/cgroup-v2.html (memory.events), and v1's memory.oom_control.
    """
    try:
        for line in own.read_text().splitlines():
            number, controllers, path = line.split(":", 2)
            if number == "0" and (found := _oom_kills(cgroups / path.lstrip("/") / "memory.events")) is not None:
                return found
            if controllers == "memory":
                return _oom_kills(cgroups / "memory" / path.lstrip("/") / "memory.oom_control")
    except (OSError, ValueError):
        pass
    return None


def _oom_kills(path: Path) -> int | None:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), None)

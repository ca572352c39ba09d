"""What can be seen of a process while it runs: its memory, its state and processor time, where its threads stand."""

import os
import sys
import threading
import traceback
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def rss_bytes() -> int:
    """Resident memory of this process (https://man7.org/linux/man-pages/man5/proc_pid_statm.5.html).

    0 while no file descriptor is left to read it: no work ends because of a figure.
    """
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_BYTES
    except OSError:
        return 0


def stacks() -> dict[str, list[str]]:
    """Where each thread of this process stands, the innermost call last, without the values of variables."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    return {
        names.get(ident, str(ident)): [
            f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_stack(innermost)
        ]
        for ident, innermost in sys._current_frames().items()
    }


@dataclass(frozen=True, slots=True)
class Vitals:
    """One look at a process (https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html)."""

    state: str
    """Of its main thread: S sleeps, D waits for a disk, T is stopped, R runs or waits for a processor."""
    wants_cpu: bool
    """Whether any thread runs or waits for a processor."""
    cpu_s: float
    """Processor time of all threads, in steps of 10 ms."""


def vitals(pid: int) -> Vitals | None:
    """What the kernel says of the process; None when it has ended, or no file descriptor is left to look."""
    try:
        state, *fields = _stat(Path(f"/proc/{pid}/stat"))
        threads = [_stat(task / "stat")[0] for task in Path(f"/proc/{pid}/task").iterdir()]
    except OSError:
        return None
    user, system = fields[10:12]  # utime and stime, the 14th and the 15th of the line
    return Vitals(state, "R" in threads, (int(user) + int(system)) / _TICKS_PER_S)


def parent_and_state(pid: int) -> tuple[int, str] | None:
    """Its parent, and its state: Z is a zombie. None as of `vitals`."""
    try:
        state, parent, *_ = _stat(Path(f"/proc/{pid}/stat"))
    except OSError:
        return None
    return int(parent), state


def _stat(path: Path) -> list[str]:
    """From the third field on: the second is a name, in brackets, with whatever somebody put into it."""
    return path.read_text(errors="replace").rpartition(")")[2].split()

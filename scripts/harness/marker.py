"""Finds all processes of a run in `/proc`: by a marker in their environment, and by their process group."""

import secrets
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

MARKER = "TEST_RUN_MARKER"
ENDED = "Z"  # a zombie


def new_marker() -> dict[str, str]:
    """The variables that mark one run and everything it starts."""
    # Without the second one setproctitle writes over /proc/PID/environ, where the marker is looked for.
    return {MARKER: secrets.token_hex(8), "SPT_NOENV": "1"}


def marked(marker: str) -> list[int]:
    """Processes that carry a run's marker in their environment."""
    wanted = f"{MARKER}={marker}".encode()
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if wanted in (directory / "environ").read_bytes():
                found.append(int(directory.name))
    return found


def command_lines(marker: str) -> dict[int, str]:
    """What the processes of a run are called, by id. One that ends while it is looked at is left out."""
    found = {}
    for pid in marked(marker):
        with suppress(OSError):
            found[pid] = Path(f"/proc/{pid}/cmdline").read_text()
    return found


def grouped(leader: int) -> list[int]:
    """Processes of a process group that have not ended. `marked` does not see one that is just starting a program: the
    kernel shows no environment then.
    """
    return [pid for pid, state, group in processes() if group == leader and state != ENDED]


def processes() -> Iterator[tuple[int, str, int]]:
    """Every process of this machine, zombies too: its id, its state as a letter, and its process group."""
    for directory in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            state, _, group, *_ = _stat(int(directory.name))
            yield int(directory.name), state, int(group)


def process_state(pid: int) -> str:
    """The kernel's letter for what a process does (`T` stopped, `Z` ended); empty when there is no such process."""
    try:
        return _stat(pid)[0]
    except OSError:
        return ""


def _stat(pid: int) -> list[str]:
    """State, parent, process group and so on: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()

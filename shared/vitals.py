"""What the kernel says of this process."""

import os
from pathlib import Path

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def rss_bytes() -> int:
    """Resident memory of this process (https://man7.org/linux/man-pages/man5/proc_pid_statm.5.html)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_BYTES

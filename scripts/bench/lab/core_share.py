"""Part of a core for each worker, so that cores stay free on a small machine. Control groups do it; root may make them.

https://docs.kernel.org/scheduler/sched-bwc.html, https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SHARE = 0.25
PERIOD_US = 10_000
VERSION_1, VERSION_2 = Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup")


def is_possible() -> bool:
    """Whether control groups with a limit may be made here."""
    try:
        with _group("probe"):
            return True
    except OSError:
        return False


@contextmanager
def limited(pid: int) -> Iterator[None]:
    """A process that may use `SHARE` of a core from now on. It has to have ended when this is left."""
    with _group(str(pid)) as group:
        (group / "cgroup.procs").write_text(str(pid))
        yield


@contextmanager
def _group(name: str) -> Iterator[Path]:
    is_version_1 = (VERSION_1 / "cpu.cfs_quota_us").exists()
    group = (VERSION_1 if is_version_1 else VERSION_2) / f"evsup-bench-{name}"
    group.mkdir()
    try:
        quota_us = int(SHARE * PERIOD_US)
        if is_version_1:
            (group / "cpu.cfs_period_us").write_text(str(PERIOD_US))
            (group / "cpu.cfs_quota_us").write_text(str(quota_us))
        else:
            (group / "cpu.max").write_text(f"{quota_us} {PERIOD_US}")
        yield group
    finally:
        group.rmdir()

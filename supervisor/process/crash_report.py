"""What was known when a worker failed, as a file for the morning after."""

import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from shared.command_line import complete
from shared.log.logger import get_logger
from shared.log.secret import mask
from supervisor.process.child import Child
from supervisor.status.model import PartitionStatus

KEPT = 20
log = get_logger()


class CrashReport(msgspec.Struct, frozen=True, kw_only=True):
    """The first failure of a tree: the reason, the worker's last report, its last lines on stderr and its stacks."""

    at: str
    """UTC, ISO 8601."""
    error: str
    exit_code: int
    what: str
    why: str
    fix: str
    worker: PartitionStatus
    stderr: tuple[str, ...]
    stacks: tuple[str, ...] = ()
    """Where the threads of a worker stood that hung; none when it could not answer any more (it was stopped)."""


def write(directory: Path, child: Child, now_s: float) -> Path | None:
    """Write the report of a failed child (mode 0600), keep the newest 20; None when the disk does not take it."""
    assert child.failure is not None  # noqa: S101 (the caller's only reason to call)
    at = datetime.now(UTC)
    report = CrashReport(
        at=at.isoformat(timespec="milliseconds"),
        error=type(child.failure).__name__,
        exit_code=child.failure.exit_code,
        what=mask(child.failure.what),
        why=mask(child.failure.why),
        fix=complete(child.failure.fix),
        worker=child.describe(now_s),
        stderr=tuple(mask(line) for line in child.stderr_lines),
        stacks=tuple(mask(line) for line in child.stacks),
    )
    path = directory / f"crash-{at:%Y%m%dT%H%M%S.%fZ}-p{child.term.partition_id}.json"
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(report), indent=2))
    except OSError as error:
        log.warning("crash_report_not_written", reason=str(error))
        return None
    _forget_old_ones(directory)
    return path


def _forget_old_ones(directory: Path) -> None:
    for old in sorted(directory.glob("crash-*.json"))[:-KEPT]:
        with suppress(OSError):  # a directory of that name, say: it is not ours
            old.unlink()

"""What was known when the first worker of a tree failed, as a file in the state directory."""

from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from shared.command_line import complete
from shared.errors import EvsupError
from shared.log.logger import get_logger
from shared.log.secret import mask
from supervisor.json_text import encoded, write_new
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
    """Stacks of the threads of a worker that hung; none when it could not write them (it was stopped)."""


def write(
    directory: Path, failure: EvsupError, worker: PartitionStatus, stderr: Iterable[str], stacks: Iterable[str]
) -> Path | None:
    """Write the report of a failed worker (mode 0600), keep the newest 20; None when the disk does not take it."""
    at = datetime.now(UTC)
    report = CrashReport(
        at=at.isoformat(timespec="milliseconds"),
        error=type(failure).__name__,
        exit_code=failure.exit_code,
        what=mask(failure.what),
        why=mask(failure.why),
        fix=complete(failure.fix),
        worker=worker,
        stderr=tuple(mask(line) for line in stderr),
        stacks=tuple(mask(line) for line in stacks),
    )
    path = directory / f"crash-{at:%Y%m%dT%H%M%S.%fZ}-p{worker.partition}.json"
    try:
        write_new(path, msgspec.json.format(encoded(report), indent=2))
    except OSError as error:
        log.warning("crash_report_not_written", reason=str(error))
        return None
    _forget_old_ones(path)
    return path


def _forget_old_ones(newest: Path) -> None:
    # One of a later time is old, too: the clock was set back since.
    reports = sorted(newest.parent.glob("crash-*.json"), key=lambda each: (each.name <= newest.name, each.name))
    for old in reports[:-KEPT]:
        with suppress(OSError):  # a directory of that name, say: it is not ours
            old.unlink()

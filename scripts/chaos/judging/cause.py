"""Exit code, last line, log, crash report and status have to name the same cause."""

import signal
from collections.abc import Iterator, Sequence
from contextlib import suppress

import msgspec

from scripts.chaos.judging.broken import InvariantBroken
from shared.errors import ExitCode
from supervisor.process.crash_report import CrashReport

KILLED, SIGNALLED = -signal.SIGKILL, (-signal.SIGTERM, -signal.SIGINT)
STARTED_AGAIN = (ExitCode.OK, ExitCode.UNAVAILABLE, ExitCode.TEMPORARY, KILLED)
"""How a tree may end under faults that pass; anything else asks for a person, and there is nothing for one to do."""


class Failure(msgspec.Struct, frozen=True):
    """The log line of a tree's first failure."""

    event: str
    reason: str
    exit_code: int


def require_same_cause(code: int, log: str, reports: Sequence[CrashReport], cause: str | None) -> None:
    """Check the end of a tree by all that it left behind; `cause` is the last that its status named."""
    last = log.rstrip("\n").rpartition("\n")[2]
    if code in SIGNALLED and "evsup: " not in log and '"event"' not in log:
        return  # before our first line there is only the interpreter to handle a signal
    if code not in STARTED_AGAIN:
        raise InvariantBroken("I9", f"a tree ended with {code}: {last}")
    if code in (KILLED, ExitCode.OK):
        return
    failures = [failure.exit_code for failure in _failures(log)]
    codes = {*failures, *(report.exit_code for report in reports)}
    reasons = [*(failure.reason for failure in _failures(log)), *(report.what for report in reports)]
    if len(failures) > 1 or len(reports) > 1 or codes - {code}:
        raise InvariantBroken(
            "I12", f"exit code {code}, in the log {failures}, in {len(reports)} crash reports {codes}"
        )
    for reason in (*reasons, *([cause] if cause else [])):
        if reason not in last:
            raise InvariantBroken("I12", f"{reason!r} is not the last line {last!r}")


def _failures(log: str) -> Iterator[Failure]:
    for line in log.splitlines():
        with suppress(msgspec.MsgspecError):
            failure = msgspec.json.decode(line, type=Failure)
            if failure.event == "tree_failed":
                yield failure

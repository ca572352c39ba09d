"""How a tree stops: a value, and pure functions that return the next one.

    Running ── failure, signal ──▶ Draining ── deadline, second signal ──▶ Aborting ── grace ──▶ Killing
                                                                               Killing ── grace ──▶ Left

A stop only ever moves to the right, one step at a time. There is no SIGTERM in it, because workers ignore that signal:
systemd and Kubernetes send it to the whole group, and a drain has to survive it
(docs/decisions/no-sigterm-to-workers.md).

The first failure is the cause of the stop and stays it, whatever fails later. A stop that an operator's signal began
has no cause until something fails.

`tree.py` acts on it; in a worker `worker.states.Draining` does.
"""

from dataclasses import dataclass, replace
from typing import TypeAlias

from shared.clock import Deadline
from shared.errors import EvsupError

LATE_S = 0.5  # workers end a drain at its deadline by themselves; they are aborted only this much later
ABORT_GRACE_S = 2.0  # for a worker to exit after an abort, before SIGKILL
KILL_GRACE_S = 1.0  # for the kernel to end a killed worker, which takes milliseconds unless it waits for a disk


@dataclass(frozen=True, slots=True)
class Running:
    """Nobody has asked the tree to stop, and nothing has failed."""

    drain_timeout_s: float
    cause: None = None


@dataclass(frozen=True, slots=True)
class Draining:
    """Workers commit and checkpoint what they have, until the deadline."""

    drain_timeout_s: float
    deadline: Deadline
    cause: EvsupError | None
    is_signalled: bool
    """Whether a stop signal has come. A failure begins a drain without one; the signal after the first one aborts."""


@dataclass(frozen=True, slots=True)
class Aborting:
    """Workers exit at once, without a flush. What was not durable is read again later."""

    deadline: Deadline
    cause: EvsupError | None
    reason: str
    """Why the drain was cut short."""
    is_asked_for: bool = False
    """Whether an operator did that, by a second signal."""


@dataclass(frozen=True, slots=True)
class Killing:
    """Workers that have not exited get SIGKILL."""

    deadline: Deadline
    cause: EvsupError | None


@dataclass(frozen=True, slots=True)
class Left:
    """Workers that wait in the kernel (state D) and cannot be killed yet are not waited for."""

    cause: EvsupError | None


Stop: TypeAlias = Running | Draining | Aborting | Killing | Left


def failed(stop: Stop, error: EvsupError, now_s: float) -> Stop:
    """After a failure: a drain begins, unless the tree stops already. The error is the cause if it is the first."""
    return _drain(stop, now_s, cause=error) if isinstance(stop, Running) else blame(stop, error)


def signalled(stop: Stop, now_s: float) -> Stop:
    """After SIGTERM or SIGINT: the first one drains, the second one aborts, later ones change nothing."""
    match stop:
        case Running():
            return _drain(stop, now_s, is_signalled=True)
        case Draining(is_signalled=False):  # a failure began this drain: the operator waits for its end as well
            return replace(stop, is_signalled=True)
        case Draining():
            return replace(_abort(stop, "a second signal came", now_s), is_asked_for=True)
    return stop


def escalate(stop: Stop, now_s: float) -> Stop:
    """The next step, if the deadline of this one has passed. One step a call, so that no grace is skipped."""
    match stop:
        case Draining(deadline=deadline) if deadline.passed(now_s - LATE_S):
            return _abort(stop, f"it took longer than {stop.drain_timeout_s:.0f} s", now_s)
        case Aborting(deadline=deadline) if deadline.passed(now_s):
            return Killing(Deadline.after(KILL_GRACE_S, now_s), stop.cause)
        case Killing(deadline=deadline) if deadline.passed(now_s):
            return Left(stop.cause)
    return stop


def blame(stop: Draining | Aborting | Killing | Left, error: EvsupError) -> Stop:
    """With this error as the cause, unless there is one already."""
    return stop if stop.cause else replace(stop, cause=error)


def _drain(stop: Running, now_s: float, *, cause: EvsupError | None = None, is_signalled: bool = False) -> Draining:
    return Draining(stop.drain_timeout_s, Deadline.after(stop.drain_timeout_s, now_s), cause, is_signalled)


def _abort(stop: Draining, reason: str, now_s: float) -> Aborting:
    return Aborting(Deadline.after(ABORT_GRACE_S, now_s), stop.cause, reason)

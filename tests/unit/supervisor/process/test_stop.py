"""A stop escalates from drain to abort to kill: never back, never past a grace, and always to its end."""

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.clock import Deadline
from shared.errors import EvsupError, StoreUnavailable, WorkerCrashed
from supervisor.process.stop import (
    ABORT_GRACE_S,
    KILL_GRACE_S,
    LATE_S,
    Aborting,
    Draining,
    Killing,
    Left,
    Running,
    Stop,
    escalate,
    failed,
    signalled,
)

NOW_S, DRAIN_S = 1000.0, 30.0
END_S = NOW_S + DRAIN_S
FIRST, LATER = WorkerCrashed("first"), StoreUnavailable("later")

RUNNING = Running(DRAIN_S)


def draining(cause: EvsupError | None = None, *, is_signalled: bool = False) -> Draining:
    return Draining(DRAIN_S, Deadline(END_S), cause, is_signalled)


def aborting(reason: str, cause: EvsupError | None = None, at_s: float = NOW_S) -> Aborting:
    return Aborting(Deadline(at_s + ABORT_GRACE_S), cause, reason, is_asked_for=reason == SECOND)


def killing(cause: EvsupError | None = None, at_s: float = NOW_S) -> Killing:
    return Killing(Deadline(at_s + KILL_GRACE_S), cause)


SECOND = "a second signal came"
ABORTING = aborting(SECOND)


@pytest.mark.parametrize(
    ("stop", "expected"),
    [
        (RUNNING, draining(is_signalled=True)),
        (draining(is_signalled=True), aborting(SECOND)),
        (draining(FIRST), draining(FIRST, is_signalled=True)),
        (draining(FIRST, is_signalled=True), aborting(SECOND, FIRST)),
        (ABORTING, ABORTING),
        (killing(), killing()),
        (Left(None), Left(None)),
    ],
)
def test_the_first_signal_drains_the_second_aborts_and_a_third_changes_nothing(stop: Stop, expected: Stop) -> None:
    assert signalled(stop, NOW_S) == expected


@pytest.mark.parametrize(
    ("stop", "expected"),
    [
        (RUNNING, draining(FIRST)),
        (draining(is_signalled=True), draining(FIRST, is_signalled=True)),
        (draining(LATER), draining(LATER)),
        (ABORTING, aborting(SECOND, FIRST)),
        (aborting("late", LATER), aborting("late", LATER)),
        (killing(LATER), killing(LATER)),
        (Left(None), Left(FIRST)),
    ],
)
def test_a_failure_begins_a_drain_and_only_the_first_one_is_the_cause(stop: Stop, expected: Stop) -> None:
    assert failed(stop, FIRST, NOW_S) == expected


@pytest.mark.parametrize(
    ("stop", "now_s", "expected"),
    [
        (RUNNING, END_S * 2, RUNNING),
        (draining(), END_S + LATE_S - 0.01, draining()),
        (draining(FIRST), END_S + LATE_S, aborting("it took longer than 30 s", FIRST, END_S + LATE_S)),
        (draining(), END_S * 2, aborting("it took longer than 30 s", None, END_S * 2)),
        (ABORTING, NOW_S + ABORT_GRACE_S - 0.01, ABORTING),
        (ABORTING, NOW_S + ABORT_GRACE_S, killing(at_s=NOW_S + ABORT_GRACE_S)),
        (aborting("late", FIRST), END_S, killing(FIRST, END_S)),
        (killing(FIRST), NOW_S + KILL_GRACE_S - 0.01, killing(FIRST)),
        (killing(FIRST), NOW_S + KILL_GRACE_S, Left(FIRST)),
        (Left(FIRST), END_S * 2, Left(FIRST)),
    ],
)
def test_a_stop_escalates_when_its_deadline_has_passed_and_not_before(stop: Stop, now_s: float, expected: Stop) -> None:
    assert escalate(stop, now_s) == expected


# --- whatever happens -------------------------------------------------------------------------------------------------

STEPS = (Running, Draining, Aborting, Killing, Left)
Event = Callable[[Stop, float], Stop]
EVENTS: list[Event] = [signalled, escalate, lambda stop, now_s: failed(stop, WorkerCrashed(f"at {now_s}"), now_s)]
HISTORIES = st.lists(st.tuples(st.sampled_from(EVENTS), st.floats(0.0, 60.0)), max_size=12)


def steps(history: list[tuple[Event, float]]) -> list[tuple[float, Stop]]:
    """When the stop was in which step, one entry for each event."""
    now_s = NOW_S
    stop: Stop = RUNNING
    seen = [(now_s, stop)]
    for event, pause_s in history:
        now_s += pause_s
        stop = event(stop, now_s)
        seen.append((now_s, stop))
    return seen


@given(HISTORIES)
def test_a_stop_never_goes_back_and_never_skips_a_step(history: list[tuple[Event, float]]) -> None:
    order = [STEPS.index(type(stop)) for _, stop in steps(history)]
    assert all(after - before in (0, 1) for before, after in pairwise(order))


@given(HISTORIES)
def test_nobody_is_killed_before_the_grace_of_an_abort_is_over(history: list[tuple[Event, float]]) -> None:
    aborted_s = [at_s for at_s, stop in steps(history) if isinstance(stop, Aborting)]
    killed_s = [at_s for at_s, stop in steps(history) if isinstance(stop, Killing)]
    if killed_s:
        assert killed_s[0] - aborted_s[0] >= ABORT_GRACE_S - 1e-6


@given(HISTORIES)
def test_the_cause_of_a_stop_never_changes(history: list[tuple[Event, float]]) -> None:
    causes = [stop.cause for _, stop in steps(history) if stop.cause]
    assert all(cause is causes[0] for cause in causes)


@given(HISTORIES)
def test_a_stop_that_has_begun_waits_for_nobody_once_its_deadlines_have_passed(
    history: list[tuple[Event, float]],
) -> None:
    now_s, stop = steps([*history, (signalled, 0.0)])[-1]
    for after_s in (DRAIN_S + LATE_S, ABORT_GRACE_S, KILL_GRACE_S):
        now_s += after_s + 1e-6
        stop = escalate(stop, now_s)
    assert isinstance(stop, Left)

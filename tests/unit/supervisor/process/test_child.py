"""A worker as the supervisor sees it: its reports become a status, and its end becomes an error."""

from collections.abc import Iterator
from functools import partial
from multiprocessing import Pipe, get_context

import msgspec
import pytest

from shared import errors
from shared.clock import Deadline
from shared.errors import (
    Bug,
    EvsupError,
    OwnershipLost,
    ProtocolError,
    SourceUnavailable,
    WorkerCrashed,
    WorkerHung,
)
from shared.ipc.exit_code import LEASE_OVER
from shared.ipc.failure import error_of, failure_message
from shared.ipc.messages import (
    BOUNDS_S,
    Abort,
    Command,
    Counters,
    Drain,
    Drained,
    Failed,
    Histogram,
    Latencies,
    Lease,
    Opened,
    Report,
    Status,
    Times,
)
from shared.ipc.pipe import MessagePipe
from shared.model import Term
from supervisor.process.child import Child
from supervisor.process.hang_detector import ASK_S, BOOT_S, HUNG_AFTER_S
from supervisor.process.stderr_relay import StderrRelay
from supervisor.process.worker_process import WorkerProcess
from tests.unit.supervisor.process.rig import StandInProcess

NOW_S, TRUST_S = 1000.0, 60.0


def every(base: type[EvsupError]) -> list[type[EvsupError]]:
    return [base, *(kind for child in base.__subclasses__() for kind in every(child))]


@pytest.mark.parametrize("kind", every(EvsupError))
def test_an_error_arrives_as_what_it_was(kind: type[EvsupError]) -> None:
    error = error_of(failure_message(kind("what", "why", "fix")))
    assert type(error) is kind
    assert (error.what, error.why, error.fix) == ("what", "why", "fix")


def test_an_error_that_is_none_of_ours_is_a_crash() -> None:
    assert type(error_of(failure_message(ValueError("7")))) is WorkerCrashed


@pytest.mark.parametrize("name", ["", "Exception", "ExitCode", "IntEnum", "ClassVar", "__name__", "print"])
def test_a_name_that_is_no_error_is_a_crash(name: str) -> None:
    assert type(error_of(Failed(error=name, what="what", why="", fix=""))) is WorkerCrashed


def test_every_error_has_an_exit_code_of_its_own_kind() -> None:
    assert {kind.exit_code for kind in every(EvsupError)} == set(errors.ExitCode) - {errors.ExitCode.OK}


class StandInWorker(WorkerProcess):
    """Writes no stacks, for the process has no pid."""

    def show_stacks(self) -> None: ...


class Rig:
    """A child whose process is a stand-in; the worker's ends of its pipes are real, and a test's."""

    def __init__(self) -> None:
        self.process = StandInProcess()
        ours, self.theirs = get_context("spawn").Pipe(duplex=True)
        self._stderr, self._their_stderr = Pipe(duplex=False)
        self.worker: MessagePipe[Command] = MessagePipe(self.theirs, Command)
        started = StandInWorker(self.process, MessagePipe(ours, Report), StderrRelay(self._stderr, "partition 0"))
        self.child = Child(Term("0", "me", 3), NOW_S + TRUST_S, NOW_S, start=lambda *_: started)

    def report(self, *reports: Report) -> Child:
        """The worker reports, and the supervisor reads it."""
        for report in reports:
            self.worker.send(report)
        self.child.receive(NOW_S)
        return self.child

    def write(self, data: bytes) -> None:
        """The worker writes to its stderr."""
        with open(self._their_stderr.fileno(), "wb", closefd=False) as stream:
            stream.write(data)

    def exit(self, code: int) -> Child:
        """The worker exits, and is reaped."""
        self.theirs.close()
        self._their_stderr.close()
        self.process.code = code
        assert self.child.has_exited
        self.child.reap(NOW_S)
        return self.child

    def close(self) -> None:
        for end in (self.theirs, self._stderr, self._their_stderr):
            end.close()
        self.process.close()


@pytest.fixture
def rig() -> Iterator[Rig]:
    made = Rig()
    yield made
    made.close()


def test_every_counter_that_a_worker_reports_is_shown_under_its_own_name(rig: Rig) -> None:
    numbers = {field: 1000 + at for at, field in enumerate(Counters.__struct_fields__) if field != "latencies"}
    slow = Latencies(received_appended=Histogram(counts=tuple(range(len(BOUNDS_S) + 1)), sum_s=3.5))
    values = {**numbers, "latencies": msgspec.to_builtins(slow)}
    rig.report(Status(state="running", counters=msgspec.convert(values, Counters)))
    shown = msgspec.to_builtins(rig.child.describe(NOW_S))
    assert {field: shown[field] for field in values} == values


def test_points_in_time_that_a_worker_reports_are_shown_as_ages_that_grow_without_it(rig: Rig) -> None:
    points = Times(
        lag=7, lag_s=2.5, commit_wait_s=4.0, newest_row_s=980.0, committed_s=990.0, received_s=995.0, heard_s=999.0
    )
    child = rig.report(Status(state="running", times=points, sent_at_s=NOW_S))
    row = child.describe(NOW_S + 10)
    assert (row.lag, row.lag_s, row.commit_wait_s, row.report_age_s) == (7, 2.5, 4.0, 10.0)
    ages_s = (row.row_age_s, row.commit_age_s, row.event_age_s, row.frame_age_s)
    assert ages_s == (30.0, 20.0, 15.0, 11.0)
    assert row.lag_age_s is None


def test_the_json_of_a_worker_begins_with_its_partition(rig: Rig) -> None:
    assert list(msgspec.to_builtins(rig.child.describe(NOW_S)))[:5] == ["partition", "state", "pid", "epoch", "channel"]


def test_commands_reach_the_worker(rig: Rig) -> None:
    rig.child.renew(2000.0)
    rig.child.drain(Deadline(3000.0))
    rig.child.abort("lost")
    rig.child.abort("a second signal came", is_asked_for=True)
    assert rig.worker.receive() == [
        Lease(trusted_until_s=2000.0),
        Drain(deadline_s=3000.0),
        Abort(reason="lost"),
        Abort(reason="a second signal came", is_asked_for=True),
    ]
    assert rig.child.describe(NOW_S).lease_s == 2000.0 - NOW_S


def test_a_worker_that_drained_as_asked_has_no_failure(rig: Rig) -> None:
    rig.child.drain(Deadline(2000.0))
    child = rig.report(Opened(channel="C", resumed_after=4, reason=""), Drained(checkpointed=9))
    assert rig.exit(0).failure is None
    assert (child.drained, child.describe(NOW_S).channel) == (Drained(checkpointed=9), "C")


def test_a_worker_that_drained_although_nobody_asked_it_to_is_a_bug(rig: Rig) -> None:
    rig.report(Drained(checkpointed=9))
    failure = rig.exit(0).failure
    assert isinstance(failure, Bug)
    assert "nobody asked" in failure.what


def test_the_first_failure_that_a_worker_reports_counts_and_not_its_exit_code(rig: Rig) -> None:
    child = rig.report(failure_message(SourceUnavailable("away")), failure_message(WorkerCrashed("later")))
    assert child.describe(NOW_S).state == "failed"
    assert isinstance(rig.exit(69).failure, SourceUnavailable)


def test_a_report_that_is_left_in_the_pipe_is_read_after_the_exit(rig: Rig) -> None:
    rig.worker.send(failure_message(SourceUnavailable("away")))
    assert isinstance(rig.exit(69).failure, SourceUnavailable)


def test_a_worker_that_reported_no_end_is_judged_by_its_exit_code(rig: Rig) -> None:
    assert isinstance(rig.exit(LEASE_OVER).failure, OwnershipLost)


def test_a_worker_that_cannot_be_understood_is_killed(rig: Rig) -> None:
    with open(rig.theirs.fileno(), "wb", closefd=False) as stream:
        stream.write(b"\xff" * 64)
    rig.child.receive(NOW_S)
    assert isinstance(rig.child.failure, ProtocolError)
    assert rig.child.has_exited


def turn_for(child: Child, seconds: float, began_s: float = NOW_S) -> None:
    """Turns of the supervisor in which nothing arrives."""
    for tenth in range(int(seconds * 10) + 1):
        child.receive(began_s + tenth / 10)
        child.check_hung(began_s + tenth / 10)


def test_a_worker_that_boots_for_longer_than_a_minute_hangs_and_is_killed(rig: Rig) -> None:
    turn_for(rig.child, BOOT_S - 1.0)
    assert not rig.child.has_exited
    turn_for(rig.child, 2.0, NOW_S + BOOT_S - 1.0)
    assert isinstance(rig.child.failure, WorkerHung)
    assert rig.child.has_exited


def test_what_a_silent_worker_writes_once_it_was_asked_is_kept_as_its_stacks(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rig.child, "show_stacks", partial(rig.write, b"Thread 1\n"))
    rig.report(Status(state="running"))
    rig.write(b"a line\n")
    turn_for(rig.child, HUNG_AFTER_S - ASK_S + 1.0)
    assert (list(rig.child.stderr.lines), list(rig.child.stderr.stacks)) == (["a line"], ["Thread 1"])
    rig.report(Status(state="running"))
    rig.write(b"another line\n")
    rig.child.receive(NOW_S)
    assert list(rig.child.stderr.lines) == ["a line", "another line"]
    assert rig.child.failure is None

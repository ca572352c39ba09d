"""A process that cannot be started leaves nothing behind in the one that wanted it."""

import errno
import gc
import os
import signal
from multiprocessing import resource_tracker
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

from shared.errors import ConfigurationError, EvsupError, ExitCode, LimitReached, WorkerCrashed, WorkerKilled
from shared.ipc import spawn, task
from tests.unit.readable import DEADLINE_S

if TYPE_CHECKING:
    from multiprocessing.connection import Connection


@pytest.fixture(params=[errno.EAGAIN, errno.EMFILE])
def refusal(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """What the kernel answers to every fork."""
    number: int = request.param

    def start(_: SpawnProcess) -> NoReturn:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(SpawnProcess, "start", start)
    return number


def descriptors() -> int:
    gc.collect()  # else what earlier tests left may be closed between two counts
    return len(list(Path("/proc/self/fd").iterdir()))


def blocked() -> set[int]:
    return set(signal.pthread_sigmask(signal.SIG_BLOCK, []))


def test_a_start_that_fails_leaves_no_descriptor_open_and_no_signal_blocked(refusal: int) -> None:
    resource_tracker.ensure_running()  # it has a descriptor of its own
    gc.collect()  # what other tests have left would be closed in between
    before = descriptors(), blocked()
    with pytest.raises(OSError, match=os.strerror(refusal)):
        spawn.start(print, None, name="x", held_back=[signal.SIGUSR1])
    assert (descriptors(), blocked()) == before


def answer(number: int, pipe: "Connection[bytes, bytes]") -> None:
    """What a process does here."""
    pipe.send_bytes(bytes([number]))


def test_a_process_is_started_although_the_working_directory_was_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tmp_path.rmdir()
    process, pipe = spawn.start(answer, 7, name="x", held_back=[])
    with pipe:
        assert pipe.recv_bytes() == b"\x07"
    process.join()


def test_a_task_that_cannot_be_started_ends_with_the_code_of_the_limit(refusal: int) -> None:
    with pytest.raises((LimitReached, ConfigurationError)) as caught:
        task.send(print, None, 1.0)
    assert caught.value.exit_code == {errno.EAGAIN: ExitCode.TEMPORARY, errno.EMFILE: ExitCode.CONFIGURATION}[refusal]


def die(number: int, _: "Connection[bytes, bytes]") -> None:
    """What a task does here."""
    os.kill(os.getpid(), number)


@pytest.mark.parametrize(("number", "failure"), [(signal.SIGKILL, WorkerKilled), (signal.SIGSEGV, WorkerCrashed)])
def test_a_task_that_is_killed_is_no_bug_and_one_that_crashes_is(number: int, failure: type[EvsupError]) -> None:
    with pytest.raises(failure, match=signal.Signals(number).name):
        task.send(die, number, DEADLINE_S)

"""No orphan and no writer past its lease: real processes that are stuck, and parents that are killed.

A process holds its end of a pipe for as long as it lives: the end of that stream is its end.
"""

import ctypes
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing import connection, get_context
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

import pytest

from shared.clock import monotonic
from shared.errors import ExitCode
from shared.ipc.exit_code import LEASE_OVER
from tests.unit.readable import DEADLINE_S
from tests.unit.shared.control.stores import Clock
from worker import guard
from worker.guard import CHECK_S, LEASE_GRACE_S

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

FOR_EVER_S = 1e9

Life: TypeAlias = "Connection[Any, Any]"
Start = Callable[..., "BaseProcess"]

_spawn = get_context("spawn")  # as the supervisor does


# --- what the processes do --------------------------------------------------------------------------------------------


def stuck_past_its_trust(life: Life, trusted_until_s: float) -> None:
    """A worker whose loop is in a native call that does not return; other threads run."""
    guard.watch(lambda: trusted_until_s)
    life.send(os.getpid())
    ctypes.CDLL(None).pause()


def stuck_with_the_interpreter(life: Life, parent_pid: int) -> None:
    """A worker in a native call that holds the interpreter's lock: no other thread of it ever runs."""
    guard.die_with(parent_pid)
    life.send(os.getpid())
    ctypes.PyDLL(None).pause()


def parent_of(target: Callable[..., None], life: Life, argument: float | None = None) -> None:
    """A supervisor with one worker; `argument` defaults to its pid."""
    child = _spawn.Process(target=target, args=(life, os.getpid() if argument is None else argument))
    child.start()
    life.close()
    signal.pause()


# --- for the tests ----------------------------------------------------------------------------------------------------


@pytest.fixture
def life() -> Iterator[tuple[Life, Life]]:
    """The reading end, and the end that processes hold."""
    ours, theirs = _spawn.Pipe(duplex=False)
    yield ours, theirs
    ours.close()
    theirs.close()


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts processes; what is left of them at the end is killed."""
    started: list[BaseProcess] = []

    def process(target: Callable[..., None], *arguments: object) -> "BaseProcess":
        started.append(_spawn.Process(target=target, args=arguments))
        started[-1].start()
        return started[-1]

    yield process
    for one in started:
        one.kill()
        one.join()
        one.close()


def heard(life: Life) -> Any:
    """The next thing that a process says; raises `EOFError` when all that could have ended."""
    assert life.poll(DEADLINE_S), "nothing was said in time"
    return life.recv()


def assert_ends(life: Life, pid: int) -> None:
    """The process ends in time and sends nothing more; if it does not end, it is killed here."""
    try:
        with pytest.raises(EOFError):
            heard(life)
    except BaseException:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        raise


# --- the lease --------------------------------------------------------------------------------------------------------


def test_a_process_stuck_past_its_lease_is_ended_after_the_grace(life: tuple[Life, Life], start: Start) -> None:
    ours, theirs = life
    trusted_until_s = monotonic()
    stuck = start(stuck_past_its_trust, theirs, trusted_until_s)
    theirs.close()
    pid = heard(ours)
    assert_ends(ours, pid)
    ended_s = monotonic()
    stuck.join(DEADLINE_S)
    assert stuck.exitcode == LEASE_OVER
    assert ended_s >= trusted_until_s + LEASE_GRACE_S


class Left(Exception):
    """Instead of the end of this process."""


def leave(code: int) -> NoReturn:
    raise Left(code)


def test_a_lease_that_is_renewed_in_time_goes_on_and_one_that_is_not_ends_within_a_check_of_the_grace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, began_s, renewals = Clock(), Clock()(), 100

    def wait(sentinels: list[int], timeout_s: float) -> list[int]:
        clock.move(timeout_s)
        return []

    def trusted_until_s() -> float:
        return min(clock() + 1.0, began_s + renewals)

    monkeypatch.setattr(connection, "wait", wait)
    monkeypatch.setattr(guard, "monotonic", clock)
    monkeypatch.setattr(os, "_exit", leave)
    with pytest.raises(Left, match=str(LEASE_OVER)):
        guard.keep_watch(trusted_until_s)
    assert 0.0 < clock() - (began_s + renewals + LEASE_GRACE_S) <= CHECK_S


# --- the parent -------------------------------------------------------------------------------------------------------


def test_a_worker_whose_supervisor_was_killed_is_ended_by_its_guard(life: tuple[Life, Life], start: Start) -> None:
    ours, theirs = life
    parent = start(parent_of, stuck_past_its_trust, theirs, monotonic() + FOR_EVER_S)
    theirs.close()
    pid = heard(ours)
    parent.kill()
    assert_ends(ours, pid)


def test_a_worker_stuck_with_the_interpreter_is_killed_with_its_supervisor(
    life: tuple[Life, Life], start: Start
) -> None:
    ours, theirs = life
    parent = start(parent_of, stuck_with_the_interpreter, theirs)
    theirs.close()
    pid = heard(ours)
    parent.kill()
    assert_ends(ours, pid)


def test_a_worker_whose_supervisor_died_before_it_could_ask_the_kernel_exits(
    life: tuple[Life, Life], start: Start
) -> None:
    ours, theirs = life
    dead = start(signal.raise_signal, signal.SIGKILL)
    dead.join(DEADLINE_S)
    orphan = start(stuck_with_the_interpreter, theirs, dead.pid)
    theirs.close()
    with pytest.raises(EOFError):
        heard(ours)
    orphan.join(DEADLINE_S)
    assert orphan.exitcode == ExitCode.TEMPORARY

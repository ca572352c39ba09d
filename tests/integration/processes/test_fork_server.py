"""Copies of the fork server are children of the process that asked for them; without it processes are spawned."""

import errno
import itertools
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from multiprocessing import connection, get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

import pytest

import worker.main
from scripts.harness.waiting import eventually
from shared.errors import ExitCode
from shared.ipc import fork_server, spawn
from shared.ipc.fork_server import ForkServer, Started
from shared.ipc.messages import Failed, Lease, Report
from shared.ipc.pipe import MessagePipe
from shared.ipc.vitals import parent_and_state
from shared.model import Term
from supervisor.process.orphans import EVERY_S, OrphanReaper
from tests.unit.captured_log import capture_logs
from tests.unit.readable import DEADLINE_S
from worker import guard
from worker.fork_server import serve
from worker.main import Boot

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

Pipe: TypeAlias = "Connection[Any, Any]"
HELD_BACK = {signal.SIGUSR1}
CODE = 7

_spawn = get_context("spawn")


# --- what the processes do --------------------------------------------------------------------------------------------


def talk(order: str, pipe: Pipe) -> NoReturn:
    """Say who this is; leave when told to, with a code of its own."""
    pipe.send((order, os.getpid(), os.getppid(), signal.pthread_sigmask(signal.SIG_BLOCK, [])))
    with suppress(EOFError):
        pipe.recv()
    os._exit(CODE)


def supervise(pipe: Pipe) -> None:
    """A supervisor with a worker that hangs in native code, and holds the interpreter's lock."""
    server = ForkServer(serve, hang, HELD_BACK)
    server.await_boot()
    server.start(os.getpid(), pipe, name="copy")
    pipe.close()
    signal.pause()


def boot(order: Boot, pipe: Pipe, stderr: Pipe) -> None:
    """A worker whose settings take their time."""
    worker.main.work = lambda *_: pipe.send(Path("/proc/self/cmdline").read_bytes())
    worker.main.run(order, pipe, stderr)


def boot_without_a_thread(order: Boot, pipe: Pipe, stderr: Pipe) -> None:
    """A worker of a host that has no thread left for its log."""

    def refuse(*_: object, **__: object) -> NoReturn:
        raise RuntimeError("can't start new thread")

    pytest.MonkeyPatch().setattr(threading.Thread, "start", refuse)
    worker.main.run(order, pipe, stderr)


def hang(parent_pid: int, _: Pipe, said: Pipe) -> NoReturn:
    guard.die_with(parent_pid)
    said.send(os.getppid() == parent_pid)
    while True:
        signal.pause()


def serve_beside_a_thread(pid: int, pipe: Pipe, requests: socket.socket) -> None:
    threading.Thread(target=threading.Event().wait, daemon=True).start()
    serve(pid, pipe, requests)


def serve_and_stop(pid: int, pipe: Pipe, requests: socket.socket) -> None:
    """It stands still once it has forked."""
    wait = os.waitpid

    def stop(between: int, options: int) -> tuple[int, int]:
        found = wait(between, options)
        os.kill(os.getpid(), signal.SIGSTOP)
        return found

    os.waitpid = stop
    serve(pid, pipe, requests)


def serve_and_lose(pid: int, pipe: Pipe, requests: socket.socket) -> None:
    """The process in between is killed, as when memory runs out."""
    fork, server = os.fork, os.getpid()

    def lose() -> int:
        if os.getpid() != server:
            os.kill(os.getpid(), signal.SIGKILL)
        return fork()

    os.fork = lose
    serve(pid, pipe, requests)


def serve_and_die(pid: int, pipe: Pipe, requests: socket.socket) -> None:
    """It is killed once it has forked."""

    def die(*_: int) -> NoReturn:
        os.kill(os.getpid(), signal.SIGKILL)
        os._exit(CODE)

    os.waitpid = die
    serve(pid, pipe, requests)


def say(_: object, pipe: Pipe, said: Pipe) -> NoReturn:
    """Say who has begun."""
    said.send(os.getpid())
    talk("order", pipe)


def fail(*_: object) -> NoReturn:
    sys.exit("a mapper has ended it")


def leave(*_: object) -> NoReturn:
    os._exit(CODE)


def serve_without_room(pid: int, pipe: Pipe, requests: socket.socket) -> None:
    """As where a container may have no more processes."""

    def refuse() -> NoReturn:
        raise OSError(errno.EAGAIN, "no")

    os.fork = refuse
    serve(pid, pipe, requests)


# --- for the tests ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server() -> Iterator[ForkServer]:
    with closing(booted(serve)) as made:
        yield made


def booted(serving: Callable[..., None]) -> ForkServer:
    made = ForkServer(serving, talk, HELD_BACK)
    made.await_boot()
    return made


class Stuck:
    """A process in the state D."""

    kills = 0

    def kill(self) -> None:
        self.kills += 1

    def join(self, timeout: float | None = None) -> None:
        assert timeout is not None, "the tree stands still"


class Copy:
    """A process that `talk`s, and what it has said."""

    def __init__(self, server: ForkServer, order: object = "order") -> None:
        self.process, self.pipe = server.start(order, name="copy")
        assert self.pipe.poll(DEADLINE_S), "it said nothing"
        said: Any = self.pipe.recv()
        self.order, self.pid, self.parent, self.blocked = said

    @property
    def is_forked(self) -> bool:
        return isinstance(self.process, fork_server.ForkedProcess)

    def end(self) -> int | None:
        self.pipe.close()
        return ended(self.process)


def zombies() -> list[int]:
    """Children of this process that have ended and were not reaped."""
    pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    return [pid for pid in pids if parent_and_state(pid) == (os.getpid(), "Z")]


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def ended(process: Started) -> int | None:
    assert connection.wait([process.sentinel], DEADLINE_S), "it did not end"
    process.join()
    assert not process.is_alive()
    return process.exitcode


def spawned(server: ForkServer) -> list[Any]:
    """What is logged when a copy is asked for, and a process is spawned instead, which is as good as a copy."""
    with capture_logs() as logs:
        instead = Copy(server)
    assert not instead.is_forked
    assert (instead.order, instead.parent, instead.end()) == ("order", os.getpid(), CODE)
    return logs


# --- copies -----------------------------------------------------------------------------------------------------------


def test_a_copy_is_a_child_of_who_asked_for_it_and_its_exit_code_is_known(server: ForkServer) -> None:
    copies = [Copy(server, number) for number in range(3)]
    assert all(copy.is_forked and copy.process.is_alive() for copy in copies)
    assert [(copy.order, copy.pid, copy.parent) for copy in copies] == [
        (number, copy.process.pid, os.getpid()) for number, copy in enumerate(copies)
    ]
    assert all(copy.blocked >= HELD_BACK for copy in copies)
    copies[0].process.kill()
    assert ended(copies[0].process) == -signal.SIGKILL
    assert [copy.end() for copy in copies[1:]] == [CODE, CODE]
    copies[0].process.kill()  # its pid may be another's by now


def test_a_copy_that_hangs_dies_with_who_asked_for_it() -> None:
    ours, theirs = _spawn.Pipe()
    supervisor = _spawn.Process(target=supervise, args=(theirs,))
    supervisor.start()
    theirs.close()
    assert ours.poll(DEADLINE_S)
    assert ours.recv() is True
    supervisor.kill()
    supervisor.join()
    assert ours.poll(DEADLINE_S), "it lives on"
    with pytest.raises(EOFError):
        ours.recv()


def test_what_ends_a_copy_and_is_reported_by_nobody_is_on_its_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    with closing(ForkServer(serve, fail, HELD_BACK)) as server:
        server.await_boot()
        process, _ = server.start("order", name="copy")
        assert ended(process) == ExitCode.BUG
    assert "SystemExit: a mapper has ended it" in capfd.readouterr().err


def test_a_worker_is_named_as_one_before_it_has_settings() -> None:
    stderr, theirs = _spawn.Pipe(duplex=False)
    with closing(ForkServer(serve, boot, HELD_BACK)) as server:
        server.await_boot()
        lease = Lease(trusted_until_s=float("inf"))
        order = Boot(Term("3", "me", 1), lease, os.getpid(), has_signed_in=False, asks_from_s=0.0)
        process, pipe = server.start(order, theirs, name="copy")
        assert pipe.poll(DEADLINE_S)
        title: Any = pipe.recv()
        assert title.rstrip(b"\0") == b"evsup worker p=3"
        pipe.close()
        ended(process)
    stderr.close()
    theirs.close()


def test_a_worker_that_gets_no_thread_for_its_log_reports_the_limit() -> None:
    stderr, theirs = _spawn.Pipe(duplex=False)
    with closing(ForkServer(serve, boot_without_a_thread, HELD_BACK)) as server:
        server.await_boot()
        order = Boot(Term("3", "me", 1), Lease(trusted_until_s=float("inf")), os.getpid(), False, 0.0)
        process, pipe = server.start(order, theirs, name="copy")
        messages: MessagePipe[Report] = MessagePipe(pipe, Report)
        assert pipe.poll(DEADLINE_S)
        (failed,) = messages.receive()
        assert isinstance(failed, Failed)
        assert failed.error == "LimitReached"
        messages.close()
        assert ended(process) == ExitCode.TEMPORARY
    stderr.close()
    theirs.close()


# --- without a fork server --------------------------------------------------------------------------------------------


def test_one_that_was_killed_ends_no_copy_and_others_are_spawned() -> None:
    with closing(booted(serve)) as server:
        copy = Copy(server)
        assert server.pid
        os.kill(server.pid, signal.SIGKILL)
        assert [line["event"] for line in spawned(server)] == ["fork_server_lost"]
        assert not spawned(server), "it is lost once"
        assert copy.process.is_alive()
        assert copy.end() == CODE


def test_one_that_stands_still_is_not_waited_for_and_starts_nothing_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fork_server, "ANSWER_LIMIT_S", 0.1)
    with closing(booted(serve)) as server:
        assert server.pid
        os.kill(server.pid, signal.SIGSTOP)
        assert "timed out" in spawned(server)[0]["reason"]
        with suppress(ChildProcessError):  # it has been killed, and the next start has read its exit code
            os.waitid(os.P_PID, server.pid, os.WEXITED | os.WNOWAIT)


def test_one_that_waits_in_the_kernel_and_cannot_be_killed_yet_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stuck = Stuck()
    monkeypatch.setattr(fork_server, "BOOT_LIMIT_S", 0.01)
    with monkeypatch.context() as patch:
        patch.setattr(spawn, "start", lambda *_, **__: (stuck, None))
        server = ForkServer(serve, talk, HELD_BACK)
    server.await_boot()
    assert stuck.kills == 1
    assert not spawned(server), "it is lost once"
    server.close()


def test_where_the_kernel_gives_no_orphan_away_processes_are_spawned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fork_server, "PR_SET_CHILD_SUBREAPER", -1)
    with closing(booted(serve)) as server:
        assert "it cannot fork" in spawned(server)[0]["reason"]


def test_one_that_stands_still_once_it_has_forked_has_begun_no_second_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fork_server, "ANSWER_LIMIT_S", 0.5)
    ours, theirs = _spawn.Pipe(duplex=False)
    with closing(ForkServer(serve_and_stop, say, HELD_BACK)) as server:
        server.await_boot()
        process, pipe = server.start("order", theirs, name="copy")
    theirs.close()
    assert ours.poll(DEADLINE_S)
    assert ours.recv() == process.pid
    assert pipe.poll(DEADLINE_S)
    pipe.recv()
    pipe.close()
    assert ended(process) == CODE
    assert ours.poll(DEADLINE_S)
    with pytest.raises(EOFError):
        ours.recv()


def test_one_whose_child_is_killed_before_it_has_forked_names_no_process() -> None:
    with closing(booted(serve_and_lose)) as server:
        assert [line["event"] for line in spawned(server)] == ["fork_server_lost"]


def test_what_one_leaves_that_is_killed_while_it_forks_is_reaped() -> None:
    with closing(booted(serve_and_die)) as server:
        assert [line["event"] for line in spawned(server)] == ["fork_server_lost"]
    eventually(zombies, "the process in between has ended")
    reaper, looks = OrphanReaper(), itertools.count()

    def reaped() -> bool:
        reaper.reap([], next(looks) * EVERY_S)
        return not zombies()

    eventually(reaped, "no zombie is left")


def test_one_that_is_left_with_its_first_answer_unread_ends_without_a_word(capfd: pytest.CaptureFixture[str]) -> None:
    """As by a start that is refused before it needs a worker."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs, ours:
        process, pipe = spawn.start(serve, os.getpid(), theirs, name="fork server", held_back=HELD_BACK)
        assert connection.wait([ours], DEADLINE_S)
    process.join(DEADLINE_S)
    pipe.close()
    assert (process.exitcode, capfd.readouterr().err) == (ExitCode.OK, "")


def test_one_that_exits_while_it_imports_is_not_waited_for() -> None:
    with capture_logs() as logs, closing(booted(leave)) as server:
        assert not spawned(server)
    assert [line["event"] for line in logs] == ["fork_server_lost"]


def test_one_that_has_a_thread_forks_nothing() -> None:
    with closing(booted(serve_beside_a_thread)) as server:
        assert "it cannot fork" in spawned(server)[0]["reason"]


@pytest.mark.parametrize("length", [fork_server.MOST_BYTES, 1_000_000])
def test_an_order_that_is_too_long_for_a_packet_is_spawned(server: ForkServer, length: int) -> None:
    order = "x" * length
    long, short = Copy(server, order), Copy(server)
    assert (long.order, long.is_forked, long.end()) == (order, False, CODE)
    assert (short.is_forked, short.end()) == (True, CODE)


def test_a_kernel_that_gives_no_process_is_an_error_that_leaves_no_descriptor_open() -> None:
    with closing(booted(serve_without_room)) as server:
        before = descriptors()
        for _ in range(2):
            with pytest.raises(BlockingIOError):
                server.start("order", name="copy")
        assert descriptors() == before

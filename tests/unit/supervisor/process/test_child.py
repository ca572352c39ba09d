"""The last words of a worker become the error they name."""

import signal
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

import worker.main
from shared import errors
from shared.config import environment
from shared.errors import EvsupError, WorkerCrashed
from shared.eventhubs.identity import Identity
from shared.ipc import spawn
from shared.ipc.failure import error_of, last_word
from shared.ipc.messages import Failed
from shared.model import Term
from supervisor.process import child

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess


def every(base: type[EvsupError]) -> list[type[EvsupError]]:
    return [base, *(kind for child in base.__subclasses__() for kind in every(child))]


@pytest.mark.parametrize("kind", every(EvsupError))
def test_an_error_arrives_as_what_it_was(kind: type[EvsupError]) -> None:
    error = error_of(last_word(kind("what", "why", "fix"))[1])
    assert type(error) is kind
    assert (error.what, error.why, error.fix) == ("what", "why", "fix")


def test_an_error_that_is_none_of_ours_is_a_crash() -> None:
    assert type(error_of(last_word(ValueError("7"))[1])) is WorkerCrashed


@pytest.mark.parametrize("name", ["", "Exception", "ExitCode", "IntEnum", "ClassVar", "__name__", "print"])
def test_a_name_that_is_no_error_is_a_crash(name: str) -> None:
    assert type(error_of(Failed(error=name, what="what", why="", fix=""))) is WorkerCrashed


def test_every_error_has_an_exit_code_of_its_own_kind() -> None:
    assert {kind.exit_code for kind in every(EvsupError)} == set(errors.ExitCode) - {errors.ExitCode.OK}


class NotStartedError(Exception):
    """Raised in place of a start."""


def not_started(*_: object, **__: object) -> None:
    raise NotStartedError


@pytest.mark.parametrize("signed_in", [True, False])
def test_a_worker_knows_whether_its_supervisor_signed_in(monkeypatch: pytest.MonkeyPatch, signed_in: bool) -> None:
    given: dict[str, Any] = {}
    monkeypatch.setattr(spawn._spawn, "Process", lambda **options: not_started(given.update(options)))
    monkeypatch.setattr(environment, "load_worker", not_started)
    monkeypatch.setattr(Identity, "has_signed_in", signed_in)
    with pytest.raises(NotStartedError):
        child.Child(Term("0", "me", 1), 1.0, 0.0)
    Identity.has_signed_in = not signed_in  # another process
    with pytest.raises(NotStartedError):
        worker.main._work(given["args"][0], given["args"][1])
    assert Identity.has_signed_in is signed_in


@pytest.mark.parametrize(
    ("number", "name"), [(signal.SIGSEGV, "died of SIGSEGV"), (36, "died of signal 36 (Real-time signal 2)")]
)
def test_a_worker_that_a_signal_ended_says_which(number: int, name: str) -> None:
    ended = child.Child.__new__(child.Child)
    ended.pid, ended._oom_kills = 7, None
    ended.process = cast("BaseProcess", SimpleNamespace(exitcode=-number))
    assert name in ended._silent_end().what

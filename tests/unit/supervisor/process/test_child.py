"""The last words of a worker become the error they name."""

import pytest

from shared import errors
from shared.errors import EvsupError, WorkerCrashed
from shared.ipc.failure import error_of, last_word
from shared.ipc.messages import Failed


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

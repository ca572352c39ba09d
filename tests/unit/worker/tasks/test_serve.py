"""A task answers with its failure, whatever that is."""

import os
import threading
from typing import TYPE_CHECKING, NoReturn

import pytest

from shared.errors import LimitReached
from shared.ipc import task
from shared.ipc.messages import TaskResult
from tests.unit.readable import DEADLINE_S
from worker.tasks import serve

if TYPE_CHECKING:
    from multiprocessing.connection import Connection


def refuse(*_: object) -> NoReturn:
    raise RuntimeError("can't start new thread")


def never() -> TaskResult:
    pytest.fail("it has no log")


def answer_without_a_thread(asked_by: int, pipe: "Connection[bytes, bytes]") -> None:
    """What the process does here."""
    pytest.MonkeyPatch().setattr(threading.Thread, "start", refuse)
    serve.answer(asked_by, pipe, never)


def test_a_task_that_gets_no_thread_for_its_log_answers_with_the_limit() -> None:
    with pytest.raises(LimitReached, match=r"^The task cannot go on: can't start new thread"):
        task.send(answer_without_a_thread, os.getpid(), DEADLINE_S)

"""The process that checks the target table reports what keeps it from that."""

import os
import threading
from typing import TYPE_CHECKING, NoReturn

import pytest

from shared.ipc import spawn
from shared.ipc.messages import Failed, TableReport
from shared.ipc.pipe import MessagePipe
from supervisor.process.table_watch import probe
from tests.unit.readable import DEADLINE_S

if TYPE_CHECKING:
    from multiprocessing.connection import Connection


def refuse(*_: object) -> NoReturn:
    raise RuntimeError("can't start new thread")


def run_without_a_thread(asked_by: int, pipe: "Connection[bytes, bytes]") -> None:
    """What the process does here."""
    pytest.MonkeyPatch().setattr(threading.Thread, "start", refuse)
    probe.run(asked_by, pipe)


def test_one_that_gets_no_thread_for_its_log_reports_the_limit() -> None:
    process, pipe = spawn.start(run_without_a_thread, os.getpid(), name="probe", held_back=[])
    messages: MessagePipe[TableReport] = MessagePipe(pipe, TableReport)
    assert pipe.poll(DEADLINE_S)
    (failed,) = messages.receive()
    assert isinstance(failed, Failed)
    assert (failed.error, failed.what) == ("LimitReached", "The process that checks the target table cannot go on")
    messages.close()
    process.join()

"""The process that looks at the target table for a supervisor, for as long as that runs.

Measured: SQL adds 42 MB, wherever it is imported. A process for each look would need half a second of CPU and a login
every 30 s, and at its peak the same memory, which a container's limit has to hold as well. So this one stays, with its
session, and costs next to no CPU after its start.
"""

import os
import signal
from contextlib import suppress
from multiprocessing import connection
from typing import TYPE_CHECKING

from shared.clock import Deadline
from shared.config import environment
from shared.config.settings import SnowflakeSettings
from shared.ipc.failure import last_word
from shared.ipc.messages import CheckTable, TableFits, TableReport
from shared.ipc.pipe import MessagePipe
from shared.snowflake.session import SqlSession
from supervisor.process.signals import HANDLED
from supervisor.target.target_check import check_target
from worker import guard, memory

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

ANSWER_S = 2.0  # for the supervisor to take an answer


def run(asked_by: int, pipe: "Connection[bytes, bytes]") -> None:
    """Answer each `CheckTable` with `TableFits` or `Failed`, until the supervisor is gone. Never returns."""
    guard.die_with(asked_by)
    for number in (*HANDLED, signal.SIGHUP):  # one to the group is for the supervisor
        signal.signal(number, signal.SIG_IGN)
    messages: MessagePipe[CheckTable] = MessagePipe(pipe, CheckTable)
    with suppress(BrokenPipeError):
        _answer(messages, environment.load_worker().snowflake)
    os._exit(0)  # no finalizers: the session's would say goodbye to a Snowflake that may be silent


def _answer(messages: MessagePipe[CheckTable], settings: SnowflakeSettings) -> None:
    session = SqlSession(settings)
    while not messages.ended:
        connection.wait([messages.fileno()])
        for _ in messages.receive():
            messages.send(_sight(session, settings))
            messages.flush_until(Deadline.after(ANSWER_S))
            memory.tune_collector()


def _sight(session: SqlSession, settings: SnowflakeSettings) -> TableReport:
    try:
        check = check_target(session, settings)
        check.refuse()
    except Exception as error:  # noqa: BLE001 (the supervisor judges it)
        return last_word(error)[1]
    return TableFits(doubts=tuple(check.doubts))

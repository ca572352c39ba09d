"""The process that checks the target table for a supervisor, for as long as that runs.

Measured: SQL adds 42 MB wherever it is imported. A process for each check would take half a second of CPU and a login
every 30 s, and the same memory at its peak, which a container's limit has to allow for as well. So this process stays,
keeps its session, and takes next to no CPU after its start.
"""

import os
import signal
from multiprocessing import connection
from typing import TYPE_CHECKING

from shared import limits
from shared.clock import Deadline
from shared.config import environment
from shared.config.settings import SnowflakeSettings
from shared.ipc import spawn
from shared.ipc.failure import failure_message
from shared.ipc.messages import CheckTable, TableFits, TableReport
from shared.ipc.pipe import MessagePipe
from shared.log import logger
from shared.snowflake.session import SqlSession
from supervisor.process.signals import HANDLED
from supervisor.target.target_check import check_target
from worker import guard, memory

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

WHO = "The process that checks the target table"
ANSWER_S = 2.0  # for the supervisor to read an answer


def start() -> "tuple[BaseProcess, MessagePipe[TableReport]]":
    """Start the process. Only from the main thread: the kernel ends it with the thread that started it.

    Raises LimitReached or ConfigurationError when the kernel does not give what a process takes.
    """
    try:
        process, pipe = spawn.start(run, os.getpid(), name="evsup-table-probe", held_back=HANDLED, daemon=True)
    except OSError as error:
        raise limits.start_limit_error(error, "No process can be started to check the target table") from None
    return process, MessagePipe(pipe, TableReport)


def run(asked_by: int, pipe: "Connection[bytes, bytes]") -> None:
    """Answer each `CheckTable` with `TableFits` or `Failed`, until the supervisor has exited. Never returns."""
    guard.die_with(asked_by)
    for number in (*HANDLED, signal.SIGHUP):  # a signal to the process group is for the supervisor
        signal.signal(number, signal.SIG_IGN)
    messages: MessagePipe[CheckTable] = MessagePipe(pipe, CheckTable)
    try:
        # What fails is the answer. Python would show the tracebacks of the connector's own threads, unmasked.
        logger.begin("error", libraries="error")  # which fails where no thread is left for the log
        settings = environment.load_worker()
        logger.configure(settings.process.log_format, "error", libraries="error")
        _answer(messages, settings.snowflake)
    except Exception as error:  # noqa: BLE001 (the supervisor judges it)
        _send(messages, failure_message(error, WHO))
    os._exit(0)  # no finalizers: the session's would log out of a Snowflake that may not answer


def _answer(messages: MessagePipe[CheckTable], settings: SnowflakeSettings) -> None:
    session = SqlSession(settings)
    while not messages.ended:
        connection.wait([messages.fileno()])
        for _ in messages.receive():
            _send(messages, _checked(session, settings))
            memory.tune_collector()


def _send(messages: MessagePipe[CheckTable], report: TableReport) -> None:
    messages.send(report)
    messages.flush_until(Deadline.after(ANSWER_S))


def _checked(session: SqlSession, settings: SnowflakeSettings) -> TableReport:
    try:
        check = check_target(session, settings)
        check.refuse()
    except Exception as error:  # noqa: BLE001 (the supervisor judges it)
        return failure_message(error, WHO)
    return TableFits(doubts=tuple(check.doubts), columns=check.filled)

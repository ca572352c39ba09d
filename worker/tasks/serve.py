"""What every task does around its work (shared.ipc.task): start, answer, exit."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

from shared.clock import Deadline
from shared.ipc.failure import failure_message
from shared.ipc.messages import Command, TaskResult
from shared.ipc.pipe import MessagePipe
from shared.log import logger
from worker import guard

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

FLUSH_S = 2.0  # for the answer to leave


def answer(asked_by: int, pipe: "Connection[bytes, bytes]", work: Callable[[], TaskResult]) -> NoReturn:
    """Do the work, answer with its result or its failure, and exit. Exits at once when the asking process does."""
    guard.die_with(asked_by)
    messages: MessagePipe[Command] = MessagePipe(pipe, Command)
    try:
        logger.begin("error")  # which fails where no thread is left for the log
        result = work()
    except Exception as error:  # noqa: BLE001 (it is the answer)
        result = failure_message(error, "The task")
    messages.send(result)
    messages.flush_until(Deadline.after(FLUSH_S))
    os._exit(0)  # no finalizers: a channel's would flush, and an SDK's threads wait for their service

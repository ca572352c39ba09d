"""A process that was sent to do one thing (shared.ipc.task), from its first line to its answer."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

from shared.clock import Deadline
from shared.ipc.failure import last_word
from shared.ipc.messages import Command, TaskResult
from shared.ipc.pipe import MessagePipe
from shared.log import logger
from worker import guard

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

LAST_WORD_S = 2.0


def answer(asked_by: int, pipe: "Connection[bytes, bytes]", work: Callable[[], TaskResult]) -> NoReturn:
    """Do it, say how it went, and end; at once when the process that asked is gone."""
    guard.die_with(asked_by)
    logger.begin("error")
    messages: MessagePipe[Command] = MessagePipe(pipe, Command)
    try:
        said = work()
    except Exception as error:  # noqa: BLE001 (the last word of this process)
        said = last_word(error)[1]
    messages.send(said)
    messages.flush_until(Deadline.after(LAST_WORD_S))
    os._exit(0)  # no finalizers: a channel's would flush, and an SDK's threads wait for their service

"""Runs one task in a process of its own and returns its result. Its imports end with it."""

import signal
from collections.abc import Callable
from multiprocessing import connection

from shared import limits
from shared.clock import Deadline
from shared.errors import SinkUnavailable
from shared.fixes import REACH_SNOWFLAKE
from shared.ipc import spawn
from shared.ipc.exit_code import ended
from shared.ipc.failure import error_of
from shared.ipc.messages import Failed, TaskResult
from shared.ipc.pipe import MessagePipe

SILENT = "The task did not report its result"
EXIT_S = 5.0  # for the kernel to end it; it is not waited for while it waits for a disk
BOOT_S = 20.0  # a cold start of Python and the SDK on a slow disk


def send(target: Callable[..., None], order: object, limit_s: float | None, silence: str = SILENT) -> TaskResult:
    """Run `target(order, pipe)` in a process of its own, for `limit_s` and a boot at most, and end it.

    The environment has to be a worker's. Raises what the process failed with, `SinkUnavailable` with the text
    `silence` when it does not answer in time, and what `shared.limits` makes of a kernel that starts no process.
    """
    try:
        # Signals to the group are for the command. SIGUSR1 asks for stacks, which a worker gives, and must not end what
        # a worker has sent. On Ctrl-C the kernel ends the task with the command, without a traceback.
        process, ours = spawn.start(target, order, name="evsup-task", held_back=[signal.SIGUSR1, signal.SIGINT])
    except OSError as error:
        raise limits.start_limit_error(error, "No process can be started for the task") from None
    pipe: MessagePipe[TaskResult] = MessagePipe(ours, TaskResult)
    try:
        answer = _await_result(pipe, None if limit_s is None else Deadline.after(BOOT_S + limit_s), silence)
    finally:
        # It has answered, or never will. Its finalizers must not run: a streaming client's would wait for Snowflake.
        process.kill()
        process.join(EXIT_S)
        pipe.close()
    if answer is None:
        raise ended("The task", process.pid, process.exitcode)
    if isinstance(answer, Failed):
        raise error_of(answer)
    return answer


def _await_result(pipe: MessagePipe[TaskResult], deadline: Deadline | None, silence: str) -> TaskResult | None:
    """The result; None when the process ended without one."""
    while not pipe.ended:
        if not connection.wait([pipe.fileno()], deadline.remaining_s() if deadline else None):
            raise SinkUnavailable(
                silence,
                "no answer in time",
                REACH_SNOWFLAKE,
            )
        for message in pipe.receive():
            return message
    return None

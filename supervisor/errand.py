"""A process that is sent to do one thing and say how it went: the streaming SDK is never imported here."""

from collections.abc import Callable
from multiprocessing import connection, get_context

from shared.clock import Deadline
from shared.errors import WorkerCrashed, WorkerHung
from shared.messages import Answer, Failed
from shared.pipe import MessagePipe
from supervisor.child import error_of

BOOT_S = 20.0  # a cold start of Python and the SDK on a slow disk


def send(target: Callable[..., None], order: object, limit_s: float | None) -> Answer:
    """Run `target(order, pipe)` in a process of its own, for `limit_s` and a boot at most, and end it.

    The environment has to be a worker's. Raises what the process failed with.
    """
    ours, theirs = get_context("spawn").Pipe(duplex=True)  # never fork: see supervisor.child
    process = get_context("spawn").Process(target=target, args=(order, theirs), name="evsup-errand")
    process.start()
    theirs.close()
    pipe: MessagePipe[Answer] = MessagePipe(ours, Answer)
    try:
        answer = _heard(pipe, None if limit_s is None else Deadline.after(BOOT_S + limit_s))
    finally:
        process.kill()
        process.join()
        pipe.close()
    if answer is None:
        raise WorkerCrashed("The process ended without a word", f"exit code {process.exitcode}")
    if isinstance(answer, Failed):
        raise error_of(answer)
    return answer


def _heard(pipe: MessagePipe[Answer], deadline: Deadline | None) -> Answer | None:
    """The answer; None when the process ended without one."""
    while not pipe.ended:
        if not connection.wait([pipe.fileno()], deadline.remaining_s() if deadline else None):
            raise WorkerHung("The process that was sent hangs", "no answer in time", "The host may be overloaded.")
        for message in pipe.receive():
            return message
    return None

"""How far channels are. A process of its own asks: the streaming SDK is never imported here."""

import os
from collections.abc import Mapping, Sequence
from multiprocessing import connection, get_context

import worker.statuses
from shared.clock import Deadline
from shared.errors import SinkUnavailable, WorkerCrashed
from shared.messages import Answer, Failed, Standing, Standings
from shared.pipe import MessagePipe
from supervisor.child import error_of

BOOT_S = 20.0  # a cold start of Python and the SDK on a slow disk


def standings(channels: Sequence[str], limit_s: float) -> Mapping[str, Standing]:
    """By channel; one that is not there has no token, and a status code that says so.

    The environment has to be a worker's. Blocks for `limit_s` and a boot at most. Raises what a worker would raise.
    """
    ours, theirs = get_context("spawn").Pipe(duplex=True)  # never fork: see supervisor.child
    question = worker.statuses.Question(tuple(channels), os.getpid())
    process = get_context("spawn").Process(target=worker.statuses.run, args=(question, theirs), name="evsup-statuses")
    process.start()
    theirs.close()
    pipe: MessagePipe[Answer] = MessagePipe(ours, Answer)
    try:
        answer = _heard(pipe, Deadline.after(BOOT_S + limit_s))
    finally:
        process.kill()
        process.join()
        pipe.close()
    match answer:
        case Standings(channels=found):
            return found
        case Failed():
            raise error_of(answer)
        case None:
            raise WorkerCrashed("The process that reads channels ended without a word", f"exit code {process.exitcode}")


def _heard(pipe: MessagePipe[Answer], deadline: Deadline) -> Answer | None:
    """The answer; None when the process ended without one."""
    while not pipe.ended:
        if not connection.wait([pipe.fileno()], deadline.remaining_s()):
            raise SinkUnavailable(
                "Snowflake does not say how far the channels are",
                "no answer in time",
                "Check SNOWFLAKE_ACCOUNT or SNOWFLAKE_URL, and the network between.",
            )
        for message in pipe.receive():
            return message
    return None

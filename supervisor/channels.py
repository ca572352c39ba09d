"""How far channels are, asked without opening one."""

import os
from collections.abc import Mapping, Sequence

import worker.statuses
from shared.errand import send
from shared.errors import ProtocolError
from shared.messages import Standing, Standings


def standings(channels: Sequence[str], limit_s: float) -> Mapping[str, Standing]:
    """By channel; one that is not there has no token, and a status code that says so. Blocks and raises as `send`."""
    question = worker.statuses.Question(tuple(channels), limit_s, os.getpid())
    answer = send(worker.statuses.run, question, limit_s, "Snowflake does not say how far the channels are")
    if not isinstance(answer, Standings):
        raise ProtocolError("Channels were asked for", f"the answer is {type(answer).__name__}")
    return answer.channels

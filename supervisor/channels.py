"""How far channels are, asked without opening one."""

import os
from collections.abc import Mapping, Sequence

import worker.statuses
from shared.errors import ProtocolError
from shared.messages import Standing, Standings
from supervisor.errand import send


def standings(channels: Sequence[str], limit_s: float) -> Mapping[str, Standing]:
    """By channel; one that is not there has no token, and a status code that says so. Blocks and raises as `send`."""
    answer = send(worker.statuses.run, worker.statuses.Question(tuple(channels), limit_s, os.getpid()), limit_s)
    if not isinstance(answer, Standings):
        raise ProtocolError("Channels were asked for", f"the answer is {type(answer).__name__}")
    return answer.channels

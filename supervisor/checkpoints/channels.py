"""How far channels are, asked without opening one."""

import os
from collections.abc import Mapping, Sequence

import worker.tasks.channel_statuses
from shared.errors import ProtocolError
from shared.ipc.messages import ChannelStatus, ChannelStatuses
from shared.ipc.task import send


def standings(channels: Sequence[str], limit_s: float) -> Mapping[str, ChannelStatus]:
    """By channel; one that is not there has no token, and a status code that says so. Blocks and raises as `send`."""
    question = worker.tasks.channel_statuses.Question(tuple(channels), limit_s, os.getpid())
    answer = send(
        worker.tasks.channel_statuses.run, question, limit_s, "Snowflake does not say how far the channels are"
    )
    if not isinstance(answer, ChannelStatuses):
        raise ProtocolError("Channels were asked for", f"the answer is {type(answer).__name__}")
    return answer.channels

"""The statuses of channels, read without opening one."""

import os
from collections.abc import Iterable, Mapping, Sequence

import worker.tasks.channel_statuses
from shared.errors import ProtocolError
from shared.ipc.messages import ChannelStatus, ChannelStatuses
from shared.ipc.task import send
from shared.model import Checkpoint, ConsumerGroup
from shared.snowflake.channel_name import channel_name, of_generation


def statuses_of_partitions(
    prefix: str, group: ConsumerGroup, checkpoints: Iterable[Checkpoint], limit_s: float
) -> dict[str, ChannelStatus]:
    """By partition, the status of the channel that its checkpoint names. Blocks and raises as `statuses`."""
    names = {
        row.partition_id: of_generation(channel_name(prefix, group, row.partition_id), row.channel_generation)
        for row in checkpoints
    }
    found = statuses(tuple(names.values()), limit_s)
    return {partition_id: found[name] for partition_id, name in names.items()}


def statuses(channels: Sequence[str], limit_s: float) -> Mapping[str, ChannelStatus]:
    """By channel name. A channel that does not exist has no token, and a status code that says so.

    A process of its own asks for them, because the streaming SDK starts threads. Blocks and raises as `send`.
    """
    question = worker.tasks.channel_statuses.Question(tuple(channels), limit_s, os.getpid())
    answer = send(worker.tasks.channel_statuses.run, question, limit_s, "Snowflake did not report the channel statuses")
    if not isinstance(answer, ChannelStatuses):
        raise ProtocolError("The task for channel statuses sent another message", type(answer).__name__)
    return answer.channels

"""A look at recent events, for the types of columns."""

import os
from collections.abc import Sequence

import worker.tasks.sample
from shared.errors import ProtocolError
from shared.ipc.messages import Sampled
from shared.ipc.task import send

SAMPLE_S = 60.0


def sample(partition_ids: Sequence[str], events: int) -> Sampled:
    """What the newest `events` of each of these partitions look like.

    A process of its own reads them, because the receiver starts threads. Blocks and raises as `send`; raises
    `OwnershipLost` when somebody reads a partition with an owner level. The environment has to be a worker's.
    """
    question = worker.tasks.sample.Question(tuple(partition_ids), events, os.getpid())
    answer = send(worker.tasks.sample.run, question, SAMPLE_S, "Event Hubs did not deliver a sample of events")
    if not isinstance(answer, Sampled):
        raise ProtocolError("The task for a sample sent another message", type(answer).__name__)
    return answer

"""Logs of a partition."""

from scripts.localcloud.hub.entity import event
from scripts.localcloud.hub.entity.partition import Partition


def partition(*times_ms: int) -> Partition:
    """A log with an event of each of these times."""
    made = Partition("0")
    for time_ms in times_ms:
        made.append(event.data(b"{}"), time_ms)
    return made

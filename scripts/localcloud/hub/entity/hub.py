"""The hub: its partitions, its consumer groups and what is broken in it."""

import time
import uuid
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from scripts.localcloud.hub.access.gate import Gate
from scripts.localcloud.hub.access.token import Policy
from scripts.localcloud.hub.entity.event import Published
from scripts.localcloud.hub.entity.faults import Faults
from scripts.localcloud.hub.entity.partition import Partition

DEFAULT_GROUP = "$Default"
LARGEST_MESSAGE = 1024 * 1024
"""Bytes of a message, a batch included, in the Standard and Premium tiers.

https://learn.microsoft.com/azure/event-hubs/event-hubs-quotas
"""
LARGE_MESSAGE = 20 * 1024 * 1024
"""The same in a Dedicated cluster that takes large messages, whose clients need not change; that MB is MiB is a guess.

https://learn.microsoft.com/azure/event-hubs/event-hubs-quickstart-stream-large-messages
"""


@dataclass(frozen=True, slots=True)
class HubSpec:
    """What a hub is created with. `idle_ms` is the idle timeout announced to clients, in milliseconds."""

    name: str
    partition_count: int
    groups: tuple[str, ...]
    namespace: str
    policy: Policy
    idle_ms: int
    identity_key: str = field(repr=False)
    """What signs the tokens of identities."""


class Hub:
    """State shared by all connections; one thread, the event loop's, touches it."""

    def __init__(self, spec: HubSpec) -> None:
        self.name = spec.name
        self.host = spec.namespace
        self.policy, self.identity_key = spec.policy, spec.identity_key
        self.gate = Gate()
        self.largest_message = LARGEST_MESSAGE
        self.idle_ms = spec.idle_ms
        self.groups = {group.lower() for group in (DEFAULT_GROUP, *spec.groups)}
        self.container = uuid.uuid4().hex
        self.faults = Faults()
        self.partitions = _partitions(spec.partition_count)
        self.created_ms = now_ms()
        self.asked_s: deque[float] = deque(maxlen=1000)
        """When runtime information was asked for, the last times."""
        self._turn = 0

    def append(self, partition_id: str, events: Iterable[Published], *, numbered: bool = True) -> None:
        """Store events and wake the partition's receivers."""
        partition, now = self.partitions[partition_id], now_ms()
        for one in events:
            partition.append(one, now, numbered=numbered)
        partition.announce()

    def next_in_turn(self) -> str:
        """Return the partition for the next message that names neither a partition nor a key."""
        ids = list(self.partitions)
        self._turn = (self._turn + 1) % len(ids)
        return ids[self._turn]

    def grow(self, count: int) -> None:
        """Have so many partitions more, as Premium and Dedicated hubs can."""
        self.partitions = _partitions(len(self.partitions) + count) | self.partitions

    def recreate(self, count: int | None = None) -> None:
        """Be a new hub of the same name: empty, younger, counting from 0. Whoever was attached is on the old one."""
        self.partitions = _partitions(count or len(self.partitions))
        self.created_ms = max(now_ms(), self.created_ms + 1)

    def not_found(self, uri: str) -> str:
        """Return the service's text for an entity that does not exist."""
        return (
            f"The messaging entity '{uri}' could not be found."
            " To know more visit https://aka.ms/sbResourceMgrExceptions."
        )


def now_ms() -> int:
    """Return the wall clock in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def _partitions(count: int) -> dict[str, Partition]:
    return {str(number): Partition(str(number)) for number in range(count)}

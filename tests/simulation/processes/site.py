"""A host, and what its processes reach from there."""

from collections.abc import Mapping
from dataclasses import dataclass

from tests.simulation.invariants import Invariants
from tests.simulation.processes.process import Clock, Process
from tests.simulation.services.database import Memory, Wire
from tests.simulation.services.hub import Partition
from tests.simulation.services.network import Network
from tests.simulation.services.snowpipe import Channel
from tests.simulation.world import World


@dataclass(frozen=True, slots=True)
class Site:
    """One host: its clock and its way to the control store; hub and Snowflake are the same for all."""

    world: World
    invariants: Invariants
    clock: Clock
    network: Network
    database: Memory
    partitions: Mapping[str, Partition]
    channels: Mapping[str, Channel]

    def wire(self, process: Process) -> Wire:
        """The control store as this process reaches it."""
        return Wire(process, self.network, self.database)

    def partition(self, partition_id: str) -> Partition:
        """Of the hub."""
        return self.partitions[partition_id]

    def channel(self, partition_id: str) -> Channel:
        """Of the pipe."""
        return self.channels[partition_id]

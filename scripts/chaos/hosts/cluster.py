"""Event Hubs, Snowflake and Postgres on a host each, and supervisors on others."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from scripts.chaos.hosts.network import Machine, Network
from scripts.chaos.scene.limits import PATIENT
from scripts.chaos.scene.scene import CLOUD, Scene
from scripts.localcloud.cloud import LocalCloud
from scripts.localcloud.place import Places

EVENTS_PER_S = 400.0
EVENT_HUBS, SNOWFLAKE, POSTGRES = "event-hubs", "snowflake", "postgres"


@dataclass(frozen=True)
class Cluster:
    """A scene on a network: supervisor `n` of the scene runs on `hosts[n]`."""

    scene: Scene
    network: Network
    services: dict[str, Machine]
    hosts: list[Machine]

    def join(self) -> None:
        """Start a supervisor on the next host."""
        self.scene.join(self.hosts[len(self.scene.units)].place.entrance)


@contextmanager
def staged(directory: Path, hosts: int, partitions: int) -> Iterator[Cluster]:
    """Fresh services and hosts, a supervisor on the first of them, and nothing left of it all after."""
    with closing(Network()) as network:
        services = {name: network.add(name) for name in (EVENT_HUBS, SNOWFLAKE, POSTGRES)}
        machines = [network.add(f"host-{number}") for number in range(1, hosts + 1)]
        places = Places(*(machine.place for machine in services.values()))
        settings = replace(CLOUD, partitions=partitions, places=places)
        with LocalCloud(settings) as cloud, closing(Scene(cloud, directory, EVENTS_PER_S, PATIENT)) as scene:
            cluster = Cluster(scene, network, services, machines)
            cluster.join()
            yield cluster

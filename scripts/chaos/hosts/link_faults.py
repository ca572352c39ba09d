"""Faults of the network: a host or a service that cannot be reached, or only in one direction, or slowly."""

from collections.abc import Callable, Iterator, Sequence

from scripts.chaos.faults.fault import Fault
from scripts.chaos.faults.processes import HOST_KILLED
from scripts.chaos.faults.schedule import Strike
from scripts.chaos.hosts.cluster import EVENT_HUBS, POSTGRES, SNOWFLAKE, Cluster
from scripts.chaos.hosts.link import Link
from scripts.chaos.hosts.packet_filter import Direction
from scripts.chaos.scene.limits import PATIENT
from scripts.chaos.scene.scene import Scene

LEASE_S = PATIENT.expiration_s
WITHIN_LEASE_S = (1.0, LEASE_S / 2)  # a lease is trusted for less than it lasts, and renewed a second ago
PAST_LEASE_S = (LEASE_S + 1.0, LEASE_S + 4.0)
EITHER_S = (WITHIN_LEASE_S[0], PAST_LEASE_S[1])
SLOW_S = (8.0, 16.0)

Deed = tuple[Callable[[Link], None], Callable[[Link], None]]
"""What breaks a link, and what mends it."""

UNPLUGGED: Deed = (Link.pull, Link.plug_in)
TURNED_OFF: Deed = (Link.turn_off, Link.turn_on)
SLOWED: Deed = (Link.slow_down, Link.speed_up)


def cut(peer: str | None, *directions: Direction) -> Deed:
    """Packets get lost in these directions: those of a peer, or all."""

    def break_(link: Link) -> None:
        for direction in directions:
            link.cut(direction, peer)

    def mend(link: Link) -> None:
        for direction in directions:
            link.restore(direction, peer)

    return break_, mend


class LinkFaults:
    """Every kind, for one cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._addresses = {name: machine.place.address for name, machine in cluster.services.items()}

    def of_hosts(self) -> list[Fault]:
        """Those of one host, which the seed chooses."""
        return [
            self._of_host("cable out past the lease", UNPLUGGED, PAST_LEASE_S),
            self._of_host("cable out within the lease", UNPLUGGED, WITHIN_LEASE_S),
            self._of_host("interface down", TURNED_OFF, EITHER_S),
            self._of_host("link silent", cut(None, "out", "in"), EITHER_S),
            self._of_host("no packets out", cut(None, "out"), EITHER_S),
            self._of_host("no packets in", cut(None, "in"), EITHER_S),
            self._of_host("link slow and lossy", SLOWED, SLOW_S),
            *self._of_services(),
            HOST_KILLED,
        ]

    def of_all(self) -> list[Fault]:
        """Those that strike every host at once."""
        server, links = [self._cluster.services[POSTGRES].link], [host.link for host in self._cluster.hosts]
        return [
            self._fault(f"{POSTGRES} unplugged", lambda _: server, UNPLUGGED, EITHER_S),
            *(
                self._fault(f"{name} unreachable", lambda _: links, cut(self._addresses[name], "out", "in"), EITHER_S)
                for name in (EVENT_HUBS, SNOWFLAKE)
            ),
        ]

    def _of_services(self) -> Iterator[Fault]:
        for name, address in self._addresses.items():
            yield self._of_host(f"cut off from {name}", cut(address, "out", "in"), PAST_LEASE_S)
            yield self._of_host(f"no packets to {name}", cut(address, "out"), EITHER_S)
            yield self._of_host(f"no packets from {name}", cut(address, "in"), EITHER_S)

    def _of_host(self, name: str, deed: Deed, lasts_s: tuple[float, float]) -> Fault:
        return self._fault(name, lambda strike: [self._cluster.hosts[strike.unit].link], deed, lasts_s)

    def _fault(
        self, name: str, links: Callable[[Strike], Sequence[Link]], deed: Deed, lasts_s: tuple[float, float]
    ) -> Fault:
        """It has fired when packets got lost; the kernel counts none that a link without a carrier loses."""
        is_counted = deed not in (UNPLUGGED, TURNED_OFF)
        break_, mend = deed

        def strike(scene: Scene, strike: Strike) -> bool:
            for link in links(strike):
                break_(link)
            scene.struck[name] += 1
            return True

        def mended(_scene: Scene, strike: Strike) -> None:
            for link in links(strike):
                mend(link)

        def fired(scene: Scene) -> int:
            return self._cluster.network.lost() if is_counted else scene.struck[name]

        return Fault(name, strike, fired, mended, lasts_s)

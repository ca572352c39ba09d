"""A network of hosts: this process is in the namespace of the router, and each host has a link to it."""

from dataclasses import dataclass
from pathlib import Path

from scripts.chaos.hosts.link import INNER, Link
from scripts.chaos.hosts.namespace import Namespace, run
from scripts.chaos.hosts.unshare import NotPossible
from scripts.localcloud.place import Place

FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
ALL = "10.77.0.0/16"


@dataclass(frozen=True)
class Machine:
    """A host: where it is, and its cable."""

    name: str
    place: Place
    link: Link


class Network:
    """Hosts are added one by one. Without `close` everything ends with this process as well."""

    def __init__(self) -> None:
        self.machines: list[Machine] = []
        self._namespaces: list[Namespace] = []
        if run("ip", "-oneline", "address"):
            raise NotPossible("this network is in use: a router needs one of its own")
        try:
            FORWARDING.write_text("1")
        except OSError as error:
            raise NotPossible(f"{FORWARDING}: {error.strerror}") from error
        run("ip", "link", "set", "lo", "up")

    def add(self, name: str) -> Machine:
        """One more host, connected."""
        namespace, number = Namespace(name), len(self.machines) + 1
        self._namespaces.append(namespace)
        outer, router, address = f"host{number}", f"10.77.{number}.1", f"10.77.{number}.2"
        run("ip", "link", "add", outer, "type", "veth", "peer", "name", INNER, "netns", namespace.path)
        run("ip", "address", "add", f"{router}/24", "dev", outer)
        run("ip", "link", "set", outer, "up")
        route = (ALL, "via", router)
        for command in (
            ("link", "set", "lo", "up"),
            ("address", "add", f"{address}/24", "dev", INNER),
            ("link", "set", INNER, "up"),
            ("route", "add", *route),
        ):
            run("ip", *command, entrance=namespace.entrance)
        machine = Machine(name, Place(address, namespace.entrance), Link(outer, namespace.entrance, route))
        self.machines.append(machine)
        return machine

    def lost(self) -> int:
        """Packets that got lost on any link."""
        return sum(machine.link.lost() for machine in self.machines)

    def close(self) -> None:
        """Keep no host."""
        for namespace in self._namespaces:
            namespace.close()

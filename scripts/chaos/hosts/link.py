"""The cable between the router and one host, with all that can be wrong with a cable."""

import json
from contextlib import suppress

from scripts.chaos.hosts.namespace import run
from scripts.chaos.hosts.packet_filter import Direction, dropping
from scripts.chaos.hosts.unshare import NotPossible

INNER = "eth0"
HOOKS = {"out": "ingress", "in": "egress"}  # at the router's end
# A bad line: what does not fit is queued, which is its delay, and what does not fit the queue is lost. Beside that 2 %
# of the packets get lost on the way.
RATE, QUEUE, BURST, LOST = "1mbit", "400ms", "4kb", 0.02
DELAY = ("delay", "50ms", "10ms")


class Link:
    """A pair of interfaces: `outer` is the router's end, `eth0` the host's, behind `entrance`."""

    def __init__(self, outer: str, entrance: tuple[str, ...], route: tuple[str, ...]) -> None:
        self._outer, self._entrance, self._route = outer, entrance, route
        self._filters: dict[tuple[Direction, str | None], int] = {}
        run("tc", "qdisc", "add", "dev", outer, "clsact")

    def pull(self) -> None:
        """The cable is out: the host has no carrier."""
        run("ip", "link", "set", self._outer, "down")

    def plug_in(self) -> None:
        """The cable is in again."""
        run("ip", "link", "set", self._outer, "up")

    def turn_off(self) -> None:
        """The host's own interface is down, which its programs notice at once."""
        self._inside("ip", "link", "set", INNER, "down")

    def turn_on(self) -> None:
        """The interface is up again, with the route that went with it."""
        self._inside("ip", "link", "set", INNER, "up")
        self._inside("ip", "route", "replace", *self._route)

    def cut(self, direction: Direction, peer: str | None, share: float = 1.0) -> None:
        """Lose packets in this direction without a sign: those to or from `peer`, or all; or this share of them."""
        number = self._filters[direction, peer] = max(self._filters.values(), default=0) + 1
        self._filter("add", direction, number, "bpf", "direct-action", "bytecode", dropping(direction, peer, share))

    def restore(self, direction: Direction, peer: str | None) -> None:
        """Let them arrive again."""
        self._filter("del", direction, self._filters.pop((direction, peer)))

    def slow_down(self) -> None:
        """It is narrow and lossy in both directions; a kernel that has netem delays each packet, too."""
        for entrance, device in ((), self._outer), (self._entrance, INNER):
            bucket = ("handle", "1:", "tbf", "rate", RATE, "burst", BURST, "latency", QUEUE)
            run("tc", "qdisc", "add", "dev", device, "root", *bucket, entrance=entrance)
            with suppress(NotPossible):  # CONFIG_NET_SCH_NETEM is a module of most kernels, and of some not
                run("tc", "qdisc", "add", "dev", device, "parent", "1:1", "netem", *DELAY, entrance=entrance)
        self.cut("out", None, LOST)
        self.cut("in", None, LOST)

    def speed_up(self) -> None:
        """It is fast and loses nothing."""
        for entrance, device in ((), self._outer), (self._entrance, INNER):
            run("tc", "qdisc", "del", "dev", device, "root", entrance=entrance)
        self.restore("out", None)
        self.restore("in", None)

    def lost(self) -> int:
        """Packets that got lost so far."""
        queues = json.loads(run("tc", "-s", "-j", "qdisc", "show", "dev", self._outer))
        return sum(int(queue.get("drops", 0)) for queue in queues)

    def _inside(self, *command: str) -> None:
        run(*command, entrance=self._entrance)

    def _filter(self, verb: str, direction: Direction, number: int, *program: str) -> None:
        run("tc", "filter", verb, "dev", self._outer, HOOKS[direction], "pref", f"{number}", *program)

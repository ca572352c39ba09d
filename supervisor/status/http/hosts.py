"""By which names a client may reach the server.

A web site can have a browser take its name for the address of this server (DNS rebinding), and then read what the
server answers. The browser still sends the name of the site as `Host`, so a name that a site could have is refused.
What a scrape, a probe or a tunnel sends is none: an address, `localhost`, or a name of a private network.
"""

import socket
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address

# Nobody can register a name below them: https://www.iana.org/assignments/special-use-domain-names, ICANN for `internal`
# (https://www.icann.org/en/board-activities-and-meetings/materials/approved-resolutions-special-meeting-of-the-icann-board-29-07-2024-en),
# Kubernetes for `svc`.
PRIVATE = (".local", ".internal", ".svc", ".home.arpa")


@dataclass(frozen=True, slots=True)
class Hosts:
    """The names of one listening address."""

    own: str
    """The name of this host, in small letters."""
    named: frozenset[str] = frozenset()
    """Those of EVSUP_HTTP_HOSTS, in small letters."""
    is_loopback: bool = True
    """Whether only this host can reach the address."""

    def include(self, host: str) -> bool:
        """Whether a request for this host, in small letters, is one for this server. HTTP/1.0 needs no host."""
        if host in ("", "localhost", self.own) or host in self.named or host.endswith(".localhost") or _is_ip(host):
            return True
        # On the loopback interface a neighbour of the network must not get in by a name of the network either.
        return not self.is_loopback and self._is_private(host)

    def _is_private(self, host: str) -> bool:
        first, _, domain = host.partition(".")
        return not domain or host.endswith(PRIVATE) or first == self.own.partition(".")[0]


def hosts_of(listener: socket.socket, named: Iterable[str]) -> Hosts | None:
    """The names of a listening socket; None: no browser can reach it, and any name will do."""
    if listener.family == socket.AF_UNIX:
        return None
    address = ip_address(listener.getsockname()[0])
    return Hosts(socket.gethostname().lower(), frozenset(name.lower() for name in named), address.is_loopback)


def _is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True

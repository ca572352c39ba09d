"""Where services run: on loopback, or each on a host of its own; and the ports that are kept for them."""

import socket
from dataclasses import dataclass

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Place:
    """The address that a service listens on, and the command that takes a program to the host with that address."""

    address: str = LOOPBACK
    entrance: tuple[str, ...] = ()


HERE = Place()


@dataclass(frozen=True)
class Places:
    """One for each service."""

    hub: Place = HERE
    snow: Place = HERE
    postgres: Place = HERE


ALL_HERE = Places()


def bound(address: str = LOOPBACK, port: int = 0) -> socket.socket:
    """Bind a socket that does not listen; port 0 is any free one.

    While it is open, clients are refused there, and the kernel gives the port to nobody who asks for any. A server that
    asks for this one can have it if it sets SO_REUSEADDR, as servers do (https://man7.org/linux/man-pages/man7/socket.7.html).
    """
    one = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.bind((address, port))
    return one

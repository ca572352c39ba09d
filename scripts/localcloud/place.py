"""Where services run: on loopback, or each on a host of its own."""

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

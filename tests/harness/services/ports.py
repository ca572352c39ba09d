"""Ports that nobody listens on."""

import socket

from scripts.localcloud.place import bound

_kept: list[socket.socket] = []


def free_port(host: str = "127.0.0.1") -> int:
    """One that stays free as long as this process lives, but for who asks for just this one."""
    _kept.append(bound(host))
    port: int = _kept[-1].getsockname()[1]
    return port

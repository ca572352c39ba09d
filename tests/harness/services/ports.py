"""Ports that nobody listens on."""

import socket


def free_port(host: str = "127.0.0.1") -> int:
    """One that was free a moment ago."""
    with socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET) as listener:
        port: int = listener.getsockname()[1]
        return port

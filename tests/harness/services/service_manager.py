"""The end of systemd to which a service reports (sd_notify(3)), as a real socket."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self

READ_EVERY_S = 0.05


class ServiceManager:
    """Listens at a path, or at `@` and a name that no file has."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        self._socket.setblocking(False)

    def heard(self) -> list[list[str]]:
        """The lines of each message since the last call."""
        messages = []
        with suppress(BlockingIOError):
            while True:
                messages.append(self._socket.recv(4096).decode().split("\n"))
        return messages

    @contextmanager
    def listening(self) -> Iterator[list[str]]:
        """Every line that comes in the block. The kernel keeps only so many messages that nobody reads, often ten:
        net.unix.max_dgram_qlen in https://docs.kernel.org/networking/ip-sysctl.html.
        """
        lines: list[str] = []
        is_over = threading.Event()

        def listen() -> None:
            while True:
                is_last = is_over.wait(READ_EVERY_S)
                lines.extend(line for message in self.heard() for line in message)
                if is_last:
                    return

        thread = threading.Thread(target=listen)
        thread.start()
        try:
            yield lines
        finally:
            is_over.set()
            thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._socket.close()

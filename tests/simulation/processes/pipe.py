"""A pipe between two simulated processes: two ends, and what was sent and not read."""

from collections import deque
from typing import Any

from shared.ipc.pipe import MessagePipe


class End(MessagePipe[Any]):
    """One end. What a stopped process does not read waits for it."""

    def __init__(self) -> None:
        self.peer: End = self
        self.ended = False
        self._arrived: deque[Any] = deque()

    def fileno(self) -> int:
        return 0

    def send(self, message: Any, topic: str | None = None) -> None:
        self.peer._arrived.append(message)

    def flush(self) -> bool:
        return True

    def receive(self) -> list[Any]:
        messages = list(self._arrived)
        self._arrived.clear()
        self.ended = self.ended or self.peer is self
        return messages

    def close(self) -> None:
        """The peer sees the end of the stream after what was sent."""
        self.peer.peer = self.peer


def pipe() -> tuple[End, End]:
    """Both ends."""
    ours, theirs = End(), End()
    ours.peer, theirs.peer = theirs, ours
    return ours, theirs

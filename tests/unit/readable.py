"""Waiting for a file descriptor, never for a time."""

from multiprocessing.connection import wait
from typing import Protocol

DEADLINE_S = 30.0


class HasFileno(Protocol):
    """What a file descriptor stands for."""

    def fileno(self) -> int: ...


def readable(source: HasFileno, timeout_s: float = DEADLINE_S) -> bool:
    """Whether the source has something to give before the deadline."""
    return bool(wait([source.fileno()], timeout_s))

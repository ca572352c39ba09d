"""What happens to the leases of a supervisor, as the loop of its process tree learns it."""

from collections import deque
from dataclasses import dataclass
from typing import TypeAlias

from shared.errors import EvsupError
from shared.ipc.wakeup import Wakeup
from shared.model import Term
from supervisor.ownership.balance import Assignment


@dataclass(frozen=True, slots=True)
class Claimed:
    """A partition is owned here until `trusted_until_s`."""

    term: Term
    trusted_until_s: float


@dataclass(frozen=True, slots=True)
class Renewed:
    """These terms are good until `trusted_until_s`."""

    terms: tuple[Term, ...]
    trusted_until_s: float


@dataclass(frozen=True, slots=True)
class Lost:
    """Another member owns the partition."""

    term: Term


@dataclass(frozen=True, slots=True)
class Balanced:
    """What a balancing round decided. What it claimed came as `Claimed`; its surplus is to be drained."""

    assignment: Assignment


@dataclass(frozen=True, slots=True)
class LeasesFailed:
    """The leases cannot be kept."""

    error: EvsupError


LeaseEvent: TypeAlias = Claimed | Renewed | Lost | Balanced | LeasesFailed


class LeaseEvents:
    """Events on their way from the thread that keeps the leases to the loop, in order."""

    def __init__(self) -> None:
        self._events: deque[LeaseEvent] = deque()
        self._wakeup = Wakeup()

    def fileno(self) -> int:
        """For `multiprocessing.connection.wait`: readable while an event waits."""
        return self._wakeup.fileno()

    def emit(self, event: LeaseEvent) -> None:
        """On any thread: have the loop learn of it."""
        # In this order, and `receive` in the other one: an event may then be found early, and never late.
        self._events.append(event)
        self._wakeup.set()

    def receive(self) -> list[LeaseEvent]:
        """What was emitted since the last call."""
        if not self._wakeup.clear():
            return []
        return [self._events.popleft() for _ in range(len(self._events))]

"""Supervisors' leases on one control store, stepped on a clock that stands still."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.control.store import ControlStore
from shared.model import SupervisorRow, Term
from supervisor.ownership.lease_events import Claimed, LeaseEvent
from supervisor.ownership.leases import Leases
from supervisor.ownership.trust import trust_window_s
from tests.unit.plain_settings import eventhub
from tests.unit.shared.control.stores import EXPIRATION_S, Clock, Stores, Wire

IDS = ("0", "1", "2", "3")
WINDOW_S = trust_window_s(EXPIRATION_S)
ROUND_S = 11.0  # by then the next renewal is due, whatever the jitter

Supervisor = tuple[Leases, ControlStore, Wire]
Make = Callable[..., Supervisor]


@contextmanager
def supervisors(path: Path, clock: Clock) -> Iterator[Make]:
    """Makes supervisors that share one control store."""
    stores = Stores(path, clock)

    def supervisor(owner_id: str, capacity: int | None = None, **changes: float) -> Supervisor:
        store, wire = stores.open()
        me = SupervisorRow(owner_id, "host", 1, capacity, "0")
        return Leases(store, me, IDS, eventhub(**changes), clock), store, wire

    yield supervisor
    stores.close()


def stepped(leases: Leases) -> list[LeaseEvent]:
    """What a round emits."""
    leases.step()
    return leases.events.receive()


def terms(events: list[LeaseEvent]) -> list[Term]:
    """What was claimed."""
    return [event.term for event in events if isinstance(event, Claimed)]


def partitions(events: list[LeaseEvent]) -> list[str]:
    """The partitions that were claimed."""
    return [term.partition_id for term in terms(events)]

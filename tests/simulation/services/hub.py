"""Event Hubs, as far as a lease is concerned: numbered events, and one receiver for each partition by owner level.

A reader with a higher or equal level disconnects the one before it, one with a lower level is refused.
https://learn.microsoft.com/azure/event-hubs/event-processor-balance-partition-load
"""

from collections.abc import Callable, Sequence
from functools import cache
from types import TracebackType
from typing import Self

from azure.eventhub import EventData

from shared.clock import Deadline
from shared.errors import OwnershipLost
from shared.model import HubFacts, PartitionFacts
from tests.simulation.invariants import Invariants
from tests.simulation.processes.process import MOMENT_S, Process
from tests.simulation.services.network import FAST_S, skewed
from tests.simulation.world import World
from tests.unit.worker.rows.events import long, message
from worker.rows.envelope import Envelope
from worker.rows.event import Event
from worker.source.batch_queue import Batch
from worker.source.link import Position

BATCH = 5
BUFFERED = 8  # events that a receiver has already and still gives after it was disconnected
NOTICE_S = 0.5  # until a receiver learns that it was disconnected
CREATED_S = 1_700_000_000.0


class Partition:
    """Events with the numbers 0 to `last`."""

    def __init__(self, world: World, invariants: Invariants, partition_id: str) -> None:
        self.world, self.partition_id = world, partition_id
        self._invariants = invariants
        self.last = -1
        self.reader: SimulatedReceiver | None = None

    def facts(self) -> PartitionFacts:
        """As Event Hubs reports them."""
        return PartitionFacts(0, self.last, self.last < 0, CREATED_S, str(self.last) if self.last >= 0 else None)

    def attach(self, reader: "SimulatedReceiver") -> bool:
        """Whether the receiver may read; the one before it is disconnected then."""
        before, self.reader = self.reader, reader
        if before is None or before is reader or not before.process.lives:
            return True
        if reader.level < before.level:
            self.reader = before
            return False
        self._invariants.attached(self.partition_id, reader.term_epoch, before.term_epoch)
        before.lose()
        return True

    def break_link(self) -> None:
        """The connection of the present receiver ends; it connects again."""
        if self.reader:
            self.reader.reconnect()


class SimulatedReceiver:
    """Stands for `worker.source.receiver.Receiver`: what it gives, and when."""

    def __init__(
        self,
        partition: Partition,
        process: Process,
        term_epoch: int,
        level: int,
        position: Position,
    ) -> None:
        self.process, self.level, self.term_epoch = process, level, term_epoch
        self._partition, self._world, self._position = partition, partition.world, position
        self._next = 0 if position.after is None else position.after + 1
        self._first = self._next
        self._is_attached, self._is_stopped = False, False
        self._seen_to: int | None = None
        """The last event that was under way when it was disconnected."""
        self._again = False
        self._error: OwnershipLost | None = None
        self.heard_s: float | None = None
        self.reopened = self.throttled = 0
        """Nobody asks for either."""

    def start(self) -> None:
        if self._position.last_event and self._position.after is not None:
            self._position.last_event.recognises(self._partition.partition_id, event(self._position.after))
        self.process.after(skewed(self._world.rng, 1.0), self._knock)

    def fileno(self) -> int:
        return 0

    def take(self) -> Batch | None:
        end = self._partition.last if self._seen_to is None else min(self._seen_to, self._partition.last)
        if self._is_attached and self._next <= end:
            return self._batch(min(end, self._next + self._world.rng.randrange(BATCH)))
        if self._error:
            raise self._error
        return None

    waits_for = None

    def check_alive(self, now_s: float) -> None:
        """It never hangs."""

    def stop(self) -> None:
        self._is_stopped, self._is_attached = True, False
        if self._partition.reader is self:
            self._partition.reader = None

    def join(self, deadline: Deadline) -> None:
        """Its thread has ended."""

    def lose(self) -> None:
        """Another receiver may read now."""
        self._seen_to = self._next + self._world.rng.randrange(BUFFERED)
        self.process.after(skewed(self._world.rng, NOTICE_S), self._hear_of_it)

    def reconnect(self) -> None:
        """Connect again after the last event; the SDK then delivers what it had buffered once more."""
        self._is_attached, self._again = False, True
        self.process.after(0.5 + skewed(self._world.rng, 2.0), self._knock)

    def _knock(self) -> None:
        self._world.after(skewed(self._world.rng, FAST_S), self._enter)

    def _enter(self) -> None:
        if self._is_stopped or self._error or not self.process.lives:
            return
        if self._partition.attach(self):
            self._seen_to, self._is_attached = None, True
        else:
            self.process.after(skewed(self._world.rng, NOTICE_S), self._hear_of_it)

    def _hear_of_it(self) -> None:
        self._error = OwnershipLost("The link was stolen", "amqp:link:stolen")

    def _batch(self, end: int) -> Batch:
        numbers = list(range(self._next, end + 1))
        if self._again:
            self._again = False
            numbers = [*range(max(self._first, self._next - 3), self._next), *numbers, *numbers]
        self._next = end + 1
        return Batch([event(number) for number in numbers], self._partition.facts().last_enqueued)


@cache
def event(number: int) -> Event:
    """What is received: the hub took one each millisecond."""
    return Envelope("0", "keep").event_of(encoded(number))


def encoded(number: int) -> bytes:
    """The message of an event."""
    return message(number, annotations={b"x-opt-offset": str(number).encode(), b"x-opt-enqueued-time": long(number)})


class HubClient:
    """Stands for `shared.eventhubs.client.EventHubClient` while a partition is opened."""

    def __init__(self, process: Process, partition_of: Callable[[str], Partition]) -> None:
        self._process, self._partition_of = process, partition_of

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Nothing to close."""

    def partition(self, partition_id: str) -> PartitionFacts:
        self._ask()
        facts = self._partition_of(partition_id).facts()
        self._answered()
        return facts

    def partitions(self, partition_ids: Sequence[str], _: HubFacts) -> dict[str, PartitionFacts]:
        return {partition_id: self.partition(partition_id) for partition_id in partition_ids}

    def at_or_after(self, partition_id: str, number: int, owner_level: int) -> EventData:
        """By a receiver of its own, which disconnects the former one as any other does."""
        partition = self._partition_of(partition_id)
        reader = SimulatedReceiver(partition, self._process, owner_level, owner_level, Position(number))
        self._ask()
        if not partition.attach(reader):
            raise OwnershipLost("The link was refused", "a higher owner level has the partition")
        reader.stop()
        self._answered()
        return EventData.from_bytes(encoded(number))

    def _ask(self) -> None:
        self._process.travel(skewed(self._process.world.rng, 0.5))

    def _answered(self) -> None:
        """Never at once: what comes next is done by the process again, and no longer by the hub."""
        self._process.wait(2 * MOMENT_S + skewed(self._process.world.rng, 0.5))

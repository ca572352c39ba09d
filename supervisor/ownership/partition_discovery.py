"""Which partitions the hub has: read again and again, on a thread of its own.

Partitions are added to Premium and Dedicated hubs while these run, and no client is notified: it has to ask. An answer
may take half a minute, so nothing else waits for it. A query that fails stops nothing, because a hub keeps the
partitions that it has. https://learn.microsoft.com/azure/event-hubs/dynamically-add-partitions
"""

import threading
from collections.abc import Callable, Collection, Iterator

from shared.clock import Clock, backoff_s, jittered, monotonic
from shared.command_line import complete
from shared.config.settings import EventHubSettings
from shared.errors import Bug, EvsupError
from shared.eventhubs.client import QUESTIONS_OF_A_START, QUESTIONS_PER_S, EventHubClient
from shared.eventhubs.pace import Pace
from shared.log.logger import get_logger
from shared.log.secret import mask
from shared.model import HubFacts

# A consumer group may make 50 queries a second, all its clients together: its supervisors make 10 at most.
# https://learn.microsoft.com/azure/event-hubs/event-hubs-quotas
LEAST_PAUSE_S = 0.1
MOST_PAUSE_S = 60.0  # between queries that get no answer
log = get_logger()


class HubQuery:
    """Asks over a client that is kept, for its credential keeps its token. A failure closes the client."""

    def __init__(self, settings: EventHubSettings) -> None:
        self._settings = settings
        self._client: EventHubClient | None = None

    def __call__(self) -> HubFacts:
        """The hub's runtime information. Blocks and raises as `EventHubClient.hub`."""
        self._client = self._client or EventHubClient(self._settings)
        try:
            return self._client.hub()
        except EvsupError:
            # A link that has failed once is not used again; the next query makes a new one.
            client, self._client = self._client, None
            client.close()
            raise


class PartitionDiscovery:
    """Knows the partitions of the hub. Its attributes may be read by any thread.

    `learn` is called with the partition ids whenever they have changed. `group_size` says how many supervisors query
    the hub: the more there are, the less often each of them does. `starting` says how many of them start workers.
    """

    def __init__(
        self,
        ask: Callable[[], HubFacts],
        known: HubFacts,
        interval_s: float,
        learn: Callable[[Collection[str]], None],
        group_size: Callable[[], int] = lambda: 1,
        clock: Clock = monotonic,
        starting: Callable[[], int] = lambda: 1,
    ) -> None:
        self._ask, self._interval_s, self._learn = ask, interval_s, learn
        self._group_size, self._starting = group_size, starting
        self._clock, self._starts = clock, Pace(QUESTIONS_PER_S / QUESTIONS_OF_A_START, clock)
        self.partition_ids = known.partition_ids
        self.answered_s = clock()
        """When the hub last answered, on the host's monotonic clock."""
        self.trouble: str | None = None
        """Why the last query failed; None when it did not."""
        self._closing = threading.Event()
        self._backoff_s = self._new_backoff()
        self._thread = threading.Thread(target=self._run, name="hub", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """Ask no more. A query that is under way is not waited for."""
        self._closing.set()

    def start_turn_s(self) -> float:
        """When a worker that is started now may ask the hub, on the host's monotonic clock.

        A group that starts a thousand workers at once, on many hosts, stays within what a consumer group may ask. Only
        the members that start workers share that: one that is restarted alone does not wait for the others.
        """
        return self._starts.turn_s(self._starting())

    def _run(self) -> None:
        pause_s = self._interval_s
        while not self._closing.wait(pause_s):
            pause_s = self.step()

    def step(self) -> float:
        """Query the hub once; returns the seconds until the next query. The thread's body, and what tests call."""
        try:
            facts = self._ask()
        except Exception as error:  # noqa: BLE001 (without this thread a hub that grows would not be noticed)
            known = error if isinstance(error, EvsupError) else Bug("The hub cannot be asked", mask(repr(error)))
            return self._failed(known)
        if self.trouble:
            log.info("hub_answers_again", after_s=round(self._clock() - self.answered_s))
        self._backoff_s = self._new_backoff()
        self.answered_s, self.trouble = self._clock(), None
        self._note_partitions(facts.partition_ids)
        return jittered(max(self._interval_s, self._group_size() * LEAST_PAUSE_S))

    def _failed(self, error: EvsupError) -> float:
        if self.trouble is None:
            log.warning("hub_not_answering", reason=str(error))
        self.trouble = complete(str(error))
        return next(self._backoff_s)

    def _new_backoff(self) -> Iterator[float]:
        return backoff_s(self._interval_s, max(self._interval_s, MOST_PAUSE_S))

    def _note_partitions(self, partition_ids: tuple[str, ...]) -> None:
        if partition_ids == self.partition_ids:
            return
        added = [each for each in partition_ids if each not in self.partition_ids]
        removed = [each for each in self.partition_ids if each not in partition_ids]
        if added:
            log.info("partitions_added", partitions=added, partitions_total=len(partition_ids))
        if removed:
            log.warning("partitions_gone", partitions=removed, partitions_total=len(partition_ids))
        self.partition_ids = partition_ids
        self._learn(partition_ids)

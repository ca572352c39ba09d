"""What reads a partition: one link to Event Hubs after another, and a bounded backlog for the worker's loop.

All of it runs on one thread, because the SDK blocks where it opens a link, and where it gets a token. Everything else
could be read by the loop itself, but then the loop would have to wait for these.
"""

import threading

from shared.clock import Deadline, monotonic
from shared.config.settings import EventHubSettings
from shared.errors import EvsupError, SchemaRegistryUnavailable, SourceThrottled, SourceUnavailable
from shared.eventhubs.errors import is_passing
from shared.ipc.vitals import stacks
from shared.log.logger import get_logger
from worker import memory
from worker.backoff import Backoff
from worker.source.batch_queue import Backlog, Batch
from worker.source.credit import Credit
from worker.source.link import Link, Mapper, Position, ReceiverSpec

REOPEN_FIRST_S, REOPEN_MOST_S = 0.5, 8.0
REOPEN_LIMIT_S = 60.0  # of failures in a row
REGISTRY_PAUSE_S = 5.0
LIVED_S = 10.0  # a link that was open for so long and then broke was no failure, although no event came
# The reads of a TLS or SASL handshake have no timeout in the SDK.
# https://github.com/Azure/azure-sdk-for-python/blob/main/sdk/eventhub/azure-eventhub/azure/eventhub/_pyamqp/_transport.py
HUNG_AFTER_S = 60.0
SHOWN_CALLS = 3  # of a thread that hangs

log = get_logger()


class Receiver:
    """The receiver of one partition, with the term's epoch as its owner level.

    `take` never blocks; `fileno` becomes readable when it has something to give. While the backlog is full the hub gets
    no new credit, which is the back-pressure.
    """

    def __init__(
        self, settings: EventHubSettings, partition_id: str, epoch: int | None, position: Position, event_of: Mapper
    ) -> None:
        self._spec, self._position = ReceiverSpec(settings, partition_id, epoch, event_of), position
        self._backlog, self._credit = Backlog(), Credit(settings.prefetch)
        self._error: EvsupError | None = None
        self._stopping = threading.Event()
        self._is_opening = True
        self._link: Link | None = None
        self._heard_s: float | None = None
        self.reopened = self.throttled = 0
        """How many links broke and were opened again, and how many of those because Event Hubs throttles."""
        self._turns = 0
        self._noticed = -1, 0.0
        """Which turn the loop saw last, and since when, on the loop's clock."""
        self.waits_for: str | None = None
        """What has to answer before the next event can be read, beside Event Hubs; None: nothing."""
        self._thread = threading.Thread(target=self._run, name=f"receiver-{partition_id}", daemon=True)

    # --- the loop's side ----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to receive."""
        self._heard_s = monotonic()
        self._thread.start()

    def fileno(self) -> int:
        """For `multiprocessing.connection.wait`."""
        return self._backlog.fileno()

    def take(self) -> Batch | None:
        """The next batch, or None: none yet. Raises the error that ended the receiver, once the backlog is empty. One
        that was stopped gives nothing and raises nothing.
        """
        # What came before a failure is still good, and is given first.
        if batch := self._backlog.take():
            return batch
        if self._error and self._backlog.is_empty and not self._stopping.is_set():
            raise self._error
        return None

    def check_alive(self, now_s: float) -> None:
        """Raise `SourceUnavailable` when its thread gets no further, on the clock of the loop that asks."""
        if self._noticed[0] != self._turns:
            self._noticed = self._turns, now_s
        if self._error is None and not self._stopping.is_set() and now_s - self._noticed[1] > HUNG_AFTER_S:
            mapper = "" if self._is_opening else " A mapper (EVSUP_MAPPER) has to return at once."
            raise SourceUnavailable(
                f"The receiver of partition {self._spec.partition_id} hangs",
                f"{'it did not open' if self._is_opening else 'it did not turn'} for {HUNG_AFTER_S:.0f} s"
                + _place(self._thread),
                f"Nothing is lost; it is read again after a restart.{mapper}",
            )

    def stop(self) -> None:
        """Stop receiving without waiting for it; what is queued is dropped and read again next time."""
        # First: the receiver's thread must not open another link after the queue has been closed.
        self._stopping.set()
        self._backlog.close()

    def join(self, deadline: Deadline) -> None:
        """Wait for the receiver to end, so that the link is detached in order."""
        self._thread.join(deadline.remaining_s())

    @property
    def heard_s(self) -> float | None:
        """When the hub was heard last on any link, counted from the start before that; None before the start."""
        link = self._link  # once: the receiver's thread may open the next one
        return (link and link.heard_s) or self._heard_s

    @property
    def has_ended(self) -> bool:
        """Whether its thread is over."""
        return not self._thread.is_alive()

    # --- its thread ---------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        trouble = Backoff(REOPEN_FIRST_S, REOPEN_MOST_S)
        while not self._stopping.is_set():
            link = Link(self._spec, self._position, self._credit, self._backlog, self._turned, self._stopping.is_set)
            # What was heard on the link before counts until this one is open.
            self._heard_s, self._link, self._is_opening = self.heard_s, link, True
            self._turns += 1
            error = self._run_link(link)
            # Also of a link that failed: the next one begins after what this one has handed over.
            self._position = link.position
            # Here, because a link leaves the SDK's cycles of objects behind, and nothing is received meanwhile.
            memory.collect()
            if error is None:
                continue
            if isinstance(error, SchemaRegistryUnavailable):
                self._await_registry(error)
                # Event Hubs has answered: what it was in trouble with before is over.
                trouble.reset()
                continue
            now_s = monotonic()
            # A link that worked was no failure. Else a hub that closes idle links would use up the minute.
            if link.handed_over or _lived(link, now_s):
                trouble.reset()
            trouble.record_failure(now_s)
            if not is_passing(error) or trouble.lasted_s(now_s) >= REOPEN_LIMIT_S:
                # Before the wakeup: the loop that it wakes looks for the error at once.
                self._error = error
                self._backlog.wake()
                return
            self._await_reopening(error, trouble.until_s - now_s)

    def _await_reopening(self, error: EvsupError, pause_s: float) -> None:
        log.warning("receiver_reopening", reason=str(error))
        self.reopened += 1
        self.throttled += isinstance(error, SourceThrottled)
        # Not a sleep: a drain must not wait for a pause of 8 s.
        self._stopping.wait(pause_s)

    def _await_registry(self, error: SchemaRegistryUnavailable) -> None:
        """Leave the events in the hub for a while, as often as it takes: it keeps them, and an exit would not help."""
        self.waits_for = error.what
        log.warning("schema_registry_unavailable", reason=str(error))
        self._stopping.wait(REGISTRY_PAUSE_S)

    def _run_link(self, link: Link) -> EvsupError | None:
        """Receive until the link ends; why it failed, None if it did not. After a stop nothing is a failure."""
        try:
            link.run()
        except EvsupError as error:
            return None if self._stopping.is_set() else error
        return None

    def _turned(self) -> None:
        self._is_opening = False
        self._turns += 1
        if self._link and self._link.handed_over:
            self.waits_for = None


def _place(thread: threading.Thread) -> str:
    """Where a thread is, for people, its innermost calls last: a mapper of the user's own may be what does not end."""
    calls = stacks().get(thread.name, [])
    return f"; it is in {', '.join(calls[-SHOWN_CALLS:])}" if calls else ""


def _lived(link: Link, now_s: float) -> bool:
    return link.opened_s is not None and now_s - link.opened_s > LIVED_S and not link.was_silent

"""The receiver of a partition: one link to Event Hubs after another, and a bounded backlog for the worker's loop.

A link ends because it failed or carried enough. A thread here decides: open another one, at once or after a pause, or
tell the loop why not.
"""

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from shared.backoff import Pauses
from shared.clock import Deadline, monotonic
from shared.config.settings import EventHubSettings
from shared.eventhubs.errors import is_passing
from shared.log.logger import get_logger
from worker.source.batch_queue import Backlog, Batch
from worker.source.continuity import Landmark
from worker.source.credit import Credit
from worker.source.envelope import Mapper
from worker.source.receiver import Link, Position, Reader

if TYPE_CHECKING:
    from shared.errors import EvsupError

# The SDK counts deliveries without end and sends the count in 32 bits; beyond them the link stalls silently. A new link
# costs half a second: at full speed one in two minutes.
# https://github.com/Azure/azure-sdk-for-python/blob/main/sdk/eventhub/azure-eventhub/azure/eventhub/_pyamqp/client.py
EVENTS_PER_LINK = 4_000_000
REOPEN_FIRST_S, REOPEN_MOST_S = 0.5, 8.0
REOPEN_LIMIT_S = 60.0  # of failures without one event between them

log = get_logger()


class Source:
    """One receiver of one partition, with the term's epoch as its owner level.

    `take` never blocks; `fileno` becomes readable when it has something to give. The link blocks as long as the backlog
    is full, which is the back-pressure on Event Hubs.
    """

    def __init__(
        self, settings: EventHubSettings, partition_id: str, epoch: int | None, position: Position, row_of: Mapper
    ) -> None:
        self._reader, self._position = Reader(settings, partition_id, epoch, row_of), position
        self._backlog, self._credit = Backlog(), Credit(settings.prefetch)
        self._error: EvsupError | None = None
        self._stopping = threading.Event()
        self._link = self._next_link()
        self._thread = threading.Thread(target=self._run, name=f"source-{partition_id}", daemon=True)

    # --- the loop's side ----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to receive."""
        self._thread.start()

    def fileno(self) -> int:
        """For `multiprocessing.connection.wait`."""
        return self._backlog.fileno()

    def take(self) -> Batch | None:
        """The next batch, or None: none yet. Raises the error that ended the receiver, once the backlog is empty."""
        if batch := self._backlog.take():
            self._link.called_back_s = monotonic()  # until now the SDK may have waited for this room
        elif self._error and self._backlog.is_empty:
            raise self._error
        return batch

    def check_alive(self, now_s: float) -> None:
        """Raise `SourceUnavailable` when the SDK has not called back for too long although there was room."""
        if self._backlog.is_empty:
            self._link.check_alive(now_s)

    def stop(self) -> None:
        """Stop receiving without waiting for the SDK; what is queued is dropped and read again next time."""
        self._stopping.set()
        self._backlog.close()
        self._link.close()

    def join(self, deadline: Deadline) -> None:
        """Wait for the receiver to end, so that the link is detached in order."""
        self._thread.join(deadline.remaining_s())

    # --- its thread ---------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        trouble = Pauses(REOPEN_FIRST_S, REOPEN_MOST_S)
        while not self._stopping.is_set():
            opened_s = monotonic()
            self._link.start()
            error = self._link.wait()
            now_s = monotonic()
            if self._link.events or now_s - opened_s > REOPEN_LIMIT_S:
                trouble.over()
            if error:
                trouble.again(now_s)
                if not is_passing(error) or trouble.lasted_s(now_s) >= REOPEN_LIMIT_S:
                    self._error = error
                    self._backlog.wake()
                    return
                log.warning("receiver_reopening", reason=str(error))
                self._stopping.wait(trouble.until_s - now_s)
            self._link = self._next_link()

    def _next_link(self) -> Link:
        return Link(self._reader, self._position, self._credit, self._queue)

    def _queue(self, batch: Batch) -> bool:
        """Hand a batch over and remember where a next link has to begin. False: this one has carried enough, or nobody
        wants more.
        """
        if not self._backlog.put(batch):
            return False
        self._link.called_back_s = monotonic()
        number = batch.rows[-1].get("SEQUENCE_NUMBER")
        if number is not None and number > (self._position.after if self._position.after is not None else -1):
            self._position = replace(self._position, after=number, landmark=Landmark.of_row(batch.rows[-1]))
        if self._link.events < EVENTS_PER_LINK:
            return True
        log.info("receiver_recycled", events=self._link.events, after=self._position.after)
        return False

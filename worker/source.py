"""The receiver: a thread in which the Azure SDK blocks, and a bounded queue of batches to the worker's loop.

The SDK is built to swallow: an exception in the callback never leaves `receive_batch`, which reads again from where it
began half a minute later. So the callback only maps and hands over, the first error by either path ends the receive,
and this thread decides: open again after a pause, or tell the loop why not.

Events become rows here, while they are still in the processor's cache: mapped by the loop they cost 5 µs more each.
https://github.com/Azure/azure-sdk-for-python/blob/main/sdk/eventhub/azure-eventhub/azure/eventhub/_eventprocessor/event_processor.py
"""

import os
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from azure.eventhub import EventData

from shared.azure import EventHubClient, consumer_group, is_passing, translated
from shared.clock import Deadline, monotonic
from shared.errors import EvsupError, SourceUnavailable
from shared.log import get_logger
from shared.settings import EventHubSettings
from worker.pauses import Pauses
from worker.resume import refuse_another_hub
from worker.rows import Mapper, Row

QUEUED_BATCHES = 4  # enough that neither thread waits for the other in a steady stream
# The SDK keeps the delivery tag of every event for the life of a link (about 100 bytes each, never removed while
# streaming), so a link is given up for a new one after so many events.
# https://github.com/Azure/azure-sdk-for-python/blob/main/sdk/eventhub/azure-eventhub/azure/eventhub/_pyamqp/receiver.py
EVENTS_PER_LINK = 250_000
# With any retry of its own the SDK reopens a refused or broken link for ever and never says so: its counter starts anew
# at every receive. So the SDK has none here, and the pauses below are ours.
# https://github.com/Azure/azure-sdk-for-python/blob/main/sdk/eventhub/azure-eventhub/azure/eventhub/_consumer.py
SDK_RETRIES = 0
REOPEN_FIRST_S, REOPEN_MOST_S = 0.5, 8.0
REOPEN_LIMIT_S = 60.0  # of failures without one event between them
# The SDK calls back every EVENTHUB_MAX_WAIT_TIME, and most of its waits end before this; the read of a TLS or SASL
# handshake has no timeout at all.
# https://github.com/Azure/azure-sdk-for-python/blob/main/sdk/eventhub/azure-eventhub/azure/eventhub/_pyamqp/_transport.py
HUNG_AFTER_S = 60.0

log = get_logger()


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows as their events came, and the last sequence number in the partition as far as it is known."""

    rows: Sequence[Row]
    last_enqueued: int | None


@dataclass(frozen=True, slots=True)
class Position:
    """Where to begin: after a sequence number, or on a fresh partition at its beginning (`-1`) or an ISO 8601 time."""

    after: int | None
    fresh: str = "-1"
    hub_created_at_s: float | None = None
    """Birth of the hub that the number is one of; None: not known."""

    def for_sdk(self) -> int | str | datetime:
        """`starting_position` of `receive_batch`: an int is a sequence number, a str an offset, never inclusive.

        https://learn.microsoft.com/python/api/azure-eventhub/azure.eventhub.eventhubconsumerclient#method-receive-batch
        """
        if self.after is not None:
            return self.after
        return self.fresh if self.fresh == "-1" else datetime.fromisoformat(self.fresh)


class Source:
    """One receiver of one partition, with the term's epoch as its owner level.

    `take` never blocks; `fileno` becomes readable when it has something to give. The receiver thread blocks as long as
    the queue is full, which is the back-pressure on Event Hubs.
    """

    def __init__(
        self, settings: EventHubSettings, partition_id: str, epoch: int, position: Position, row_of: Mapper
    ) -> None:
        self._settings, self._partition_id, self._epoch = settings, partition_id, epoch
        self._position, self._row_of = position, row_of
        self._queue: deque[Batch] = deque()
        self._room = threading.Condition()
        self._wakeup = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._client: EventHubClient | None = None
        self._error: EvsupError | None = None
        self._link_error: EvsupError | None = None
        self._stopping = threading.Event()
        self._called_back_s = monotonic()
        self._is_open = False
        self._events_on_link = 0
        self._thread = threading.Thread(target=self._run, name=f"receiver-{partition_id}", daemon=True)

    # --- the loop's side ----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to receive."""
        self._thread.start()

    def fileno(self) -> int:
        """For `multiprocessing.connection.wait`."""
        return self._wakeup

    def take(self) -> Batch | None:
        """The next batch, or None: none yet. Raises the error that ended the receiver, once the queue is empty."""
        with self._room:
            if self._queue:
                batch = self._queue.popleft()
                self._called_back_s = monotonic()  # until now the SDK may have waited for this room
                self._room.notify()
                return batch
            self._clear_wakeup()
            if self._error:
                raise self._error
        return None

    def check_alive(self, now_s: float) -> None:
        """Raise `SourceUnavailable` when the SDK has not called back for too long although there was room.

        With `EVENTHUB_MAX_WAIT_TIME=0` silence is normal once the receiver is open.
        """
        watched = not self._is_open or self._settings.max_wait_time
        if watched and not self._queue and now_s - self._called_back_s > HUNG_AFTER_S:
            raise SourceUnavailable(
                f"The receiver of partition {self._partition_id} hangs",
                f"{'no callback from the SDK' if self._is_open else 'it did not open'} for {HUNG_AFTER_S:.0f} s",
                "Nothing is lost; it is read again after a restart.",
            )

    def stop(self) -> None:
        """Stop receiving without waiting for the SDK; what is queued is dropped and read again next time."""
        self._stopping.set()
        with self._room:
            self._queue.clear()
            self._room.notify_all()
        if self._client:  # on a thread of its own: closing shakes hands with a hub that may not answer
            threading.Thread(target=self._client.sdk.close, name="receiver-close", daemon=True).start()

    def join(self, deadline: Deadline) -> None:
        """Wait for the receiver thread, so that the link is detached in order."""
        self._thread.join(deadline.remaining_s())

    # --- the receiver thread ------------------------------------------------------------------------------------------

    def _run(self) -> None:
        trouble = Pauses(REOPEN_FIRST_S, REOPEN_MOST_S)
        while not self._stopping.is_set():
            opened_s = monotonic()
            error = self._receive_until_closed()
            now_s = monotonic()
            if self._events_on_link or now_s - opened_s > REOPEN_LIMIT_S:
                trouble.over()
            if error is None:
                continue
            trouble.again(now_s)
            if not is_passing(error) or trouble.lasted_s(now_s) >= REOPEN_LIMIT_S:
                self._error = error
                os.eventfd_write(self._wakeup, 1)
                return
            log.warning("receiver_reopening", reason=str(error))
            self._stopping.wait(trouble.until_s - now_s)

    def _receive_until_closed(self) -> EvsupError | None:
        """One life of a receiver: until its link is due for a new one (None), the source stops (None), or it fails."""
        self._link_error, self._events_on_link = None, 0
        self._is_open, self._called_back_s = False, monotonic()
        try:
            with EventHubClient(self._settings, retry_total=SDK_RETRIES) as client:
                self._client = client
                self._require_same_hub(client)
                if not self._stopping.is_set():
                    client.sdk.receive_batch(self._on_batch, **self.receive_options())
        except Exception as error:  # noqa: BLE001 (translated just below)
            self._on_error(None, error)
        return self._why_closed()

    def _require_same_hub(self, client: EventHubClient) -> None:
        """A hub that was recreated while no link was open numbers its events anew: after our position there may be some
        by now, and those before it would be skipped without a gap.
        """
        if self._position.hub_created_at_s is not None and not self._stopping.is_set():
            refuse_another_hub(self._partition_id, self._position.hub_created_at_s, client.hub().created_at_s)

    def _why_closed(self) -> EvsupError | None:
        if self._stopping.is_set() or (self._events_on_link and self._link_error is None):
            return None
        return self._link_error or SourceUnavailable(f"The receiver of partition {self._partition_id} ended by itself")

    def receive_options(self) -> dict[str, Any]:
        """Keyword arguments of `receive_batch`."""
        return {
            "partition_id": self._partition_id,
            "owner_level": self._epoch,
            "prefetch": self._settings.prefetch,
            "max_batch_size": self._settings.max_batch_size,
            # 0 and None mean the same to the SDK: call back as soon as there is anything, never with an empty batch.
            "max_wait_time": self._settings.max_wait_time or None,
            "starting_position": self._position.for_sdk(),
            "starting_position_inclusive": False,
            "track_last_enqueued_event_properties": self._settings.track_last_enqueued,
            "on_partition_initialize": self._on_open,
            "on_error": self._on_error,
        }

    def _on_open(self, _: Any) -> None:
        """The hub has named its partitions, so it answers; the link opens next."""
        self._is_open, self._called_back_s = True, monotonic()

    def _on_batch(self, context: Any, events: list[EventData]) -> None:
        try:
            self._hand_over(context, events)
        except Exception as error:  # noqa: BLE001 (the SDK would swallow it and read from the beginning again)
            self._on_error(context, error)

    def _hand_over(self, context: Any, events: list[EventData]) -> None:
        self._is_open, self._called_back_s = True, monotonic()
        if not events:
            return
        last = context.last_enqueued_event_properties or {} if self._settings.track_last_enqueued else {}
        batch = Batch([self._row_of(event) for event in events], last.get("sequence_number"))
        with self._room:
            self._room.wait_for(lambda: len(self._queue) < QUEUED_BATCHES or self._stopping.is_set())
            if self._stopping.is_set():
                return
            self._queue.append(batch)
        os.eventfd_write(self._wakeup, 1)
        self._called_back_s = monotonic()
        self._recycle(batch.rows)

    def _recycle(self, rows: Sequence[Row]) -> None:
        """Remember where a next link has to begin, and close this one when it has carried enough."""
        number = rows[-1]["SEQUENCE_NUMBER"]
        if number is not None and number > (self._position.after if self._position.after is not None else -1):
            self._position = replace(self._position, after=number)
        self._events_on_link += len(rows)
        if self._events_on_link >= EVENTS_PER_LINK and self._client:
            log.info("receiver_recycled", events=self._events_on_link, after=self._position.after)
            self._client.sdk.close()

    def _on_error(self, _: Any, error: Exception) -> None:
        """The first error of a link is the reason; it closes the client, and so ends `receive_batch`."""
        if self._link_error is None:
            what = f"The receiver of partition {self._partition_id} failed"
            self._link_error = translated(error, what, consumer_group(self._settings))
        if self._client:
            self._client.sdk.close()

    def _clear_wakeup(self) -> None:
        try:
            os.eventfd_read(self._wakeup)
        except BlockingIOError:
            return

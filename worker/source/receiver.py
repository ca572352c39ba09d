"""One life of a receiver: the SDK's client from its opening to its end, on the thread in which the SDK blocks.

The SDK is built to swallow: an exception in the callback never leaves `receive_batch`, which reads again from where it
began half a minute later. So the callback only maps and hands over, and the first error by either path ends the link.

Events become rows here, while they are still in the processor's cache: mapped by the loop they cost 5 µs more each.
https://github.com/Azure/azure-sdk-for-python/blob/main/sdk/eventhub/azure-eventhub/azure/eventhub/_eventprocessor/event_processor.py
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from azure.eventhub import EventData

from shared.clock import monotonic
from shared.config.settings import EventHubSettings
from shared.errors import EvsupError, SourceUnavailable
from shared.eventhubs.client import EventHubClient, access
from shared.eventhubs.errors import translate
from shared.resume import refuse_another_hub
from worker import memory
from worker.source.batch_queue import Batch
from worker.source.continuity import Landmark
from worker.source.credit import Credit
from worker.source.envelope import Mapper

# With any retry of its own the SDK reopens a refused or broken link for ever and never says so: its counter starts anew
# at every receive. So the SDK has none here, and the pauses between links are the source's.
# https://github.com/Azure/azure-sdk-for-python/blob/main/sdk/eventhub/azure-eventhub/azure/eventhub/_consumer.py
SDK_RETRIES = 0
# The SDK calls back every EVENTHUB_MAX_WAIT_TIME, and most of its waits end before this; the read of a TLS or SASL
# handshake has no timeout at all.
# https://github.com/Azure/azure-sdk-for-python/blob/main/sdk/eventhub/azure-eventhub/azure/eventhub/_pyamqp/_transport.py
HUNG_AFTER_S = 60.0


@dataclass(frozen=True, slots=True)
class Position:
    """Where to begin: after a sequence number, or on a fresh partition at its beginning (`-1`) or an ISO 8601 time."""

    after: int | None
    fresh: str = "-1"
    hub_created_at_s: float | None = None
    """Birth of the hub that the number is one of; None: not known."""
    landmark: Landmark | None = None
    """The event `after` as it was read; None: nothing is known of it."""

    def for_sdk(self) -> int | str | datetime:
        """`starting_position` of `receive_batch`: an int is a sequence number, a str an offset.

        https://learn.microsoft.com/python/api/azure-eventhub/azure.eventhub.eventhubconsumerclient#method-receive-batch
        """
        if self.after is not None:
            return self.after
        return self.fresh if self.fresh == "-1" else datetime.fromisoformat(self.fresh)


@dataclass(frozen=True, slots=True)
class Reader:
    """What all links of a term have in common."""

    settings: EventHubSettings
    partition_id: str
    epoch: int | None
    """Owner level of the receiver; None: it takes the partition from nobody, and is refused beside one that has."""
    row_of: Mapper


class Link:
    """A receiver that begins at `position` with as many events on their way as `credit` says, from batch to batch;
    `hand_over` says whether it goes on.

    `hand_over` is called on this link's thread and may block, which is the back-pressure on Event Hubs.
    """

    def __init__(self, reader: Reader, position: Position, credit: Credit, hand_over: Callable[[Batch], bool]) -> None:
        self._reader, self._position, self._credit, self._hand_over = reader, position, credit, hand_over
        self._landmark = position.landmark
        self.events = 0
        self.called_back_s = monotonic()
        """The last sign of life; also set by who made it wait."""
        self._noticed = 0.0, 0.0
        """Which one the loop saw last, and since when, on the loop's clock."""
        self._is_open = False
        self._client: EventHubClient | None = None
        self._error: EvsupError | None = None
        self._closing, self._over = threading.Event(), threading.Event()

    def start(self) -> None:
        """Open it, on its thread."""
        self.called_back_s = monotonic()
        threading.Thread(target=self._live, name=f"receiver-{self._reader.partition_id}", daemon=True).start()

    def wait(self) -> EvsupError | None:
        """Wait for its end, and say why it failed, if it did.

        A link that is to go on no longer is over with its last batch: the SDK takes another second to close it, in
        which the next one may open.
        """
        self._over.wait()
        if self._closing.is_set() or (self.events and self._error is None):
            return None
        return self._error or SourceUnavailable(
            f"The receiver of partition {self._reader.partition_id} ended by itself"
        )

    def close(self) -> None:
        """Have it end. On a thread of its own: closing shakes hands with a hub that may not answer."""
        self._closing.set()
        if client := self._client:
            threading.Thread(target=client.sdk.close, name="receiver-close", daemon=True).start()

    def check_alive(self, now_s: float) -> None:
        """Raise `SourceUnavailable` when the SDK has not called back for too long, on the clock of the loop that asks.

        With `EVENTHUB_MAX_WAIT_TIME=0` silence is normal once the receiver is open.
        """
        watched = not self._is_open or self._reader.settings.max_wait_time
        if self._noticed[0] != self.called_back_s:
            self._noticed = self.called_back_s, now_s
        if watched and now_s - self._noticed[1] > HUNG_AFTER_S:
            raise SourceUnavailable(
                f"The receiver of partition {self._reader.partition_id} hangs",
                f"{'no callback from the SDK' if self._is_open else 'it did not open'} for {HUNG_AFTER_S:.0f} s",
                "Nothing is lost; it is read again after a restart.",
            )

    # --- its thread ---------------------------------------------------------------------------------------------------

    def _live(self) -> None:
        """Receive, and leave nothing of the client behind."""
        self._receive()
        self._client = None
        memory.collect()

    def _receive(self) -> None:
        try:
            with EventHubClient(self._reader.settings, retry_total=SDK_RETRIES) as client:
                self._client, client.sdk.credit = client, self._credit.events
                self._require_same_hub(client)
                if not self._closing.is_set():
                    client.sdk.receive_batch(self._on_batch, **self.options())
        except Exception as error:  # noqa: BLE001 (translate just below)
            self._on_error(None, error)
        self._over.set()

    def _require_same_hub(self, client: EventHubClient) -> None:
        """A hub that was recreated while no link was open numbers its events anew: after our position there may be some
        by now, and those before it would be skipped without a gap.
        """
        known_s = self._position.hub_created_at_s
        if known_s is not None and not self._closing.is_set():
            refuse_another_hub(self._reader.partition_id, known_s, client.hub().created_at_s)

    def options(self) -> dict[str, Any]:
        """Keyword arguments of `receive_batch`."""
        settings = self._reader.settings
        return {
            "partition_id": self._reader.partition_id,
            "owner_level": self._reader.epoch,
            "prefetch": self._credit.events,
            "max_batch_size": settings.max_batch_size,
            # 0 and None mean the same to the SDK: call back as soon as there is anything, never with an empty batch.
            "max_wait_time": settings.max_wait_time or None,
            "starting_position": self._position.for_sdk(),
            "starting_position_inclusive": self._position.landmark is not None,
            "track_last_enqueued_event_properties": settings.track_last_enqueued,
            "on_partition_initialize": self._on_open,
            "on_error": self._on_error,
        }

    def _on_open(self, _: Any) -> None:
        """The hub has named its partitions, so it answers; the link opens next."""
        self._is_open, self.called_back_s = True, monotonic()

    def _on_batch(self, context: Any, events: list[EventData]) -> None:
        self._is_open, self.called_back_s = True, monotonic()
        try:
            fresh = self._behind_landmark(events)
            if fresh:
                self._pass_on(self._batch(context, fresh))
        except Exception as error:  # noqa: BLE001 (the SDK would swallow it and read from the beginning again)
            self._on_error(context, error)

    def _pass_on(self, batch: Batch) -> None:
        self._credit.see(len(batch.rows), batch.size_bytes)
        if self._client:
            self._client.sdk.credit = self._credit.events
        if not self._hand_over(batch):
            self._retire()

    def _behind_landmark(self, events: list[EventData]) -> list[EventData]:
        """What comes after the event that the link begins with, once that is known to be the one read before."""
        landmark = self._landmark
        if landmark is None or not events:
            return events
        self._landmark = None
        return events[1:] if landmark.recognises(self._reader.partition_id, events[0]) else events

    def _batch(self, context: Any, events: list[EventData]) -> Batch:
        last = context.last_enqueued_event_properties or {} if self._reader.settings.track_last_enqueued else {}
        self.events += len(events)
        return Batch([self._reader.row_of(event) for event in events], last.get("sequence_number"))

    def _retire(self) -> None:
        self._closing.set()
        self._over.set()
        if self._client:
            self._client.sdk.close()

    def _on_error(self, _: Any, error: Exception) -> None:
        """The first error is the reason; it closes the client, and so ends `receive_batch`."""
        if self._error is None:
            what = f"The receiver of partition {self._reader.partition_id} failed"
            self._error = translate(error, what, access(self._reader.settings))
        if self._client:
            self._client.sdk.close()

"""One link of a receiver, from its opening to its end, on the receiver's thread.

The SDK signs in and opens. Then the socket is read here, in large reads, and what comes becomes events at once
(`worker/source/stream.py`). Nothing waits for room: events that nobody takes count against the credit, so the hub sends
no more than that, while heartbeats, the token and a link that somebody steals are seen as ever.
"""

import select
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any, TypeAlias

from shared.clock import LoopClock, monotonic
from shared.config.settings import EventHubSettings
from shared.errors import EventRefused, ResumeRefused, SourceUnavailable
from shared.eventhubs import client as eventhubs
from shared.eventhubs.client import EventHubClient, access
from shared.eventhubs.errors import translate
from shared.eventhubs.sdk_link import SdkLink
from shared.model import OLDEST, HubFacts, PartitionFacts
from shared.resume import refuse_another_hub
from worker.rows.event import Event, refused
from worker.rows.message import last_enqueued
from worker.source.batch_queue import Backlog, Batch
from worker.source.continuity import LastEvent
from worker.source.credit import Credit
from worker.source.partition_end import PartitionEnd
from worker.source.stream import BrokenStream, Received, Stream

# With any retry of its own the SDK would ask again for minutes; the pauses between links are the receiver's.
SDK_RETRIES = 0
NO_HUB = HubFacts((), 0.0)  # nothing is asked of it
FRESH_S = 5.0  # nobody deletes a hub and creates it again in less
REFUSED_S = 0.5  # for what ends the link in the same moment: that is the reason then, and not an event
TURN_S = 1.0  # a link turns as often at least: for the token, heartbeats, and to be seen alive

Mapper: TypeAlias = Callable[[bytes], Event]
"""Makes an event of an encoded message."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where to begin: after a sequence number, or on a fresh partition at its `OLDEST` event or an ISO 8601 time."""

    after: int | None
    fresh: str = OLDEST
    hub_created_at_s: float | None = None
    """Creation time of the hub that the number is one of; None: not known."""
    last_event: LastEvent | None = None
    """The event `after` as it was read; None: nothing is known of it."""
    hub_read_s: float | None = field(default=None, compare=False)
    """When the hub was last asked for its creation time, on the host's monotonic clock, if no link has begun since."""
    missing_end: int | None = None
    """The last number of the partition if a link has waited for it in vain and numbers may be missing."""

    def for_sdk(self) -> int | str | datetime:
        """As the SDK takes it: an int is a sequence number, a str an offset.

        https://learn.microsoft.com/python/api/azure-eventhub/azure.eventhub.eventhubconsumerclient#azure-eventhub-eventhubconsumerclient-receive-batch
        """
        if self.after is not None:
            return self.after
        return self.fresh if self.fresh == OLDEST else datetime.fromisoformat(self.fresh)

    @property
    def is_inclusive(self) -> bool:
        """Whether the link begins with the event at the position: one that is known is looked at, and a time is the
        first that is read.
        """
        return self.last_event is not None or isinstance(self.for_sdk(), datetime)


@dataclass(frozen=True, slots=True)
class ReceiverSpec:
    """What all links of a term have in common."""

    settings: EventHubSettings
    partition_id: str
    epoch: int | None
    """Owner level of the receiver; None: it takes the partition from nobody, and is refused beside one that has."""
    event_of: Mapper


class Link:
    """A link that begins at `position` and puts what it receives into `backlog`.

    `turned` is called whenever it has got a step further; `is_stopped` says whether it should end.
    """

    def __init__(
        self,
        spec: ReceiverSpec,
        position: Position,
        credit: Credit,
        backlog: Backlog,
        turned: Callable[[], None],
        is_stopped: Callable[[], bool],
    ) -> None:
        self._spec, self._credit, self._backlog = spec, credit, backlog
        self._turned, self._is_stopped = turned, is_stopped
        self.position = position
        """Where a next link has to begin."""
        self._last_event = position.last_event
        self.handed_over = 0
        """How many events the backlog has taken."""
        self.opened_s: float | None = None
        """When it was open; None: it never was."""
        self.heard_s: float | None = None
        """When bytes came last, a heartbeat's as well; None: the link never was open."""
        self.was_silent = False
        """Whether it was given up because nothing came on it."""
        self._clock = LoopClock(monotonic())
        self._has_received = False
        """Whether an event, or a part of one, came since that was looked at last."""
        self._due_s = 0.0
        """When a batch is handed over that is not full."""

    def run(self) -> None:
        """Receive until asked to stop. Raises one of our errors when it cannot go on."""
        try:
            with EventHubClient(self._spec.settings, retry_total=SDK_RETRIES) as client:
                self._require_same_hub(client)
                self._open_and_read(client)
        except SourceUnavailable:
            # Raised here, and not by the SDK: however long it was open, it did not work (`Receiver`).
            self.was_silent = True
            raise
        except BrokenStream as error:
            raise SourceUnavailable(
                f"The receiver of partition {self._spec.partition_id} received bytes that are not AMQP",
                str(error),
                "Nothing is lost; it is read again.",
            ) from error
        except Exception as error:
            what = f"The receiver of partition {self._spec.partition_id} failed"
            raise translate(error, what, access(self._spec.settings)) from error

    def _require_same_hub(self, client: EventHubClient) -> None:
        """A hub that was recreated while no link was open numbers its events anew: after our position there may be some
        by now, and those before it would be skipped without a gap.
        """
        known_s, read_s = self.position.hub_created_at_s, self.position.hub_read_s
        self.position = replace(self.position, hub_read_s=None)
        is_fresh = read_s is not None and monotonic() - read_s < FRESH_S
        if known_s is not None and not is_fresh and not self._is_stopped():
            refuse_another_hub(self._spec.partition_id, known_s, client.hub().created_at_s)

    def _open_and_read(self, client: EventHubClient) -> None:
        link = client.sdk.link(
            self._spec.partition_id,
            self.position.for_sdk(),
            inclusive=self.position.is_inclusive,
            owner_level=self._spec.epoch,
            track=self._spec.settings.track_last_enqueued,
        )
        try:
            # Step by step: a hub that does not answer must not keep a stop waiting.
            while not self._is_stopped():
                if link.open():
                    self.opened_s = self.heard_s = monotonic()
                    ask = partial(self._end_of_partition, client)
                    self._read(link, PartitionEnd(self._spec.partition_id, ask, self.position.missing_end))
                    break
        finally:
            link.close()

    def _end_of_partition(self, client: EventHubClient) -> PartitionFacts:
        return client.partition(self._spec.partition_id, NO_HUB)

    # --- open ---------------------------------------------------------------------------------------------------------

    def _read(self, link: SdkLink, end: PartitionEnd) -> None:
        """Read until asked to stop: take what came, pass it on, say how much more may come."""

        def on_frame(channel: int, frame: tuple[int, Any]) -> None:
            # First: the SDK answers a frame with the numbers that are in the books.
            self._account(link, stream)
            link.take(channel, frame)

        stream = Stream(link.channel, link.handle, link.largest_frame, self._spec.event_of, on_frame)
        poll = self._poll_of(link)
        received_s = kept_s = self._now_s()
        data = link.take_over()
        try:
            while not self._is_stopped():
                now_s = self._now_s()
                self._turned()
                if data:
                    received_s, self.heard_s = now_s, monotonic()
                    self._feed(stream, data, now_s)
                    # Before the grant, which begins with the credit that is left.
                    self._account(link, stream)
                elif now_s - received_s > eventhubs.SILENCE_LIMIT_S:
                    raise self._silent()
                is_full = not self._hand_over(stream, now_s)
                # After the hand-over: what has left makes room, and what has not counts against the credit.
                self._grant(link, stream)
                if now_s - kept_s >= TURN_S:
                    kept_s = now_s
                    link.keep()
                    # Without credit, or while events wait for room, silence says nothing.
                    self._look_at(end, now_s, is_quiet=bool(link.credit) and not stream.events)
                # With TLS or websockets, bytes may wait in their buffers, and the socket would not be readable.
                if not link.has_more:
                    self._wait(poll, self._due_s - now_s if stream.events and not is_full else TURN_S)
                data = link.read()
        finally:
            # What ended the link is the reason, not an event that is refused: the next link begins with that one.
            with suppress(EventRefused, ResumeRefused):
                self._hand_over(stream, float("inf"))

    def _poll_of(self, link: SdkLink) -> "select.poll":
        poll = select.poll()  # unlike select(2) it knows descriptors above 1023
        poll.register(link, select.POLLIN)
        poll.register(self._backlog.room, select.POLLIN)
        return poll

    def _wait(self, poll: "select.poll", due_in_s: float) -> None:
        """Wait for bytes, for room in the backlog, or until a batch is due."""
        poll.poll(1000 * min(TURN_S, max(0.0, due_in_s)))
        # After the wait: an offer that finds no room asks for the next wakeup.
        self._backlog.room.clear()

    def _feed(self, stream: Stream, data: bytes, now_s: float) -> None:
        """Make events of what came. Where one may not be stored, no batch waits until it is full."""
        held = len(stream.events)
        stream.feed(data)
        if _any_is_refused(stream.events[held:]):
            self._due_s = min(self._due_s, now_s + REFUSED_S)

    def _now_s(self) -> float:
        """On a clock that stands still while this process does: then nobody was silent."""
        return self._clock.turned(monotonic())

    def _account(self, link: SdkLink, stream: Stream) -> None:
        """Enter what came into the books, before anybody else reads or writes them."""
        received = stream.received
        self._has_received |= stream.is_within_frame or received.transfers > 0  # a large delivery takes its time
        if received.transfers:
            link.count(received.transfers, received.deliveries)
        if received.deliveries:
            self._credit.see(received.deliveries, received.size_bytes)
        stream.received = Received()

    def _grant(self, link: SdkLink, stream: Stream) -> None:
        """Let more come when half is used up: with none left the hub would send nothing for a round trip. Let fewer
        come when twice as many may as there is room for, as when events turn large.
        """
        room = max(0, self._credit.events - len(stream.events))
        is_half_used = room > link.credit and link.credit <= self._credit.events // 2
        if is_half_used or link.credit > 2 * max(1, room):
            link.grant(room)

    def _hand_over(self, stream: Stream, now_s: float) -> bool:
        """Pass on full batches, and one that is not full when it is due. False: there is no room for more.

        What is held counts against the credit, so half of that is a full batch.
        """
        settings, events = self._spec.settings, self._without_last_event(stream.events)
        full = min(settings.max_batch_size, max(1, self._credit.events // 2))
        while len(events) >= full or (events and now_s >= self._due_s):
            fresh = self._storable(events[: settings.max_batch_size])
            last = last_enqueued(stream.last_message) if settings.track_last_enqueued else None
            if not self._backlog.offer(Batch(fresh, last)):
                return False
            del events[: len(fresh)]
            self._due_s = self._now_s() + (REFUSED_S if _any_is_refused(events) else settings.max_wait_time)
            # After the queue has them: a link that fails before is followed by one that reads them again.
            self._advance(fresh)
        return True

    def _storable(self, events: list[Event]) -> list[Event]:
        """The events in front of the first one that may not be stored. Raises `EventRefused` when that is the
        first of all.
        """
        first = next((at for at, event in enumerate(events) if event.refusal and self._is_new(event)), len(events))
        if first == 0 and (refusal := events[0].refusal):
            raise refused(self._spec.partition_id, events[0], refusal)
        return events[:first]

    def _is_new(self, event: Event) -> bool:
        """Whether it comes after the position. The pipeline drops one that does not."""
        number, after = event.sequence_number, self.position.after
        return number is None or after is None or number > after

    def _without_last_event(self, events: list[Event]) -> list[Event]:
        """The list without the event that the link begins with, once that is known to be the one read before."""
        if self._last_event and events:
            if self._last_event.recognises(self._spec.partition_id, events[0]):
                del events[0]
            self._last_event = None
        return events

    def _advance(self, events: Sequence[Event]) -> None:
        self.handed_over += len(events)
        number = events[-1].sequence_number
        if number is not None and number > (self.position.after if self.position.after is not None else -1):
            self.position = replace(self.position, after=number, last_event=LastEvent.of_event(events[-1]))

    def _look_at(self, end: PartitionEnd, now_s: float, *, is_quiet: bool) -> None:
        """Ask where the partition ends when nothing came for long; what is said is the lag of an idle partition."""
        if self._has_received or not is_quiet:
            self._has_received = False
            end.restart(now_s)
            return
        position = self.position
        begins_at_a_time = position.after is None and position.fresh != OLDEST
        received = None if begins_at_a_time else -1 if position.after is None else position.after
        if end.awaited is not None and self._spec.settings.on_gap == "warn":
            # Before the look, which may end this link: the next one need not wait for it.
            self.position = replace(self.position, missing_end=end.awaited)
        last = end.look(now_s, received)
        if last is not None and self._spec.settings.track_last_enqueued:
            self._backlog.offer(Batch((), last))

    def _silent(self) -> SourceUnavailable:
        return SourceUnavailable(
            f"The connection of partition {self._spec.partition_id} is silent",
            f"no frame came for {eventhubs.SILENCE_LIMIT_S} s, not even a heartbeat",
            "Nothing is lost; it is opened again.",
        )


def _any_is_refused(events: Sequence[Event]) -> bool:
    return any(event.refusal for event in events)

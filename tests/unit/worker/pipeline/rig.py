"""A pipeline between stand-ins of its source, channel and store, on a clock that a test moves.

Blocking calls have to end at once (`tests.unit.worker.calls`), so that one turn takes what the turn before began.
"""

from collections import deque
from collections.abc import Sequence

from msgspec import structs

from shared.clock import Deadline
from shared.config.settings import EventHubSettings, SnowflakeSettings
from shared.ipc.messages import ChannelStatus, Counters
from shared.model import Checkpoint, LastEnqueued
from shared.resume import Resume
from tests.unit.plain_settings import plain
from tests.unit.worker.rows.events import events
from worker.opening import StartingPoint
from worker.pipeline.pipeline import Pipeline
from worker.pipeline.ports import Ports
from worker.rows.envelope import Envelope
from worker.rows.event import Event
from worker.sink.sdk_log import Requests
from worker.source.batch_queue import Batch

NOBODY_READS = 0
event_of = Envelope("3", "keep").event_of


class StandInSource:
    """Batches that wait to be taken."""

    def __init__(self) -> None:
        self.batches: deque[Batch] = deque()
        self.taken = 0
        self.started = False
        self.stopped = 0
        self.joined: Deadline | None = None
        self.heard_s: float | None = None
        self.reopened = self.throttled = 0

    def start(self) -> None:
        self.started = True

    def fileno(self) -> int:
        return NOBODY_READS

    def take(self) -> Batch | None:
        if not self.batches:
            return None
        self.taken += 1
        return self.batches.popleft()

    waits_for = None

    def check_alive(self, now_s: float) -> None:
        assert not self.stopped

    def stop(self) -> None:
        self.stopped += 1
        self.batches.clear()

    def join(self, deadline: Deadline) -> None:
        self.joined = deadline

    def deliver(self, *numbers: int, last: int | None = None) -> None:
        """A batch of these events."""
        self.deliver_events(events(*numbers), last)

    def deliver_events(self, batch: list[bytes], last: int | None = None) -> None:
        """A batch."""
        self.batches.append(
            Batch([event_of(message) for message in batch], None if last is None else LastEnqueued(last, None))
        )


class StandInChannel:
    """Takes rows, and has the status that a test sets."""

    def __init__(self, status: ChannelStatus) -> None:
        self.name = "evsup_flights_default_3"
        self.shown = status
        self.requests = Requests()
        self.appended: list[tuple[int, int]] = []
        self.numbers: list[int] = []
        self.refusals: deque[Exception | None] = deque()
        self.asked = 0
        self.status_failure: Exception | None = None
        self.is_silent = False
        """Whether the status cannot be read for now."""
        self.flushed = 0
        self.flush_failure: Exception | None = None

    def append(self, events: Sequence[Event], start: int, end: int) -> None:
        if self.refusals and (refusal := self.refusals.popleft()):
            raise refusal
        self.appended.append((start, end))
        self.numbers += [event.sequence_number for event in events if event.sequence_number is not None]

    def status(self) -> ChannelStatus | None:
        self.asked += 1
        if self.status_failure:
            raise self.status_failure
        return None if self.is_silent else self.shown

    def delay_reason(self) -> str:
        return self.requests.delay_reason

    def flush_soon(self) -> None:
        self.flushed += 1
        if self.flush_failure:
            raise self.flush_failure

    def commit(self, token: int, errors: int = 0) -> None:
        """What Snowflake says from the next look at the status on."""
        self.shown = structs.replace(self.shown, token=token, rows_error_count=errors)


class StandInStore:
    """Keeps what is saved; raises `failure` as long as there is one."""

    def __init__(self) -> None:
        self.saved: list[Checkpoint] = []
        self.tried = 0
        self.failure: Exception | None = None

    def save_checkpoint(self, checkpoint: Checkpoint) -> None:
        self.tried += 1
        if self.failure:
            raise self.failure
        self.saved.append(checkpoint)


class Rig:
    """The pipeline of partition 3 under epoch 2, resumed after event 4 unless a test says otherwise."""

    def __init__(
        self,
        *,
        after: int | None = 4,
        snowflake: SnowflakeSettings | None = None,
        eventhub: EventHubSettings | None = None,
        checkpoint: Checkpoint | None = None,
        status: ChannelStatus | None = None,
    ) -> None:
        self.now_s = 1000.0
        opened = status or ChannelStatus(after, 0)
        self.source, self.channel, self.store = StandInSource(), StandInChannel(opened), StandInStore()
        stored = checkpoint or Checkpoint("3", after, None, 2)
        self.pipeline = Pipeline(
            plain(snowflake, eventhub),
            StartingPoint(Resume(after, "a test"), opened, stored),
            Ports(self.source, self.channel, self.store.save_checkpoint),
            clock=lambda: self.now_s,
        )
        self.deliver, self.deliver_events = self.source.deliver, self.source.deliver_events
        self.commit = self.channel.commit

    @property
    def counters(self) -> Counters:
        """Those of the pipeline."""
        return self.pipeline.counters

    def is_drained(self) -> bool:
        """As the loop asks."""
        return self.pipeline.is_drained

    def turn(self, after_s: float = 0.0) -> None:
        """One turn, `after_s` later."""
        self.now_s += after_s
        self.pipeline.turn(self.now_s)

    def turns(self, count: int = 4, every_s: float = 1.0) -> None:
        """Enough turns for a commit to become a checkpoint: a look at the status, its result, the save, its result."""
        for _ in range(count):
            self.turn(every_s)

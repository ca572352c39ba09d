"""A flow between stand-ins of its source, channel and store, on a clock that a test moves."""

from collections import deque
from dataclasses import replace
from typing import Any, cast

from azure.eventhub import EventData

from shared.config.settings import EventHubSettings, SnowflakeSettings
from shared.model import Checkpoint
from shared.resume import Resume
from tests.unit.plain_settings import plain
from tests.unit.readable import readable
from tests.unit.worker.source.events import events
from worker.opening import Opening
from worker.pipeline.pipeline import Flow
from worker.sink.channel_status import Progress
from worker.sink.sdk_log import Uploads
from worker.source.batch_queue import Batch
from worker.source.envelope import Row, envelope

NOBODY_READS = 0
row_of = envelope("3", "keep")


class StandInSource:
    """Batches that wait to be taken."""

    def __init__(self) -> None:
        self.batches: deque[Batch] = deque()
        self.taken = 0
        self.stopped = 0

    def fileno(self) -> int:
        return NOBODY_READS

    def take(self) -> Batch | None:
        if not self.batches:
            return None
        self.taken += 1
        return self.batches.popleft()

    def check_alive(self, now_s: float) -> None:
        assert not self.stopped

    def stop(self) -> None:
        self.stopped += 1
        self.batches.clear()


class StandInChannel:
    """Takes rows, and says as progress what a test sets."""

    def __init__(self, progress: Progress) -> None:
        self.says = progress
        self.uploads = Uploads()
        self.appended: list[tuple[int, int]] = []
        self.numbers: list[int] = []
        self.refusals: deque[Exception | None] = deque()
        self.asked = 0
        self.flushed = 0
        self.flush_failure: Exception | None = None

    def append(self, rows: list[Row], start: int, end: int) -> None:
        if self.refusals and (refusal := self.refusals.popleft()):
            raise refusal
        self.appended.append((start, end))
        self.numbers += [row["SEQUENCE_NUMBER"] for row in rows]

    def progress(self) -> Progress:
        self.asked += 1
        return self.says

    def flush_soon(self) -> None:
        self.flushed += 1
        if self.flush_failure:
            raise self.flush_failure


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
    """The flow of partition 3 under epoch 2, resumed after event 4 unless told otherwise."""

    def __init__(
        self,
        *,
        after: int | None = 4,
        snowflake: SnowflakeSettings | None = None,
        eventhub: EventHubSettings | None = None,
        checkpoint: Checkpoint | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.now_s = 1000.0
        opened = progress or Progress(after, 0)
        self.source, self.channel, self.store = StandInSource(), StandInChannel(opened), StandInStore()
        stored = checkpoint or Checkpoint("3", after, None, 2)
        self.flow = Flow(
            plain(snowflake, eventhub),
            Opening(Resume(after, "a test"), opened, stored),
            cast("Any", self.source),
            cast("Any", self.channel),
            cast("Any", self.store),
        )

    def deliver(self, *numbers: int, last: int | None = None) -> None:
        """A batch of these events."""
        self.deliver_events(events(*numbers), last)

    def deliver_events(self, batch: list[EventData], last: int | None = None) -> None:
        """A batch."""
        self.source.batches.append(Batch([row_of(event) for event in batch], last))

    def commit(self, token: int, errors: int = 0) -> None:
        """What Snowflake says from the next look at the status on."""
        self.channel.says = replace(self.channel.says, token=token, rows_error_count=errors)

    def is_drained(self) -> bool:
        """As the loop asks."""
        return self.flow.is_drained

    def turn(self, after_s: float = 0.0) -> None:
        """One turn, `after_s` later; what it began on other threads ends before the next."""
        self.now_s += after_s
        self.flow.turn(self.now_s)
        for background in (self.flow._poll, self.flow._save):
            assert not background.is_busy or readable(background)

    def turns(self, count: int = 4, every_s: float = 1.0) -> None:
        """Enough turns for a commit to become a checkpoint: a look at the status, its result, the save, its result."""
        for _ in range(count):
            self.turn(every_s)

"""The pipeline of one partition, from received to checkpointed.

    source ──▶ admit ──▶ waiting ──▶ append ──▶ window ──▶ durable ──▶ checkpointed

Appending never waits for a commit: Snowflake takes about 5 s for one, so rows go out while older ones are in flight,
the committed token is read about once a second and the checkpoint follows behind.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from shared.backoff import Pauses
from shared.config.settings import Settings
from shared.control.store import ControlStore
from shared.errors import CommitStalled, EvsupError, SequenceGap, SinkUnavailable, StoreUnavailable
from shared.log.logger import get_logger
from shared.model import Checkpoint
from shared.resume import GO_ON_WITHOUT
from worker.opening import Opening
from worker.pipeline.background import Background
from worker.pipeline.chunks import Chunk, chunked
from worker.pipeline.sequence import Gap, admit
from worker.pipeline.window import Append, Window
from worker.sink.channel import Channel, Saturated
from worker.sink.channel_status import OLDER_LIMIT_S, Progress, is_older, verify
from worker.sink.unsettled import Unsettled
from worker.source.batch_queue import Batch
from worker.source.envelope import Row, sequence_numbers
from worker.source.source import Source

POLL_S = 1.0  # the SDK refreshes its cache of the status about once a second; asking more often shows nothing new
IDLE_POLL_S = 10.0  # nothing in flight: only to see whether the channel is still ours
SATURATED_FIRST_S, SATURATED_MOST_S = 0.05, 2.0
SAVE_FIRST_S, SAVE_MOST_S = 0.5, 5.0
SAVE_LIMIT_S = 60.0  # a checkpoint that cannot be written for so long fails the worker

log = get_logger()


@dataclass(slots=True)
class Marks:
    """How far the partition has come: sequence numbers by where an event stands, None before the first."""

    received: int | None
    appended: int | None
    durable: int | None
    checkpointed: int | None
    last_enqueued: int | None = None


@dataclass(slots=True)
class Totals:
    """What a process has moved: its flows follow each other and count on."""

    rows: int = 0
    size_bytes: int = 0
    duplicates: int = 0


class Flow:
    """Moves the events of one partition. `turn` is one step and never blocks; all state is changed here."""

    def __init__(
        self,
        settings: Settings,
        opening: Opening,
        source: Source,
        channel: Channel,
        store: ControlStore,
        totals: Totals | None = None,
    ) -> None:
        self._settings, self._source, self._channel, self._store = settings, source, channel, store
        self._saved = opening.checkpoint
        start, token = opening.resume.after, opening.progress.token
        self._unsaved = self._saved if token is None else replace(self._saved, sequence_number=token)
        self._errors_before = opening.progress.rows_error_count
        self.marks = Marks(start, start, token, None if token is None else self._saved.sequence_number)
        self.totals = totals or Totals()
        self.window = Window(settings.snowflake.max_inflight_rows, settings.snowflake.max_inflight_bytes)
        self._waiting: deque[Chunk] = deque()
        self._poll: Background[Progress | None] = Background("status")
        self._save: Background[Checkpoint] = Background("checkpoint")
        self._poll_due_s = 0.0
        self._saturated = Pauses(SATURATED_FIRST_S, SATURATED_MOST_S)
        self._unsavable = Pauses(SAVE_FIRST_S, SAVE_MOST_S)
        self._older = Pauses(POLL_S, POLL_S)
        self._unsettled = Unsettled(self._saved.unsettled_from)
        self._draining = False
        self.has_seen_token = False
        """Whether the channel's status was read and had a token: what the open said of it is not counted."""

    # --- for the loop -------------------------------------------------------------------------------------------------

    def wait_for(self) -> list[int]:
        """File descriptors that a turn should be woken by; the source's only while there is room for what it has."""
        results = [self._poll.fileno(), self._save.fileno()]
        return results if self._waiting or self._draining else [*results, self._source.fileno()]

    def due_s(self, now_s: float) -> float:
        """The moment when a turn has something to do although nothing woke it."""
        due_s = now_s + POLL_S
        if not self._poll.is_busy:  # one that runs wakes us at its end; its next moment may be long over
            due_s = min(due_s, self._poll_due_s)
        if self._waiting and self._has_room():
            due_s = min(due_s, self._saturated.until_s)
        return due_s

    def turn(self, now_s: float) -> None:
        """Move everything one step on. Raises the first thing that is wrong; after that the flow is over."""
        self._take_progress(now_s)
        self._take_saved(now_s)
        self._intake(now_s)
        self._append(now_s)
        self._ask_for_progress(now_s)
        self._checkpoint(now_s)
        self._refuse_stall(now_s)

    def drain(self) -> None:
        """Stop receiving. Rows not appended yet are dropped: nobody counted them, and they are read again.

        A flush only hastens: when it fails, the next status says why, or the drain's deadline ends the wait.
        """
        if self._draining:
            return
        self._draining = True
        self._source.stop()
        self._waiting.clear()
        if not self.window.is_empty:
            self._flush_soon()

    def _flush_soon(self) -> None:
        try:
            self._channel.flush_soon()
        except EvsupError as error:
            log.warning("flush_failed", reason=str(error))

    @property
    def is_drained(self) -> bool:
        """Whether everything appended is durable and checkpointed."""
        return self._draining and self.window.is_empty and not self._save.is_busy and self._is_saved

    @property
    def written(self) -> int | None:
        """The last event that was written, when it is durable and checkpointed; None: there are others behind it."""
        marks = self.marks
        return marks.checkpointed if marks.checkpointed == marks.durable == marks.appended else None

    @property
    def oldest_enqueued(self) -> datetime | None:
        """When the oldest event that was received and is not durable was enqueued; None: there is none."""
        if self.window.is_empty and self._waiting:
            return self._waiting[0].enqueued
        return self.window.oldest_enqueued

    # --- received ▶ appended ------------------------------------------------------------------------------------------

    def _intake(self, now_s: float) -> None:
        if self._waiting or self._draining:
            return
        self._source.check_alive(now_s)
        batch = self._source.take()
        if batch is not None:
            self._waiting.extend(chunked(self._admitted(batch)))

    def _admitted(self, batch: Batch) -> Sequence[Row]:
        numbers = sequence_numbers(batch.rows)
        admission = admit(self.marks.received, numbers)
        if self.marks.received is None and admission.fresh:  # retention may have passed what the opening saw
            self._unsettled.begin(numbers[admission.fresh[0]])
        for gap in admission.gaps:
            self._gap(gap)
        self.marks.received = admission.high
        self.marks.last_enqueued = batch.last_enqueued
        self.totals.duplicates += len(batch.rows) - len(admission.fresh)
        return [batch.rows[index] for index in admission.fresh]

    def _gap(self, gap: Gap) -> None:
        if self._settings.eventhub.on_gap == "fail":
            raise SequenceGap(
                f"Events {gap.first} to {gap.last} never came",
                f"{gap.count} sequence numbers are missing between two events",
                f"Retention passed them, or the hub was failed over. {GO_ON_WITHOUT}",
            )
        log.warning("sequence_gap", first=gap.first, last=gap.last, count=gap.count)
        self._unsettled.begin(gap.last + 1)  # nobody looks for rows of events that never came
        self._unsaved = replace(self._unsaved, unsettled_from=self._unsettled.first)

    def _append(self, now_s: float) -> None:
        """Older rows first: a chunk that the SDK did not take stays at the head, and nothing passes it."""
        while self._waiting and self._has_room() and now_s >= self._saturated.until_s:
            chunk = self._waiting[0]
            try:
                self._channel.append(chunk.rows, chunk.start, chunk.end)
            except Saturated as error:
                self._saturated.again(now_s)
                if self._saturated.lasted_s(now_s) > self._settings.snowflake.commit_timeout:
                    raise SinkUnavailable("The streaming SDK takes no more rows", str(error)) from error
                return
            self._saturated.over()
            self._waiting.popleft()
            self._appended(chunk, now_s)

    def _appended(self, chunk: Chunk, now_s: float) -> None:
        append = Append(chunk.end, len(chunk.rows), chunk.size_bytes, chunk.offset, chunk.enqueued, chunk.end_enqueued)
        self.window.add(append, now_s)
        self.marks.appended = chunk.end
        self.totals.rows += len(chunk.rows)
        self.totals.size_bytes += chunk.size_bytes

    def _has_room(self) -> bool:
        return self.window.has_room(len(self._waiting[0].rows), self._waiting[0].size_bytes)

    # --- appended ▶ durable -------------------------------------------------------------------------------------------

    def _ask_for_progress(self, now_s: float) -> None:
        if now_s >= self._poll_due_s and not self._poll.is_busy:
            self._poll.submit(self._channel.progress)
            self._poll_due_s = now_s + (IDLE_POLL_S if self.window.is_empty else POLL_S)
        elif not self.window.is_empty:
            self._poll_due_s = min(self._poll_due_s, now_s + POLL_S)

    def _take_progress(self, now_s: float) -> None:
        progress = self._poll.take()
        if progress is None or self._is_asked_again(progress, now_s):
            return
        partition_id, errors, first = self._saved.partition_id, self._errors_before, self._unsettled.first
        verify(partition_id, progress, self.marks.durable, self.marks.appended, errors, first)
        self._unsettled.look(progress.token, now_s)
        if progress.token is None:
            return
        self.has_seen_token = True
        if progress.token == self.marks.durable:
            self._note_settled(progress.token)
            return
        self.marks.durable = progress.token
        released = self.window.commit(progress.token, now_s)
        self._unsaved = self._durable(progress.token, released)

    def _note_settled(self, token: int) -> None:
        """On an idle partition no commit follows whose checkpoint would say that all is settled."""
        if self._unsettled.first == token + 1 and self.window.is_empty:
            self._unsaved = replace(self._unsaved, unsettled_from=token + 1)

    def _is_asked_again(self, progress: Progress, now_s: float) -> bool:
        """Whether a status that is older than one before is passed over: a cache may have given it."""
        if not is_older(progress, self.marks.durable, self._errors_before):
            self._older.over()
            return False
        if not self._older.lasted_s(now_s):
            log.warning(
                "status_older", token=progress.token, durable=self.marks.durable, rows=progress.rows_error_count
            )
        self._older.again(now_s)
        self._poll_due_s = min(self._poll_due_s, now_s + POLL_S)
        return self._older.lasted_s(now_s) < OLDER_LIMIT_S

    def _durable(self, token: int, released: Append | None) -> Checkpoint:
        """The checkpoint at the token. Of its event nothing is known unless an append ends with it."""
        known = released if released and released.end == token else Append(token, 0, 0)
        enqueued_at_s = known.end_enqueued.timestamp() if known.end_enqueued else None
        return replace(
            self._unsaved,
            sequence_number=token,
            offset=known.offset,
            enqueued_at_s=enqueued_at_s,
            unsettled_from=self._unsettled.first,
        )

    def _refuse_stall(self, now_s: float) -> None:
        stalled_s = self.window.stalled_s(now_s)
        if stalled_s > self._settings.snowflake.commit_timeout:
            raise CommitStalled(
                f"Snowflake has committed nothing for {stalled_s:.0f} s",
                "; ".join(filter(None, (self._inflight(), self._channel.uploads.evidence))),
                "Nothing is lost: they are read again after a restart. Check Snowflake's status and the network, the"
                " stage's storage among it (`evsup check`); SNOWFLAKE_COMMIT_TIMEOUT sets how long to wait.",
            )

    def _inflight(self) -> str:
        return (
            f"{self.window.rows} rows are in flight, appended up to {self.marks.appended}, the channel's token is"
            f" {self.marks.durable} with status SUCCESS"
        )

    # --- durable ▶ checkpointed ---------------------------------------------------------------------------------------

    @property
    def _is_saved(self) -> bool:
        return _position(self._saved) == _position(self._unsaved)

    def _checkpoint(self, now_s: float) -> None:
        if self._is_saved or self._save.is_busy or now_s < self._unsavable.until_s:
            return
        checkpoint = self._unsaved
        self._save.submit(lambda: self._saved_in_store(checkpoint))

    def _saved_in_store(self, checkpoint: Checkpoint) -> Checkpoint:
        self._store.save_checkpoint(checkpoint)
        return checkpoint

    def _take_saved(self, now_s: float) -> None:
        try:
            saved = self._save.take()
        except StoreUnavailable as error:
            self._unsavable.again(now_s)
            if self._unsavable.lasted_s(now_s) > SAVE_LIMIT_S:
                raise
            log.warning("checkpoint_retrying", reason=str(error))
            return
        if saved is not None:
            self._unsavable.over()
            self._saved = saved
            self.marks.checkpointed = saved.sequence_number


def _position(checkpoint: Checkpoint) -> tuple[int | None, int | None]:
    return checkpoint.sequence_number, checkpoint.unsettled_from

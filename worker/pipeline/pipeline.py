"""The pipeline of one partition, from received to checkpointed.

    source ──▶ admit ──▶ waiting ──▶ append ──▶ window ──▶ durable ──▶ checkpointed

Appending never waits for a commit. Snowflake takes about 5 s for one, so rows are appended while older ones are in
flight, the committed token is read about once a second, and the checkpoint follows.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from msgspec import structs

from shared.clock import Clock, Deadline, Instant, monotonic
from shared.config.settings import Settings
from shared.errors import CommitStalled, EvsupError, SequenceGap, SinkUnavailable
from shared.ipc.messages import Counters, Times
from shared.log.logger import get_logger
from shared.model import Checkpoint
from shared.resume import GO_ON_WITHOUT, NOTHING
from worker.backoff import Backoff
from worker.opening import StartingPoint
from worker.pipeline.checkpointer import Checkpointer
from worker.pipeline.chunks import Chunk, chunked
from worker.pipeline.ports import Ports
from worker.pipeline.sequence import Gap, admit
from worker.pipeline.status_poll import StatusPoll
from worker.pipeline.timing import Timing
from worker.pipeline.window import Append, Window
from worker.rows.event import Event
from worker.sink.channel import Saturated
from worker.sink.channel_status import verify
from worker.sink.unsettled import Unsettled
from worker.source.batch_queue import Batch

WAIT_S = 1.0  # a turn comes at least so often
SATURATED_FIRST_S, SATURATED_MOST_S = 0.05, 2.0

log = get_logger()


class Pipeline:
    """Moves the events of one partition. `turn` is one step and never blocks; all state is changed in it.

    Nothing is received before `start`. `totals` are the counters of the pipelines that this process had before.
    """

    def __init__(
        self,
        settings: Settings,
        start: StartingPoint,
        ports: Ports,
        totals: Counters | None = None,
        clock: Clock = monotonic,
    ) -> None:
        self._settings, self._source, self._sink = settings, ports.source, ports.sink
        stored, token = start.checkpoint, start.status.token
        # The token is what is in the table. Where it is ahead of the stored row, as after a crash, it is written first.
        newest = stored if token is None else replace(stored, sequence_number=token)
        self._checkpoints = Checkpointer(ports.save, stored, newest)
        self._errors_before = start.status.rows_error_count
        self._totals = totals or Counters()
        self._counters = structs.replace(
            self._totals,
            received=start.resume.after,
            appended=start.resume.after,
            durable=token,
            checkpointed=None if token is None else stored.sequence_number,
        )
        self._begins_after = start.begins_after
        end = start.end if settings.eventhub.track_last_enqueued else None
        self._timing = Timing(self._counters.latencies, clock, end, start.durable_at_s)
        self._window = Window(settings.snowflake.max_inflight_rows, settings.snowflake.max_inflight_bytes)
        self._waiting: deque[Chunk] = deque()
        self._poll = StatusPoll(ports.sink.status)
        self._saturated = Backoff(SATURATED_FIRST_S, SATURATED_MOST_S)
        self._unsettled = Unsettled(stored.unsettled_from)
        self._is_unwritten = token is None
        self._offered = start.resume.after
        """The last event whose row the sink was given, whether it took it or not."""
        self._is_draining = False
        self.has_seen_token = False
        """Whether the channel's status was read since the opening, and had a token."""

    # --- for the loop -------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to receive."""
        self._source.start()

    def fds(self) -> list[int]:
        """File descriptors that wake a turn; the source's only while there is room for what it has."""
        results = [self._poll.fileno(), self._checkpoints.fileno()]
        # While rows wait no batch is taken, and a source that has one would end every wait at once.
        return results if self._waiting or self._is_draining else [*results, self._source.fileno()]

    def due_s(self, now_s: float) -> float:
        """When a turn has something to do although nothing woke it."""
        due_s = min(now_s + WAIT_S, self._poll.due_s)
        if self._waiting and self._has_room():
            due_s = min(due_s, self._saturated.until_s)
        return due_s

    def turn(self, now_s: float) -> None:
        """Move everything one step on. Raises the first thing that is wrong; the pipeline is not to be used after."""
        # Results first: a commit makes room in the window for what is received and appended in the same turn, and a
        # status that proves another owner or a rejected row ends the turn before anything more is appended.
        self._take_status(now_s)
        self._take_stored(now_s)
        self._take_batch(now_s)
        self._append(now_s)
        # After the append: rows that have just gone into flight bring the next status forward.
        self._poll.begin(now_s, is_idle=self._window.is_empty)
        self._checkpoints.save(now_s)
        # Last: only a commit that did not come in this turn either is late.
        self._refuse_stall(now_s)

    def drain(self) -> None:
        """Stop receiving. Rows that are not appended yet are dropped: nobody counted them, and they are read again."""
        if self._is_draining:
            return
        self._is_draining = True
        # Before the rows are dropped: nothing may come after them.
        self._source.stop()
        self._waiting.clear()
        if not self._window.is_empty:
            self._flush_soon()

    def _flush_soon(self) -> None:
        """A flush only saves time. When it fails, the next status says why, or the drain's deadline ends the wait."""
        try:
            self._sink.flush_soon()
        except EvsupError as error:
            log.warning("flush_failed", reason=str(error))

    def note_checked(self, up_to: int) -> None:
        """Have the checkpoint say up to which event the target table had its columns, also where no commit comes."""
        newest = self._checkpoints.newest
        if newest.sequence_number is not None:
            self._checkpoints.newest = replace(newest, checked_up_to=up_to)

    def note_columns(self, text: str | None) -> None:
        """Have it say which columns later rows are made for; None: nobody has read them."""
        if text is not None:
            self._checkpoints.newest = replace(self._checkpoints.newest, target_columns=text)

    def stop(self) -> None:
        """Stop receiving, and give up what is not durable: the partition is opened and read again."""
        self._source.stop()

    def join(self, deadline: Deadline) -> None:
        """Wait until the receiver has ended, so that its link is detached in order."""
        self._source.join(deadline)

    @property
    def counters(self) -> Counters:
        """What was moved, and how far the partition is."""
        return structs.replace(
            self._counters,
            rows_inflight=self._window.rows,
            bytes_inflight=self._window.size_bytes,
            receiver_reopened_total=self._totals.receiver_reopened_total + self._source.reopened,
            hub_throttled_total=self._totals.hub_throttled_total + self._source.throttled,
            status_retries_total=self._totals.status_retries_total + self._poll.failures,
            checkpoint_retries_total=self._totals.checkpoint_retries_total + self._checkpoints.failures,
            latencies=self._timing.latencies,
        )

    def times(self, now: Instant, own_s: float) -> Times:
        """How late the partition is, and when things last happened. `own_s` is on the clock that `turn` is given."""
        waits_s = round(self._window.stalled_s(own_s), 1)
        durable = self._counters.durable
        reached = self._begins_after if durable is None else durable
        return self._timing.times(now, reached, self.oldest_enqueued, self._source.heard_s, waits_s)

    @property
    def waits_for(self) -> str | None:
        """As of the source."""
        return self._source.waits_for

    @property
    def is_drained(self) -> bool:
        """Whether everything appended is durable and checkpointed, after `drain`."""
        return self._is_draining and self._window.is_empty and self._checkpoints.is_settled

    @property
    def written(self) -> int | None:
        """The last event that was appended, if it is durable and checkpointed; None: others were appended after it.
        `resume.NOTHING`: the channel had no row when it was opened, and nothing was appended.
        """
        if self._is_unwritten:
            return NOTHING
        counters = self._counters
        return counters.checkpointed if counters.checkpointed == counters.durable == counters.appended else None

    @property
    def oldest_enqueued(self) -> datetime | None:
        """Enqueued time of the oldest event that was received and is not durable; None: there is none."""
        if self._window.is_empty and self._waiting:
            return self._waiting[0].enqueued
        return self._window.oldest_enqueued

    # --- received ▶ appended ------------------------------------------------------------------------------------------

    def _take_batch(self, now_s: float) -> None:
        # One batch at a time. What waits is in no window, so this is what bounds it.
        if self._waiting or self._is_draining:
            return
        # Before the look for a batch: a receiver that hangs never gives one.
        self._source.check_alive(now_s)
        batch = self._source.take()
        if batch is not None:
            self._timing.receive(batch)
            self._waiting.extend(chunked(self._admitted(batch)))

    def _admitted(self, batch: Batch) -> Sequence[Event]:
        """The rows of a batch that are new, in order."""
        numbers, received = [event.sequence_number for event in batch.events], self._counters.received
        admission = admit(received, numbers)
        if received is None and admission.fresh:  # retention may have deleted the one that the opening found
            first = numbers[admission.fresh[0]]
            self._unsettled.begin_at(first)
            self._begins_after = None if first is None else first - 1
        if admission.gaps:
            self._skip(admission.gaps)
        duplicates = len(batch.events) - len(admission.fresh)
        self._count(received=admission.high, duplicates_total=self._counters.duplicates_total + duplicates)
        return [batch.events[index] for index in admission.fresh]

    def _skip(self, gaps: Sequence[Gap]) -> None:
        first, last, count = gaps[0], gaps[-1].last, sum(gap.count for gap in gaps)
        if self._settings.eventhub.on_gap == "fail":
            raise SequenceGap(
                f"Events {first.first} to {first.last} never came",
                f"{first.count} sequence numbers are missing between two events",
                f"Retention or log compaction deleted them, or the hub failed over. {GO_ON_WITHOUT}",
            )
        # One line a batch: in a hub with log compaction nearly every event may be behind a gap.
        log.warning("sequence_gap", first=first.first, last=last, count=count)
        self._count(gap_events_total=self._counters.gap_events_total + count)
        # Stored before the first row after the gap is committed: rejected rows are never looked for in a gap.
        self._unsettled.begin_at(last + 1)
        self._checkpoints.newest = replace(self._checkpoints.newest, unsettled_from=self._unsettled.first)

    def _append(self, now_s: float) -> None:
        """Append in order: a chunk that the SDK did not take stays first, and no other passes it."""
        while self._waiting and self._has_room() and now_s >= self._saturated.until_s:
            chunk = self._waiting[0]
            # Before the append: one that fails may have taken some of the rows.
            self._is_unwritten, self._offered = False, chunk.end
            try:
                self._sink.append(chunk.events, chunk.start, chunk.end)
            except Saturated as error:
                self._saturated.record_failure(now_s)
                self._count(append_retries_total=self._counters.append_retries_total + 1)
                if self._saturated.lasted_s(now_s) > self._settings.snowflake.commit_timeout:
                    raise SinkUnavailable(
                        f"The streaming SDK takes no more rows of partition {self._partition_id}",
                        str(error),
                        "Nothing is lost: they are read again after a restart. Check Snowflake's status and the"
                        " network.",
                    ) from error
                return
            self._saturated.reset()
            # Only now: until the SDK has all of its rows, the chunk is the next one to append.
            self._waiting.popleft()
            self._record_append(chunk, now_s)

    def _record_append(self, chunk: Chunk, now_s: float) -> None:
        rows = len(chunk.events)
        passage = self._timing.append(chunk.enqueued, rows)
        append = Append(chunk.end, rows, chunk.size_bytes, chunk.offset, chunk.enqueued, chunk.end_enqueued, passage)
        self._window.add(append, now_s)
        self._count(
            appended=chunk.end,
            rows_total=self._counters.rows_total + rows,
            bytes_total=self._counters.bytes_total + chunk.size_bytes,
            billable_bytes_total=self._counters.billable_bytes_total + chunk.billable_bytes,
            decode_errors_total=self._counters.decode_errors_total + sum(event.is_undecoded for event in chunk.events),
        )

    def _has_room(self) -> bool:
        return self._window.has_room(len(self._waiting[0].events), self._waiting[0].size_bytes)

    # --- appended ▶ durable -------------------------------------------------------------------------------------------

    def _take_status(self, now_s: float) -> None:
        durable, errors_before = self._counters.durable, self._errors_before
        status = self._poll.take(now_s, durable, errors_before)
        if status is None:
            return
        verify(self._partition_id, status, durable, self._offered, errors_before, self._unsettled.first)
        # After `verify`, which raises when the count has risen: only a count that has not risen settles events.
        self._timing.snowflake_latency_s = status.latency_s
        self._unsettled.observe(status.token, now_s)
        if status.token is None:
            return
        self.has_seen_token = True
        if status.token == durable:
            self._note_settled(status.token)
            return
        self._count(durable=status.token)
        released = self._window.commit(status.token, now_s)
        self._timing.commit(released)
        self._checkpoints.newest = self._checkpoint_at(status.token, released[-1] if released else None)

    def _note_settled(self, token: int) -> None:
        """On an idle partition no commit follows whose checkpoint would say that every event is settled."""
        if self._unsettled.first == token + 1 and self._window.is_empty:
            self._checkpoints.newest = replace(self._checkpoints.newest, unsettled_from=token + 1)

    def _checkpoint_at(self, token: int, released: Append | None) -> Checkpoint:
        """The checkpoint at the token. Nothing is known of its event unless an append ends with it."""
        known = released if released and released.end == token else Append(token, 0, 0)
        return replace(
            self._checkpoints.newest,
            sequence_number=token,
            offset=known.offset,
            enqueued_at_s=known.end_enqueued.timestamp() if known.end_enqueued else None,
            unsettled_from=self._unsettled.first,
            # Not before the token, whatever the hub said: a row with an impossible number could not be read again.
            last_enqueued=None if self._timing.end is None else max(self._timing.end, token),
        )

    def _refuse_stall(self, now_s: float) -> None:
        stalled_s = self._window.stalled_s(now_s)
        if stalled_s > self._settings.snowflake.commit_timeout:
            raise CommitStalled(
                f"Snowflake has committed nothing for {stalled_s:.0f} s",
                "; ".join(filter(None, (self._inflight(), self._sink.delay_reason()))),
                "Nothing is lost: they are read again after a restart. Check Snowflake's status, the network, and the"
                " storage of the stage (`evsup check`); SNOWFLAKE_COMMIT_TIMEOUT sets how long to wait.",
            )

    def _inflight(self) -> str:
        return (
            f"{self._window.rows} rows are in flight, appended up to {self._counters.appended}, the channel's token is"
            f" {self._counters.durable} with status SUCCESS"
        )

    # --- durable ▶ checkpointed ---------------------------------------------------------------------------------------

    def _take_stored(self, now_s: float) -> None:
        # Counted when the store has confirmed it, not when it was sent.
        if stored := self._checkpoints.take_stored(now_s):
            self._timing.store(self._checkpoints.took_s)
            self._count(checkpointed=stored.sequence_number)

    # --- small things -------------------------------------------------------------------------------------------------

    def _count(self, **changes: int | None) -> None:
        self._counters = structs.replace(self._counters, **changes)

    @property
    def _partition_id(self) -> str:
        return self._checkpoints.newest.partition_id

"""What a pipeline knows of time: how long rows took from one place to the next, and when things last happened.

Each append is looked at once, with its rows as the weight, and never each event. It counts as its oldest event does, so
no row took longer than its histogram says. Only the hub's enqueued time is of another clock (`shared.clock.Instant`).
"""

from bisect import bisect_left
from collections.abc import Sequence
from datetime import datetime

from shared.clock import Clock, Instant
from shared.ipc.messages import BOUNDS_S, Histogram, Latencies, Times
from shared.model import LastEnqueued, lag, lag_s
from worker.pipeline.window import Append, Passage
from worker.source.batch_queue import Batch


class Timing:
    """The times of one pipeline. `before` is what the pipelines before it in this process have counted.

    `end` is the last event of the partition as it was known when the pipeline was made, `durable_at_s` the Unix time at
    which the hub took the newest durable row.
    """

    def __init__(self, before: Latencies, clock: Clock, end: LastEnqueued | None, durable_at_s: float | None) -> None:
        self._clock = clock
        self._received = Instant.now()
        self._received_s: float | None = None
        self._committed_s: float | None = None
        self._durable_at_s = durable_at_s
        self._end = end
        self._end_known_s = clock() if end else None
        self._enqueued_received = _Counts(before.enqueued_received)
        self._received_appended = _Counts(before.received_appended)
        self._appended_durable = _Counts(before.appended_durable)
        self._enqueued_durable = _Counts(before.enqueued_durable)
        self._checkpoint_written = _Counts(before.checkpoint_written)
        self.snowflake_latency_s: float | None = None
        """As the channel's status said last."""

    def receive(self, batch: Batch) -> None:
        """A batch came, perhaps without an event. The next appends are of it."""
        self._received = batch.received
        if batch.events:
            self._received_s = batch.received.monotonic_s
        self._end = batch.last_enqueued
        if self._end:
            self._end_known_s = batch.received.monotonic_s

    def append(self, enqueued: datetime | None, rows: int) -> Passage:
        """Rows were appended, of which the oldest has this enqueued time."""
        received, appended_s = self._received, self._clock()
        enqueued_s = None if enqueued is None else received.of_unix_s(enqueued.timestamp())
        if enqueued_s is not None:
            self._enqueued_received.add(received.monotonic_s - enqueued_s, rows)
        self._received_appended.add(appended_s - received.monotonic_s, rows)
        return Passage(enqueued_s, appended_s)

    def commit(self, released: Sequence[Append]) -> None:
        """Snowflake has committed something: these appends, unless the token is within one."""
        self._committed_s = now_s = self._clock()
        for append in released:
            # Not the time of the append before, where this one has none: that is of another event.
            self._durable_at_s = append.end_enqueued.timestamp() if append.end_enqueued else None
            if append.passage:
                self._appended_durable.add(now_s - append.passage.appended_s, append.rows)
                if append.passage.enqueued_s is not None:
                    self._enqueued_durable.add(now_s - append.passage.enqueued_s, append.rows)

    def store(self, took_s: float) -> None:
        """A checkpoint was written."""
        self._checkpoint_written.add(took_s, 1)

    @property
    def end(self) -> int | None:
        """The last event of the partition, as the hub reported it last; None: not known."""
        return self._end.number if self._end else None

    @property
    def latencies(self) -> Latencies:
        """All that was counted so far."""
        return Latencies(
            enqueued_received=self._enqueued_received.histogram,
            received_appended=self._received_appended.histogram,
            appended_durable=self._appended_durable.histogram,
            enqueued_durable=self._enqueued_durable.histogram,
            checkpoint_written=self._checkpoint_written.histogram,
        )

    def times(
        self, now: Instant, reached: int | None, oldest: datetime | None, heard_s: float | None, commit_wait_s: float
    ) -> Times:
        """For a report. Everything up to `reached` is durable; `oldest` is the enqueued time of the oldest event that
        was received and is not.
        """
        end, durable_at_s = self._end, self._durable_at_s
        events = lag(end.number, reached) if end else None
        oldest_age_s = now.monotonic_s - now.of_unix_s(oldest.timestamp()) if oldest else None
        behind_s = lag_s(events, end.at_s if end else None, durable_at_s, oldest_age_s)
        return Times(
            lag=events,
            lag_s=None if behind_s is None else round(behind_s, 3),
            commit_wait_s=commit_wait_s,
            newest_row_s=None if durable_at_s is None else now.of_unix_s(durable_at_s),
            committed_s=self._committed_s,
            received_s=self._received_s,
            heard_s=heard_s,
            snowflake_latency_s=self.snowflake_latency_s,
            end_known_s=self._end_known_s,
        )


class _Counts:
    """A histogram that grows."""

    def __init__(self, before: Histogram) -> None:
        self._counts, self._sum_s = list(before.counts), before.sum_s

    def add(self, seconds: float, rows: int) -> None:
        # What equals a bound counts below it, as in a bucket of Prometheus (`le`).
        # https://prometheus.io/docs/concepts/metric_types/#histogram
        self._counts[bisect_left(BOUNDS_S, seconds)] += rows
        self._sum_s += seconds * rows

    @property
    def histogram(self) -> Histogram:
        return Histogram(counts=tuple(self._counts), sum_s=round(self._sum_s, 3))

# ruff: noqa: ARG002 (all states have the same signatures, and not each needs the time)
"""What a worker does with its partition: it opens it, quarantines rejected rows, runs, or drains.

              ┌──── rejected rows, a lost channel ────┐
              ▼                                       │
    ──▶    Opening ─────────────────────────────▶ Running
           ▲     │                                    │
           │     ▼                                    │
         Quarantining                                 │
              │       a drain, from each state        │
              └────────────────▶ Draining ◀───────────┘

Each state says what wakes it, and its turn gives the next state. So what a start does once also happens when a running
worker finds rejected rows or has lost its channel: it opens the partition again.

A state knows one clock. `now_s` is the time in which the worker's loop turned (`shared.clock.LoopClock`): what others
owe the loop is late by that time alone. Lease and drain end by the host's clock, and are the loop's (worker/loop.py).
"""

import math
from dataclasses import dataclass
from typing import Protocol

from msgspec.structs import replace

from shared.clock import Deadline
from shared.errors import ChannelGone, RowsRejected, SinkUnavailable
from shared.ipc.messages import Counters, Opened, WorkerState
from shared.log.logger import get_logger
from shared.snowflake.tables import quarantine_name
from worker.opening import StartingPoint
from worker.partition import Partition
from worker.pipeline.background import Background
from worker.pipeline.pipeline import Pipeline
from worker.sink.rejection import Rejection

OPEN_LIMIT_S = 180.0  # the SDK waits up to 120 s for a previous owner's rows before it takes a channel by force

log = get_logger()


class State(Protocol):
    """What a worker does with its partition."""

    name: WorkerState
    """As a status shows it."""

    @property
    def counters(self) -> Counters:
        """What was moved since the worker's start, and how far the partition is."""

    @property
    def pipeline(self) -> Pipeline | None:
        """What moves events; None: nothing does."""

    def fds(self) -> list[int]:
        """File descriptors that wake a turn."""

    def due_s(self, now_s: float) -> float:
        """When a turn has something to do although nothing woke it."""

    def turn(self, now_s: float) -> "State | None":
        """One step; the state after it, None: the worker has drained. Never blocks. Raises what ends the worker."""

    def drain(self) -> "Draining":
        """Stop receiving; what is appended is still to be checkpointed. Raises what ended the state."""


@dataclass(frozen=True, slots=True)
class ChannelHistory:
    """What a worker knows of its channel when it opens the partition."""

    written: int | None = None
    """As `Pipeline.written`; None also where no pipeline ran."""
    was_lost: bool = False
    """Whether a channel did not exist any more, and no status since has had a token."""


class Opening:
    """The channel is taken over and the starting position decided, on a thread of its own: that may take minutes.

    It begins with the first turn in which the hub may be asked, and so after the lease was checked and the commands of
    the supervisor were read.
    """

    name: WorkerState = "opening"
    pipeline = None

    def __init__(
        self, partition: Partition, totals: Counters | None = None, history: ChannelHistory | None = None
    ) -> None:
        self._partition, self._history = partition, history or ChannelHistory()
        self.counters = totals or Counters()
        self._found: Background[StartingPoint | Rejection] = Background("opening")
        self._open_by = Deadline(math.inf)

    def fds(self) -> list[int]:
        """The end of the call that opens."""
        return [self._found.fileno()]

    def due_s(self, now_s: float) -> float:
        """As soon as it may, until the call has begun; then its end wakes the loop."""
        return math.inf if self._found.is_busy else max(now_s, self._partition.asks_from_s)

    def turn(self, now_s: float) -> State:
        """Begin to open; when that has ended, run, or quarantine the rows that were rejected."""
        if not self._found.is_busy and now_s >= self._partition.asks_from_s:
            self._begin(now_s)
        self._refuse_slow_open(now_s)
        match self._found.take():
            case None:
                return self
            case Rejection() as rejection:
                return Quarantining(self._partition, rejection, self.counters, was_lost=self._history.was_lost)
            case start:
                return Running(self._partition, start, self.counters, was_lost=self._history.was_lost)

    def _begin(self, now_s: float) -> None:
        # From now on, not from the start: in a large group the turn to ask the hub comes later.
        self._open_by = Deadline.after(OPEN_LIMIT_S, now_s)
        self._found.submit(lambda: self._partition.open(self._history.written))

    def drain(self) -> "Draining":
        """Nothing is left to do. Raises why the open failed, if that has just ended."""
        self._found.take()  # a failure that came in the same turn is the worker's end, and not the drain
        # Nothing is appended, so there is nothing to wait for. The call that opens is left running: native code that
        # blocks cannot be ended, and the process exits around it.
        return Draining(None, self.counters)

    def _refuse_slow_open(self, now_s: float) -> None:
        """The SDK tries an open that is not answered, or answered with 503, again for longer than anybody waits."""
        if self._open_by.passed(now_s):
            raise SinkUnavailable(
                f"The channel of partition {self._partition.term.partition_id} could not be opened",
                "; ".join(filter(None, (f"no answer for {OPEN_LIMIT_S:.0f} s", self._partition.failed_request))),
                "Check Snowflake's status and the network; nothing was written.",
            )


class Quarantining:
    """Rows that Snowflake rejected are quarantined, by a task. No event is read meanwhile."""

    name: WorkerState = "opening"  # whoever looks at the tree waits for both in the same way
    pipeline = None

    def __init__(self, partition: Partition, rejection: Rejection, counters: Counters, *, was_lost: bool) -> None:
        self._partition, self._was_lost = partition, was_lost
        self.counters = counters
        log.warning(
            "rows_rejected",
            rows=rejection.rows,
            first=rejection.numbers.start,
            last=rejection.numbers.stop - 1,
            reason=rejection.reason,
        )
        self._quarantined: Background[int] = Background("quarantine")
        self._quarantined.submit(lambda: partition.quarantine(rejection))

    def fds(self) -> list[int]:
        """The end of the task."""
        return [self._quarantined.fileno()]

    def due_s(self, now_s: float) -> float:
        """Never: the end of the task wakes the loop."""
        return math.inf

    def turn(self, now_s: float) -> State:
        """When the task has ended, open the partition again."""
        rows = self._quarantined.take()
        if rows is None:
            return self
        log.warning("rows_quarantined", rows=rows, table=quarantine_name(self._partition.settings.snowflake))
        counters = replace(self.counters, quarantined_total=self.counters.quarantined_total + rows)
        # As at a start: the partition now begins after the quarantined rows.
        return Opening(self._partition, counters, ChannelHistory(was_lost=self._was_lost))

    def drain(self) -> "Draining":
        """Nothing is left to do. Raises why the task failed, if that has just ended."""
        self._quarantined.take()  # as in `Opening.drain`
        # The task ends with this process, and the next owner does the same again, to the same end.
        return Draining(None, self.counters)


class Running:
    """Events move from the hub to the table."""

    name: WorkerState = "running"

    def __init__(self, partition: Partition, start: StartingPoint, totals: Counters, *, was_lost: bool) -> None:
        self._partition, self._was_lost = partition, was_lost
        channel, resume = partition.channel_name, start.resume
        self.pipeline = partition.pipeline(start, totals)
        self.pipeline.start()
        checked = start.checkpoint.checked_up_to
        self.opened = Opened(channel=channel, resumed_after=resume.after, reason=resume.reason, checked_up_to=checked)
        """The report of it, for the supervisor."""
        log.info("partition_opened", channel=channel, after=resume.after, reason=resume.reason)

    @property
    def counters(self) -> Counters:
        """Those of the pipeline."""
        return self.pipeline.counters

    def fds(self) -> list[int]:
        """Those of the pipeline."""
        return self.pipeline.fds()

    def due_s(self, now_s: float) -> float:
        """When the pipeline is due."""
        return self.pipeline.due_s(now_s)

    def turn(self, now_s: float) -> State:
        """One turn of the pipeline; if it stopped, open the partition again."""
        history = self.move(now_s)
        return self if history is None else Opening(self._partition, _totals(self.counters), history)

    def move(self, now_s: float) -> ChannelHistory | None:
        """One turn of the pipeline; None: it goes on. Otherwise it has stopped, and the partition is to be opened with
        this knowledge: rejected rows are looked for, and a lost channel is judged, as at a start.
        """
        try:
            self.pipeline.turn(now_s)
        except RowsRejected:
            if not self._partition.settings.snowflake.quarantines:
                raise
            history = ChannelHistory(was_lost=self._was_lost)
        except ChannelGone as error:
            if self._was_lost:  # an open finds a channel where a status finds none: that would go on for ever
                raise
            log.warning("channel_not_found", channel=self._partition.channel_name, reason=error.why)
            history = ChannelHistory(self.pipeline.written, was_lost=True)
        else:
            # A token proves that the channel is there. If it is lost after that, it may be opened again.
            self._was_lost &= not self.pipeline.has_seen_token
            return None
        self.pipeline.stop()  # a partition has one receiver, and the next one is about to be made
        return history

    def drain(self) -> "Draining":
        """Receive no more."""
        self.pipeline.drain()
        return Draining(self, _totals(self.counters))


class Draining:
    """What was appended becomes durable and checkpointed. No event is received any more.

    `running` is what drains; None: nothing was appended.
    """

    name: WorkerState = "draining"

    def __init__(self, running: Running | None, totals: Counters) -> None:
        self._running, self._totals = running, totals

    @property
    def counters(self) -> Counters:
        """Those of the pipeline."""
        return self._running.counters if self._running else self._totals

    @property
    def pipeline(self) -> Pipeline | None:
        """What drains."""
        return self._running.pipeline if self._running else None

    def fds(self) -> list[int]:
        """Those of the pipeline."""
        return self._running.fds() if self._running else []

    def due_s(self, now_s: float) -> float:
        """When the pipeline is due; at once if nothing drains."""
        return self._running.due_s(now_s) if self._running else now_s

    def turn(self, now_s: float) -> State | None:
        """One turn of the pipeline."""
        # Rejected rows and a lost channel are left to the next owner: it opens the partition anyway.
        if self._running is None or self._running.move(now_s) or self._running.pipeline.is_drained:
            return None
        return self

    def drain(self) -> "Draining":
        """It does so already."""
        return self


def _totals(counters: Counters) -> Counters:
    """What is counted since the worker's start; where the partition stands is not known while it is opened."""
    nowhere = {"received": None, "appended": None, "durable": None, "checkpointed": None}
    return replace(counters, rows_inflight=0, bytes_inflight=0, **nowhere)

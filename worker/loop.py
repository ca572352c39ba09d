"""The worker's loop: obey the supervisor, hold the lease, turn the flow, report.

One blocking call a turn, on everything that may want attention at once; whatever else could block runs on a thread of
its own (worker.pipeline.background, worker.source.source). So heartbeats, lease and drain work on an idle hub, with
`max_wait_time=0`, and while a vendor's call hangs.
"""

from datetime import UTC, datetime
from multiprocessing import connection

from msgspec.structs import replace
from setproctitle import setproctitle

from shared.clock import Clock, Deadline, LoopClock, monotonic
from shared.config.settings import Settings
from shared.control.store import ControlStore
from shared.errors import ChannelGone, DrainTimedOut, OwnershipLost, RowsRejected, SinkUnavailable
from shared.eventhubs.retention import time_to_loss_s
from shared.ipc.memory import rss_bytes
from shared.ipc.messages import Abort, Command, Counters, Drain, Drained, Lease, Opened, Status, WorkerState
from shared.ipc.pipe import MessagePipe
from shared.log.logger import get_logger
from shared.model import Term
from shared.snowflake.tables import quarantine_name
from worker.opening import Opening, open_partition
from worker.pipeline.background import Background
from worker.pipeline.pipeline import Flow, Totals
from worker.retention_alarm import LossWatch
from worker.sink.channel import Channel
from worker.sink.rejection import Rejection
from worker.source.envelope import envelope
from worker.source.source import Source
from worker.tasks import quarantine

REPORT_S = 1.0
OPEN_LIMIT_S = 180.0  # the SDK waits up to 120 s for a previous owner's rows before it takes a channel by force
DETACH_S = 1.0  # a drained worker gives the receiver so long to detach its link in order

log = get_logger()


class Worker:
    """One partition for one term. `run` ends when it drained, and raises when anything is wrong."""

    def __init__(
        self,
        settings: Settings,
        term: Term,
        lease: Lease,
        pipe: MessagePipe[Command],
        channel: Channel,
        store: ControlStore,
        clock: Clock = monotonic,
    ) -> None:
        self._settings, self._term, self._pipe, self._clock = settings, term, pipe, clock
        self._channel, self._store = channel, store
        self.trusted_until_s = lease.trusted_until_s
        self._opening: Background[Opening | Rejection] = Background("opening")
        self._quarantine: Background[int] = Background("quarantine")
        self._totals = Totals()
        self._quarantined_rows = 0
        self._source: Source | None = None
        self._flow: Flow | None = None
        self._lost_channel = False
        """Whether one was lost, and no status since has had a token."""
        self._drain: Deadline | None = None
        self._report_due_s = 0.0
        self._loss = LossWatch(settings.eventhub.retention_hours)
        self._turns = LoopClock(clock())
        self._open_by = Deadline.after(OPEN_LIMIT_S, self._turns.turned(clock()))

    def run(self) -> None:
        """Open, then step until drained."""
        self.open()
        while not self.step():
            pass
        self._leave()

    def open(self, written: int | None = None) -> None:
        """Begin to open, which takes the channel over; `written` as of `open_partition`.

        Raises `OwnershipLost` when the lease is over already.

        The one it was started with may well be, after a slow boot; those since then wait in the pipe.
        """
        self._hear()
        now_s = self._clock()
        self._require_trust(now_s)
        self._open_by = Deadline.after(OPEN_LIMIT_S, self._turns.turned(now_s))
        settings, term, channel, store = self._settings, self._term, self._channel, self._store
        self._opening.submit(lambda: open_partition(settings, term, channel, store, written))

    def step(self) -> bool:
        """One turn; True when the worker has drained. Blocks until something happens or a duty is due, at most 1 s.

        Raises `OwnershipLost` when the lease is over or the supervisor says so, `DrainTimedOut`, and whatever opening
        or the flow raise.
        """
        self._wait()
        self._hear()
        now_s = self._clock()
        # The lease, the drain and the reports go by the host's clock, as everybody else does. What others owe this loop
        # goes by the time in which it turned: after a standstill nobody has had a chance to answer.
        own_s = self._turns.turned(now_s)
        self._require_supervisor()
        self._require_trust(now_s)
        if self._flow:
            self._turn(self._flow, own_s)
        elif self._quarantine.is_busy:
            self._resume(self._quarantine.take())
        else:
            self._refuse_slow_open(own_s)
            self._begin(self._opening.take())
        drained = self._is_drained(now_s)
        self._report(now_s)
        return drained

    # --- the supervisor -----------------------------------------------------------------------------------------------

    def _wait(self) -> None:
        now_s = self._clock()
        results = [self._opening.fileno(), self._quarantine.fileno()]
        sources = [self._pipe.fileno(), *(self._flow.wait_for() if self._flow else results)]
        due_s = min(self._report_due_s, self.trusted_until_s)
        if self._flow:
            behind_s = self._turns.behind_s
            due_s = min(due_s, self._flow.due_s(now_s - behind_s) + behind_s)
        connection.wait(sources, max(0.0, due_s - now_s))

    def _hear(self) -> None:
        for command in self._pipe.receive():
            self._obey(command)

    def _obey(self, command: Command) -> None:
        match command:
            case Lease(trusted_until_s=until_s):
                self.trusted_until_s = until_s
            case Drain(deadline_s=deadline_s):
                self._drain = Deadline(deadline_s)
                if self._flow:
                    self._flow.drain()
            case Abort(reason=reason):
                raise OwnershipLost(
                    f"Partition {self._term.partition_id} was given up at the supervisor's word", reason
                )

    def _require_supervisor(self) -> None:
        if self._pipe.ended:
            raise OwnershipLost("The supervisor is gone", "its end of the pipe is closed", "Nothing is lost.")

    def _require_trust(self, now_s: float) -> None:
        """Stop before anybody else may claim: a lease that could not be renewed is over, whatever the reason."""
        if now_s >= self.trusted_until_s:
            raise OwnershipLost(
                f"The lease of partition {self._term.partition_id} ran out",
                f"it was not renewed for the whole trust window (epoch {self._term.epoch})",
                "Check the control store; another supervisor takes the partition over.",
            )

    def _report(self, now_s: float) -> None:
        if now_s < self._report_due_s:
            return
        self._report_due_s = now_s + REPORT_S
        status = self.status(now_s)
        self._pipe.send(status, topic="status")
        self._loss.look(status.time_to_loss_s, now_s)
        setproctitle(self._title(status))

    def _title(self, status: Status) -> str:
        position = f" seq={status.counters.durable}" if status.counters.durable is not None else ""
        lag = f" lag={status.lag}" if status.lag is not None else ""
        return f"evsup worker {self._store.group.eventhub_name} p={self._term.partition_id}{position}{lag}"

    def status(self, now_s: float) -> Status:
        """The counters as the supervisor shows them."""
        state: WorkerState = "opening" if self._flow is None else "draining" if self._drain else "running"
        status = Status(
            state=state,
            counters=self._counters(),
            rss_bytes=rss_bytes(),
            sent_at_s=now_s,
        )
        if self._flow is None:
            return status
        return replace(
            status,
            last_enqueued=self._flow.marks.last_enqueued,
            time_to_loss_s=time_to_loss_s(
                self._flow.oldest_enqueued, self._settings.eventhub.retention_hours, datetime.now(UTC)
            ),
        )

    def _counters(self) -> Counters:
        totals = Counters(
            rows_total=self._totals.rows,
            bytes_total=self._totals.size_bytes,
            duplicates_total=self._totals.duplicates,
            quarantined_total=self._quarantined_rows,
        )
        if self._flow is None:
            return totals
        marks, window = self._flow.marks, self._flow.window
        return replace(
            totals,
            received=marks.received,
            appended=marks.appended,
            durable=marks.durable,
            checkpointed=marks.checkpointed,
            rows_inflight=window.rows,
            bytes_inflight=window.size_bytes,
        )

    # --- the partition ------------------------------------------------------------------------------------------------

    def _refuse_slow_open(self, own_s: float) -> None:
        """The SDK retries an open that is not answered, or answered with 503, for longer than anybody waits."""
        if self._open_by.passed(own_s):
            raise SinkUnavailable(
                f"The channel of partition {self._term.partition_id} could not be opened",
                f"no answer for {OPEN_LIMIT_S:.0f} s",
                "Check Snowflake's status and the network; nothing was written.",
            )

    def _begin(self, opening: Opening | Rejection | None) -> None:
        """The channel is open: start to receive, unless a drain came first, or rows have to be set aside."""
        if opening is None or self._drain:
            return
        if isinstance(opening, Rejection):
            self._set_aside(opening)
            return
        decided = opening.resume
        position = opening.position(self._settings.eventhub.starting_position)
        partition_id = self._term.partition_id
        row_of = envelope(partition_id, self._settings.snowflake.on_decode_error)
        self._source = Source(self._settings.eventhub, partition_id, self._term.epoch, position, row_of)
        self._flow = Flow(self._settings, opening, self._source, self._channel, self._store, self._totals)
        self._source.start()
        log.info("partition_opened", channel=self._channel.name, after=decided.after, reason=decided.reason)
        self._pipe.send(Opened(channel=self._channel.name, resumed_after=decided.after, reason=decided.reason))

    def _turn(self, flow: Flow, own_s: float) -> None:
        """What the flow saw rejected is looked for as after a start, and what becomes of a channel that is gone is
        decided there, too.
        """
        try:
            flow.turn(own_s)
            self._lost_channel &= not flow.has_seen_token
        except RowsRejected:
            if not self._settings.snowflake.quarantines:
                raise
            self._reopen(None)
        except ChannelGone as error:
            if self._lost_channel:
                raise  # there is one for who opens it, and none for who asks for its status
            self._lost_channel = True
            log.warning("channel_not_found", channel=self._channel.name, reason=error.why)
            self._reopen(flow.written)

    def _reopen(self, written: int | None) -> None:
        if self._source:
            self._source.stop()  # a partition has one reader, and is read again
        self._flow = None
        if self._drain is None:
            self.open(written)

    def _set_aside(self, rejection: Rejection) -> None:
        log.warning(
            "rows_rejected",
            rows=rejection.rows,
            first=rejection.numbers.start,
            last=rejection.numbers.stop - 1,
            reason=rejection.reason,
        )
        self._quarantine.submit(lambda: quarantine.set_aside(rejection, self._store, self._channel))

    def _resume(self, quarantined: int | None) -> None:
        """They are set aside: open again, now behind them."""
        if quarantined is None or self._drain:
            return
        self._quarantined_rows += quarantined
        log.warning("rows_quarantined", rows=quarantined, table=quarantine_name(self._settings.snowflake))
        self.open()

    def _is_drained(self, now_s: float) -> bool:
        if self._drain is None:
            return False
        if self._flow is None or self._flow.is_drained:
            return True  # while opening there is nothing to lose: the native call is left behind
        if self._drain.passed(now_s):
            marks = self._flow.marks
            raise DrainTimedOut(
                f"Partition {self._term.partition_id} did not drain in time",
                f"appended up to {marks.appended}, durable {marks.durable}, checkpointed {marks.checkpointed}",
                "Nothing is lost: the rest is read again. EVSUP_DRAIN_TIMEOUT sets how long a drain may take.",
            )
        return False

    def _leave(self) -> None:
        if self._source:
            self._source.join(Deadline.after(DETACH_S, self._clock()))
        checkpointed = self._flow.marks.checkpointed if self._flow else None
        log.info("partition_drained", checkpointed=checkpointed)
        self._pipe.send(Drained(checkpointed=checkpointed))

"""Watches the target table while a tree runs: whether rows still fit it, and which events to read again if not.

When a column is dropped under a running tree, Snowflake loads later events without its values and reports nothing. So
a process of its own (`probe`) checks the table every 30 s, and the tree stops at the first check that finds rows
that do not fit. A check that cannot be made stops nothing, because events are loaded without SQL
(docs/decisions/table-watch.md).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import connection
from typing import TYPE_CHECKING, TypeAlias

from shared.clock import Clock, Deadline, jittered, monotonic
from shared.command_line import complete
from shared.errors import (
    EvsupError,
    ProtocolError,
    RowsDoNotFit,
    SnowflakeUnavailable,
    WorkerCrashed,
)
from shared.fixes import REACH_SNOWFLAKE
from shared.ipc.failure import error_of
from shared.ipc.messages import CheckTable, Failed, TableColumns, TableFits, TableReport
from shared.ipc.pipe import MessagePipe
from shared.log.logger import get_logger
from shared.model import Checkpoint, Term
from shared.snowflake.column_loss import loss
from supervisor.process.child import Child
from supervisor.process.table_watch import probe
from supervisor.target.target_check import with_opt_out

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

CHECK_EVERY_S = 30.0  # so that a change is noticed within a minute, the check itself included
CHECK_S = 50.0  # for an answer: a boot, a login (20 s) and three statements
NAMED = 3  # ranges of events that a message names; the log has all of them

EventRange: TypeAlias = tuple[str, int, int]
"""Partition, first and last sequence number."""
StartProbe: TypeAlias = "Callable[[], tuple[BaseProcess, MessagePipe[TableReport]]]"

log = get_logger()


@dataclass(slots=True)
class _Range:
    """The events of one term whose rows are in doubt: those after `checked`, up to `appended`."""

    term: Term
    checked: int
    """The last event that was durable before a check that found the table right."""
    durable: int
    appended: int


class TableMonitor:
    """Has the table checked, and keeps the result. Only `first_result` blocks; it and `ask` may raise."""

    def __init__(self, clock: Clock = monotonic, start: StartProbe = probe.start, *, can_opt_out: bool = True) -> None:
        self._clock, self._start, self._can_opt_out = clock, start, can_opt_out
        self._process: BaseProcess | None = None
        self._killed: BaseProcess | None = None
        self._pipe: MessagePipe[TableReport] | None = None
        self._answer_by: Deadline | None = None
        self._due = Deadline(clock())
        self._ranges: dict[str, _Range] = {}
        """Of the present term of each partition."""
        self._earlier: list[tuple[str, _Range]] = []
        """Of earlier terms, by partition, until a check covers them."""
        self._durable_when_asked: Sequence[tuple[_Range, int]] = ()
        self._newly_checked: dict[str, int] = {}
        self.columns: TableColumns | None = None
        """Those that rows fill, as the last check found them."""
        self.unseen: str | None = None
        """Why the last check could not be made; None when it could."""

    def ask(self) -> None:
        """Request a check. Only from the main thread: the kernel ends the probe with the thread that started it."""
        pipe = self._pipe or self._started()
        self._answer_by = Deadline.after(CHECK_S, self._clock())
        # Noted before the request leaves. What becomes durable later may have been loaded after the table was read.
        self._durable_when_asked = [(one, one.durable) for _, one in self._all_ranges()]
        pipe.send(CheckTable(), topic="check")

    def first_result(self) -> tuple[str, ...]:
        """Wait for the result of the first check: doubts about a table that takes rows, a sentence each.

        Raises what ends a start: RowsDoNotFit, or why the check could not be made.
        """
        try:
            report = self._await_report()
        except EvsupError as error:
            raise (with_opt_out(error) if self._can_opt_out else error) from None
        self.columns = report.columns
        return report.doubts

    def _await_report(self) -> TableFits:
        while (report := self._receive()) is None:
            if self._answer_by is None:
                raise WorkerCrashed("The process that checks the target table exited without reporting an error")
            connection.wait(self.sources, self._answer_by.remaining_s(self._clock()))
            if self._answer_by.passed(self._clock()):
                self.close()
                raise _no_answer()
        if isinstance(report, Failed):
            raise error_of(report)
        return report

    @property
    def sources(self) -> list[int]:
        """The descriptors to wait for."""
        return [] if self._pipe is None else [self._pipe.fileno()]

    def follow(self, children: Mapping[str, Child]) -> None:
        """Note how far each partition is."""
        for partition, child in children.items():
            if (seen := _range_of(child)) is not None:
                known = self._ranges.get(partition)
                if known is None or known.term is not seen.term:
                    self._begin(partition, seen)
                else:
                    known.durable = max(known.durable, seen.durable)
                    known.appended = max(known.appended, seen.appended)

    def _begin(self, partition: str, first: _Range) -> None:
        """Keep the former term's range apart: `evsup checkpoints` may have moved the partition, and its epochs, back.

        What the former term appended is committed or lost for good once the next one has opened the channel. So a
        check that is requested from now on covers it.
        """
        if (before := self._ranges.get(partition)) and before.appended > before.checked:
            before.durable = before.appended
            self._earlier.append((partition, before))
        self._ranges[partition] = first

    def _all_ranges(self) -> list[tuple[str, _Range]]:
        return [*self._earlier, *self._ranges.items()]

    def _mark_checked(self) -> None:
        """The table was right: rows that were durable when the check was requested lack nothing."""
        for one, durable in self._durable_when_asked:
            one.checked = max(one.checked, durable)
        self._newly_checked = {name: one.checked for name, one in self._ranges.items()}
        self._earlier = [(name, one) for name, one in self._earlier if one.appended > one.checked]

    def take_checked(self) -> dict[str, int]:
        """By partition, up to which event no value was dropped, as a check since the last call has found."""
        found, self._newly_checked = self._newly_checked, {}
        return found

    def turn(self, now_s: float) -> RowsDoNotFit | None:
        """One turn of the loop: read a result, request the next check when due; the error when rows do not fit."""
        error = self._judge(self._receive())
        if self._answer_by and self._answer_by.passed(now_s):
            self.close()
            self._note(_no_answer())
        if self._killed_has_exited() and self._answer_by is None and self._due.passed(now_s):
            self._ask_again()
        return error

    def last_turn(self, deadline: Deadline) -> RowsDoNotFit | None:
        """Check once more, now that every row is durable: nobody does so after us. Blocks until the deadline at most.

        What it finds right is in `take_checked`; without an answer there is nothing. A column that is lost is no error
        when every row was loaded before.
        """
        self._newly_checked = {}
        if self._answer_by:  # asked before the last row was durable
            self._wait_for_report(deadline)
        if self._pipe is None or deadline.passed(self._clock()):
            return None
        self.ask()
        error = self._judge(self._wait_for_report(deadline))
        return error if self._in_doubt() else None

    def _judge(self, report: TableReport | None) -> RowsDoNotFit | None:
        """The error of a table that rows do not fit any more."""
        if isinstance(report, Failed):
            error = error_of(report)
            # Only this ends the tree. Any other failure means that nobody knows, and rows are loaded without SQL.
            if isinstance(error, RowsDoNotFit):
                return error
            self._note(error)
        elif isinstance(report, TableFits):
            if self.columns and (lost := loss(self.columns, report.columns)):
                return lost
            self.columns = report.columns
            self._note(None)
            self._mark_checked()
        return None

    def _wait_for_report(self, deadline: Deadline) -> TableReport | None:
        """The next report; None: none came in time, or the process has exited."""
        while self._pipe is not None and not deadline.passed(self._clock()):
            connection.wait(self.sources, deadline.remaining_s(self._clock()))
            if report := self._receive():
                return report
        return None

    def located(self, error: RowsDoNotFit) -> RowsDoNotFit:
        """The error with the events whose rows may lack a value: those loaded since the last check that found none."""
        return with_ranges(error, self._in_doubt())

    def _in_doubt(self) -> Sequence[EventRange]:
        """The events that were loaded since the last check that passed."""
        return [(name, one.checked + 1, one.appended) for name, one in self._all_ranges() if one.appended > one.checked]

    def close(self) -> None:
        """Kill the process, and do not wait for its exit: in kernel state D it may take minutes."""
        process, self._process, pipe, self._pipe = self._process, None, self._pipe, None
        self._answer_by, self._due = None, Deadline.after(jittered(CHECK_EVERY_S), self._clock())
        if process:
            process.kill()
            self._killed = process
        if pipe is not None:
            pipe.close()

    def _killed_has_exited(self) -> bool:
        """No other process is started until then: a stuck disk would keep them all."""
        if self._killed and not self._killed.is_alive():  # which also reaps it
            self._killed = None
        return self._killed is None

    def _ask_again(self) -> None:
        """Request the next check. On a host at its limits it is made later, and events are loaded meanwhile."""
        try:
            self.ask()
        except EvsupError as error:
            self._due = Deadline.after(jittered(CHECK_EVERY_S), self._clock())
            self._note(error)

    def _started(self) -> MessagePipe[TableReport]:
        self._process, self._pipe = self._start()
        return self._pipe

    def _receive(self) -> TableReport | None:
        """The result, if one has arrived. A process that has exited, or that cannot be understood, is given up."""
        pipe = self._pipe
        if pipe is None:
            return None
        pipe.flush()
        try:
            reports = pipe.receive()
        except ProtocolError as error:
            reports = []
            self._note(error)
            self.close()
        if reports:
            self._answer_by, self._due = None, Deadline.after(jittered(CHECK_EVERY_S), self._clock())
            # The newest: the one before may be of a check that had no answer in time.
            return reports[-1]
        if pipe.ended and self._pipe is pipe:
            self.close()
            self._note(WorkerCrashed("The process that checks the target table has exited"))
        return None

    def _note(self, error: EvsupError | None) -> None:
        """Log once that and why the table cannot be checked, and once that it can be again."""
        unseen = complete(str(error)) if error else None
        if unseen and unseen != self.unseen:
            log.warning("table_not_seen", reason=unseen, consequence="a column that is dropped is not noticed now")
        elif self.unseen and not unseen:
            log.info("table_seen_again")
        self.unseen = unseen


def unchecked(checkpoints: Iterable[Checkpoint]) -> Iterator[EventRange]:
    """The events that were loaded since somebody last saw that the table was right, as the control store knows it."""
    for one in checkpoints:
        checked, last = one.checked_up_to, one.sequence_number
        if checked is not None and last is not None and checked < last:
            yield one.partition_id, checked + 1, last


def with_ranges(error: RowsDoNotFit, ranges: Sequence[EventRange]) -> RowsDoNotFit:
    """The error with the events whose rows may lack a value."""
    log.error("rows_do_not_fit", reason=error.why, fix=error.fix, ranges=ranges)
    if not ranges:
        return RowsDoNotFit(error.what, f"{error.why}; no event was loaded since the last check that passed", error.fix)
    since = "; ".join(f"events {first} to {last} of partition {name}" for name, first, last in _few(ranges))
    again = ", ".join(f"`evsup replay --partition {name} --from {a} --to {b}`" for name, a, b in _few(ranges))
    more = f", and more ranges ({len(ranges)} in all; the log has them)" if len(ranges) > NAMED else ""
    return RowsDoNotFit(
        error.what,
        f"{error.why}; rows loaded since the last check may lack it: {since}{more}",
        f"{error.fix} Then {again}{more}: docs/target-table.md#rows-that-lack-a-column says how to go on.",
    )


def _range_of(child: Child) -> _Range | None:
    """How far a worker is; None before it has appended anything, or is known to resume anywhere."""
    counters, opened = child.status.counters, child.opened
    if opened is None or counters.appended is None:
        return None
    begun = counters.appended - counters.rows_total if opened.resumed_after is None else opened.resumed_after
    # An earlier owner may have ended before anybody saw whether the table still had what its last rows need.
    checked = begun if opened.checked_up_to is None else min(begun, opened.checked_up_to)
    drained = -1 if child.drained is None or child.drained.checkpointed is None else child.drained.checkpointed
    durable = max(begun if counters.durable is None else counters.durable, drained)
    return _Range(child.term, checked, durable, max(counters.appended, drained))


def _few(ranges: Sequence[EventRange]) -> Sequence[EventRange]:
    return sorted(ranges, key=lambda one: (len(one[0]), one))[:NAMED]


def _no_answer() -> SnowflakeUnavailable:
    return SnowflakeUnavailable(
        "Snowflake does not say which columns the target table has",
        f"no answer for {CHECK_S:.0f} s",
        REACH_SNOWFLAKE,
    )

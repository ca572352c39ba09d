"""Watches the target table while a tree runs: whether rows still fit it, and which events to read again if not.

When a column is dropped under a running tree, Snowflake loads later events without its values and reports nothing. So
a process of its own (`probe`) checks the table every 30 s, and the tree stops at the first check that finds rows
that do not fit. A check that cannot be made stops nothing, because events are loaded without SQL
(docs/decisions/table-watch.md).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from multiprocessing import connection
from typing import TypeAlias

from shared.clock import Clock, Deadline, jittered, monotonic
from shared.command_line import complete
from shared.errors import EvsupError, RowsDoNotFit, SnowflakeUnavailable
from shared.fixes import REACH_SNOWFLAKE
from shared.ipc.failure import error_of
from shared.ipc.messages import Failed, TableColumns, TableFits, TableReport
from shared.log.logger import get_logger
from shared.snowflake.column_loss import loss
from supervisor.process.child import Child
from supervisor.process.table_watch import probe
from supervisor.process.table_watch.probe_process import ProbeProcess, StartProbe
from supervisor.process.table_watch.unchecked import UncheckedEvents, with_ranges
from supervisor.target.target_check import with_opt_out

CHECK_EVERY_S = 30.0  # so that a change is noticed within a minute, the check itself included
CHECK_S = 50.0  # for an answer: a boot, a login (20 s) and three statements

log = get_logger()


@dataclass(frozen=True, slots=True)
class Asked:
    """A check is under way, and has to be answered by then."""

    answer_by: Deadline


@dataclass(frozen=True, slots=True)
class Resting:
    """No check is under way. The next one is due then."""

    due: Deadline


Phase: TypeAlias = Asked | Resting


class TableMonitor:
    """Has the table checked, and keeps the result.

    `ask` and `first_result` are for a start, `turn` for each turn of the loop, `last_turn` for the end of a drain. Only
    `first_result` and `last_turn` block.
    """

    def __init__(self, clock: Clock = monotonic, start: StartProbe = probe.start, *, can_opt_out: bool = True) -> None:
        self._clock, self._can_opt_out = clock, can_opt_out
        self._probe, self._unchecked = ProbeProcess(start), UncheckedEvents()
        self._phase: Phase = Resting(Deadline(clock()))
        self._newly_checked: dict[str, int] = {}
        self.columns: TableColumns | None = None
        """Those that rows fill, as the last check found them."""
        self.unseen: str | None = None
        """Why the last check could not be made; None when it could."""

    def fds(self) -> list[int]:
        """File descriptors that wake a turn."""
        return self._probe.fds()

    def ask(self) -> None:
        """Request a check. Only from the main thread: the kernel ends the probe with the thread that started it.

        Raises as `probe.start`.
        """
        # Before the request leaves: see `begin_check`.
        self._unchecked.begin_check()
        self._probe.ask()
        self._phase = Asked(Deadline.after(CHECK_S, self._clock()))

    def first_result(self) -> tuple[str, ...]:
        """Wait for the result of the first check: doubts about a table that takes rows, a sentence each.

        Raises what ends a start: RowsDoNotFit, or why the check could not be made.
        """
        try:
            report = self._first_report()
        except EvsupError as error:
            raise (with_opt_out(error) if self._can_opt_out else error) from None
        self.columns = report.columns
        return report.doubts

    def _first_report(self) -> TableFits:
        """That of the first check. Raises why there is none, as `_wait_for_report` does not: a start ends with that."""
        assert isinstance(self._phase, Asked), "a check was requested"  # noqa: S101 (of the start, not an input)
        answer_by = self._phase.answer_by
        while (report := self._probe.receive()) is None:
            connection.wait(self.fds(), answer_by.remaining_s(self._clock()))
            if answer_by.passed(self._clock()):
                self.close()
                raise _no_answer()
        self._rest()
        if isinstance(report, Failed):
            raise error_of(report)
        return report

    def follow(self, children: Mapping[str, Child]) -> None:
        """Note how far each partition is."""
        self._unchecked.follow(children)

    def turn(self, children: Mapping[str, Child], now_s: float) -> None:
        """One turn of the loop: read a result and report it to the workers, request the next check when it is due.

        Raises RowsDoNotFit.
        """
        known = self.columns
        self._judge(self._receive())
        match self._phase:
            case Asked(answer_by) if answer_by.passed(now_s):
                self.close()
                self._note(_no_answer())
            # In each turn, due or not: a process that was killed stays a zombie until it is asked after.
            case Resting(due) if self._probe.killed_has_exited() and due.passed(now_s):
                self._ask_again()
        self._report_to(children, known)

    def _report_to(self, children: Mapping[str, Child], known: TableColumns | None) -> None:
        """Pass on what a check has found: up to which event each worker's rows lack nothing, and other columns."""
        for partition_id, up_to in self._take_checked().items():
            if child := children.get(partition_id):
                child.note_checked(up_to)
        if self.columns and self.columns != known:
            for child in children.values():
                child.learn(self.columns)

    def last_turn(self, deadline: Deadline) -> Collection[str]:
        """Check once more, now that every row is durable: nobody does so after us. Blocks until the deadline at most.

        Returns the partitions whose rows lack nothing, none without an answer. Raises RowsDoNotFit; a column that is
        lost is no error when every row was loaded before.
        """
        if isinstance(self._phase, Asked):  # before the last row was durable
            self._wait_for_report(deadline)
        if not self._probe.is_running or deadline.passed(self._clock()):
            return ()
        self.ask()
        try:
            self._judge(self._wait_for_report(deadline))
        except RowsDoNotFit:
            if self._unchecked.ranges():
                raise
        return self._take_checked()

    def located(self, error: RowsDoNotFit) -> RowsDoNotFit:
        """The error with the events whose rows may lack a value: those loaded since the last check that found none."""
        return with_ranges(error, self._unchecked.ranges())

    def close(self) -> None:
        """Give the process up."""
        self._probe.close()
        self._rest()

    # --- one check ----------------------------------------------------------------------------------------------------

    def _judge(self, report: TableReport | None) -> None:
        """Raises RowsDoNotFit. Any other failure means that nobody knows, and ends nothing: rows need no SQL."""
        match report:
            case Failed():
                error = error_of(report)
                if isinstance(error, RowsDoNotFit):
                    raise error
                self._note(error)
            case TableFits(columns=columns):
                if self.columns and (lost := loss(self.columns, columns)):
                    raise lost
                self.columns = columns
                self._note(None)
                self._newly_checked = self._unchecked.pass_check()

    def _take_checked(self) -> dict[str, int]:
        """By partition, up to which event no value was dropped, as a check since the last call has found."""
        found, self._newly_checked = self._newly_checked, {}
        return found

    def _wait_for_report(self, deadline: Deadline) -> TableReport | None:
        """The next report; None: none came in time, or the process has exited."""
        while self._probe.is_running and not deadline.passed(self._clock()):
            connection.wait(self.fds(), deadline.remaining_s(self._clock()))
            if report := self._receive():
                return report
        return None

    def _ask_again(self) -> None:
        """Request the next check. On a host at its limits it is made later, and events are loaded meanwhile."""
        try:
            self.ask()
        except EvsupError as error:
            self._rest()
            self._note(error)

    def _receive(self) -> TableReport | None:
        """The result, if one has arrived."""
        try:
            report = self._probe.receive()
        except EvsupError as error:  # the process was given up
            self._rest()
            self._note(error)
            return None
        if report:
            self._rest()
        return report

    def _rest(self) -> None:
        # Jittered, so that the supervisors of a group do not ask Snowflake all at once.
        self._phase = Resting(Deadline.after(jittered(CHECK_EVERY_S), self._clock()))

    def _note(self, error: EvsupError | None) -> None:
        """Log once that and why the table cannot be checked, and once that it can be again."""
        unseen = complete(str(error)) if error else None
        if unseen and unseen != self.unseen:
            log.warning("table_not_seen", reason=unseen, consequence="a column that is dropped is not noticed now")
        elif self.unseen and not unseen:
            log.info("table_seen_again")
        self.unseen = unseen


def _no_answer() -> SnowflakeUnavailable:
    return SnowflakeUnavailable(
        "Snowflake does not say which columns the target table has",
        f"no answer for {CHECK_S:.0f} s",
        REACH_SNOWFLAKE,
    )

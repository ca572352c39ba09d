"""What a supervisor knows of the target table: that rows fit it, or why nobody can see, and what to read again.

A column that is dropped under a running tree takes the values of the events that are loaded from then on with it, and
Snowflake says nothing. So the table is looked at all the time, by a process of its own (`table_probe`), and the
tree stops at the first look that finds it changed. A look that fails stops nothing: the events move without SQL.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import connection
from typing import TYPE_CHECKING

from shared import limits
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
from shared.ipc import spawn
from shared.ipc.failure import error_of
from shared.ipc.messages import CheckTable, Failed, TableFits, TableReport
from shared.ipc.pipe import MessagePipe
from shared.log.logger import get_logger
from shared.model import Term
from supervisor.process import table_probe
from supervisor.process.child import Child
from supervisor.process.signals import HANDLED
from supervisor.target.target_check import with_opt_out

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

LOOK_EVERY_S = 30.0  # so that a change is noticed within a minute, the look itself included
LOOK_S = 50.0  # for an answer: a boot, a login (20 s) and three statements
NAMED = 3  # ranges of events that a message names; the log has all

log = get_logger()


@dataclass(slots=True)
class _Reach:
    """Of one term: the last event that was committed before a look that was well, and the last one appended."""

    term: Term
    sound: int
    durable: int
    appended: int


class TableMonitor:
    """Asks, and keeps what was answered. `first` blocks; every other method returns at once and raises nothing."""

    def __init__(self, clock: Clock = monotonic) -> None:
        self._clock = clock
        self._process: BaseProcess | None = None
        self._killed: BaseProcess | None = None
        self._pipe: MessagePipe[TableReport] | None = None
        self._answer_by: Deadline | None = None
        self._due = Deadline(clock())
        self._reached: dict[str, _Reach] = {}
        self._ended: list[tuple[str, _Reach]] = []
        """Of earlier terms that appended events since the last look that was well."""
        self._asked_at: Sequence[tuple[_Reach, int]] = ()
        self.unseen: str | None = None
        """Why the last look failed; None when it did not."""

    def ask(self) -> None:
        """Have the table looked at. Only from the main thread: the process dies with the thread that started it."""
        pipe = self._pipe or self._start()
        self._answer_by = Deadline.after(LOOK_S, self._clock())
        self._asked_at = [(reach, reach.durable) for _, reach in self._reaches()]
        pipe.send(CheckTable(), topic="look")

    def first(self) -> tuple[str, ...]:
        """Wait for the answer to `ask`: the doubts about a table that takes rows. Raises what a start ends with."""
        while (sight := self._taken()) is None:
            if self._answer_by is None:
                raise with_opt_out(WorkerCrashed("The process that looks at the target table ended without an answer"))
            connection.wait(self.sources, self._answer_by.remaining_s(self._clock()))
            if self._answer_by.passed(self._clock()):
                self.close()
                raise with_opt_out(_silent())
        if isinstance(sight, Failed):
            raise with_opt_out(error_of(sight))
        return sight.doubts

    @property
    def sources(self) -> list[int]:
        """What to wait for."""
        return [] if self._pipe is None else [self._pipe.fileno()]

    def follow(self, children: Mapping[str, Child]) -> None:
        """Take note of how far each partition is."""
        for partition, child in children.items():
            if (reach := _reach(child)) is not None:
                known = self._reached.get(partition)
                if known is None or known.term is not reach.term:
                    self._begin(partition, reach)
                else:
                    known.durable = max(known.durable, reach.durable)
                    known.appended = max(known.appended, reach.appended)

    def _begin(self, partition: str, reach: _Reach) -> None:
        """A term may begin lower than the last one: `evsup checkpoints` sends a partition back, perhaps its epochs too.

        What the last term appended is committed or lost for good once the next one has opened the channel, so a good
        look that is asked for from now on settles it.
        """
        if (before := self._reached.get(partition)) and before.appended > before.sound:
            before.durable = before.appended
            self._ended.append((partition, before))
        self._reached[partition] = reach

    def _reaches(self) -> list[tuple[str, _Reach]]:
        return [*self._ended, *self._reached.items()]

    def _settle(self) -> None:
        """A look was well: what was committed when it was asked for lacks nothing."""
        for reach, durable in self._asked_at:
            reach.sound = max(reach.sound, durable)
        self._ended = [(name, reach) for name, reach in self._ended if reach.appended > reach.sound]

    def turn(self, now_s: float) -> RowsDoNotFit | None:
        """Take an answer, ask when it is time; the error when rows do not fit any more."""
        sight = self._taken()
        if isinstance(sight, Failed):
            error = error_of(sight)
            if isinstance(error, RowsDoNotFit):
                return error
            self._note(error)
        elif isinstance(sight, TableFits):
            self._note(None)
            self._settle()
        elif self._answer_by and self._answer_by.passed(now_s):
            self.close()
            self._note(_silent())
        if self._killed_is_gone() and self._answer_by is None and self._due.passed(now_s):
            self._ask_again()
        return None

    def located(self, error: RowsDoNotFit) -> RowsDoNotFit:
        """The error with the events that may lack something: those committed since the last look that was well."""
        ranges = [(name, one.sound + 1, one.appended) for name, one in self._reaches() if one.appended > one.sound]
        log.error("rows_do_not_fit", reason=error.why, fix=error.fix, ranges=ranges)
        if not ranges:
            return RowsDoNotFit(error.what, f"{error.why}; no event was loaded since it was right", error.fix)
        since = "; ".join(f"events {first} to {last} of partition {name}" for name, first, last in _few(ranges))
        again = ", ".join(f"`evsup replay --partition {name} --from {a} --to {b}`" for name, a, b in _few(ranges))
        more = f", and more ranges ({len(ranges)} in all; the log has them)" if len(ranges) > NAMED else ""
        return RowsDoNotFit(
            error.what,
            f"{error.why}; rows loaded since the last look may lack it: {since}{more}",
            f"{error.fix} Then {again}{more}: docs/target-table.md#rows-that-lack-a-column says how to go on.",
        )

    def close(self) -> None:
        """Kill the process. Whether it has gone is looked at later: in kernel state D it may take minutes."""
        process, self._process, pipe, self._pipe = self._process, None, self._pipe, None
        self._answer_by, self._due = None, Deadline.after(jittered(LOOK_EVERY_S), self._clock())
        if process:
            process.kill()
            self._killed = process
        if pipe is not None:
            pipe.close()

    def _killed_is_gone(self) -> bool:
        """Until it is, there is no other one: a disk that is stuck would keep them all."""
        if self._killed and not self._killed.is_alive():  # which also reaps it
            self._killed = None
        return self._killed is None

    def _ask_again(self) -> None:
        """A host at its limits looks later: the events move."""
        try:
            self.ask()
        except EvsupError as error:
            self._due = Deadline.after(jittered(LOOK_EVERY_S), self._clock())
            self._note(error)

    def _start(self) -> "MessagePipe[TableReport]":
        """Start the process. Raises what `shared.limits` makes of a kernel that does not give what it takes."""
        try:
            self._process, ours = spawn.start(
                table_probe.run, os.getpid(), name="evsup-table-watch", held_back=HANDLED, daemon=True
            )
        except OSError as error:
            raise limits.reached_by_start(error, "No process can be started to look at the target table") from None
        self._pipe = MessagePipe(ours, TableReport)
        return self._pipe

    def _taken(self) -> TableReport | None:
        """The answer, if one has come. A process that has ended, or that cannot be understood, is let go."""
        pipe = self._pipe
        if pipe is None:
            return None
        pipe.flush()
        try:
            answers = pipe.receive()
        except ProtocolError as error:
            answers = []
            self._note(error)
            self.close()
        if answers:
            self._answer_by, self._due = None, Deadline.after(jittered(LOOK_EVERY_S), self._clock())
            return answers[-1]
        if pipe.ended and self._pipe is pipe:
            self.close()
            self._note(WorkerCrashed("The process that looks at the target table has ended"))
        return None

    def _note(self, error: EvsupError | None) -> None:
        """Say once what cannot be seen and why, and once that it can be again."""
        unseen = complete(str(error)) if error else None
        if unseen and unseen != self.unseen:
            log.warning("table_not_seen", reason=unseen, consequence="a column that is dropped is not noticed now")
        elif self.unseen and not unseen:
            log.info("table_seen_again")
        self.unseen = unseen


def _reach(child: Child) -> _Reach | None:
    """How far a worker is; None before it has begun anywhere."""
    counters, opened = child.status.counters, child.opened
    if opened is None or counters.appended is None:
        return None
    begun = counters.appended - counters.rows_total if opened.resumed_after is None else opened.resumed_after
    drained = child.drained.checkpointed if child.drained else None
    last = max(counters.appended, -1 if drained is None else drained)
    return _Reach(child.term, begun, begun if counters.durable is None else counters.durable, last)


def _few(ranges: Sequence[tuple[str, int, int]]) -> Sequence[tuple[str, int, int]]:
    return sorted(ranges, key=lambda one: (len(one[0]), one))[:NAMED]


def _silent() -> SnowflakeUnavailable:
    return SnowflakeUnavailable(
        "Snowflake does not say which columns the target table has",
        f"no answer for {LOOK_S:.0f} s",
        REACH_SNOWFLAKE,
    )

"""A worker between its supervisor's end of a real pipe and stand-ins of its vendors, on a clock that a test moves."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from multiprocessing import Pipe, connection
from typing import Any, cast

import pytest

from shared.clock import Clock, Deadline
from shared.ipc.messages import Command, Drain, Drained, Lease, Opened, Report, Status
from shared.ipc.pipe import MessagePipe
from shared.ipc.wakeup import Wakeup
from shared.model import Checkpoint, Term
from shared.resume import Resume
from tests.unit.plain_settings import plain, snowflake
from tests.unit.readable import readable
from tests.unit.shared.control import stores
from tests.unit.worker.pipeline import rig
from tests.unit.worker.source.events import events
from worker import loop
from worker.loop import REPORT_S, Worker
from worker.opening import Opening
from worker.sink.channel_status import Progress
from worker.sink.rejection import Rejection
from worker.source.batch_queue import Batch

TERM = Term("3", "me", 2)
OPENING = Opening(Resume(4, "a test"), Progress(4, 0), Checkpoint("3", 4, None, 2))
TRUST_S = 1000.0


class StandInSource(rig.StandInSource):
    """A source that is readable while it has something to give."""

    def __init__(self) -> None:
        super().__init__()
        self.started = False
        self.joined: Deadline | None = None
        self._wakeup = Wakeup()

    def fileno(self) -> int:
        return self._wakeup.fileno()

    def start(self) -> None:
        self.started = True

    def join(self, deadline: Deadline) -> None:
        self.joined = deadline

    def deliver(self, *numbers: int, last: int | None = None) -> None:
        """A batch of these events."""
        self.batches.append(Batch([rig.row_of(event) for event in events(*numbers)], last))
        self._wakeup.set()


class StandInChannel(rig.StandInChannel):
    """A channel with a name."""

    name = "evsup_flights_default_3"


class StandInStore(rig.StandInStore):
    """A store of one consumer group."""

    group = stores.GROUP


class WorkerRig:
    """Partition 3 under epoch 2; opens, when told to, after event 4."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        *,
        trust_s: float = TRUST_S,
        clock: Clock | None = None,
        on_reject: str = "fail",
    ) -> None:
        self.clock = stores.Clock()
        self.began_s = (clock or self.clock)()
        self.source, self.channel, self.store = StandInSource(), StandInChannel(OPENING.progress), StandInStore()
        self.source_made_with: tuple[Any, ...] = ()
        self.titles: list[str] = []
        self.waits_s: list[float] = []
        self.reports: list[Report] = []
        ours, theirs = Pipe(duplex=True)
        self.supervisor: MessagePipe[Report] = MessagePipe(ours, Report)
        self.worker = Worker(
            plain(snowflake(on_reject=on_reject)),
            TERM,
            Lease(trusted_until_s=self.began_s + trust_s),
            MessagePipe(theirs, Command),
            cast("Any", self.channel),
            cast("Any", self.store),
            clock or self.clock,
        )
        monkeypatch.setattr(loop, "Source", self._make_source)
        monkeypatch.setattr(loop, "setproctitle", self.titles.append)
        self._note_waits(monkeypatch)

    def open(self, call: Callable[[], Opening | Rejection] = lambda: OPENING) -> None:
        """Let the call that opens the partition end, and take its result."""
        self.worker._opening.submit(call)
        assert readable(self.worker._opening)
        self.step()

    def begin(self) -> "WorkerRig":
        """Open, and look no further at what that said."""
        self.open()
        self.reports.clear()
        return self

    def step(self, after_s: float = REPORT_S) -> bool:
        """One turn, `after_s` later; what it began on other threads ends before the next."""
        self.clock.move(after_s)
        drained = self.worker.step()
        self._settle()
        self.reports += self.supervisor.receive()
        return drained

    def steps(self, count: int = 4) -> bool:
        """Turns until drained, so many at most: enough for a commit to become a checkpoint."""
        return any(self.step() for _ in range(count))

    def turn_for(self, seconds: float) -> None:
        """Turns of a second each: in one long turn the loop, and what it waits for, would have stood still."""
        for _ in range(int(seconds)):
            assert not self.step()

    def tell(self, command: Command) -> None:
        """From the supervisor."""
        self.supervisor.send(command)

    def tell_drain(self, timeout_s: float = 30.0) -> None:
        """From the supervisor: drain within so many seconds."""
        self.tell(Drain(deadline_s=self.clock() + timeout_s))

    def commit(self, token: int, errors: int = 0) -> None:
        """What Snowflake says from the next look at the status on."""
        self.channel.says = replace(self.channel.says, token=token, rows_error_count=errors)

    @property
    def statuses(self) -> list[Status]:
        """The heartbeats among the reports."""
        return [report for report in self.reports if isinstance(report, Status)]

    @property
    def words(self) -> list[Opened | Drained]:
        """What was said besides heartbeats."""
        return [report for report in self.reports if isinstance(report, Opened | Drained)]

    def _make_source(self, *arguments: Any) -> StandInSource:
        self.source_made_with = arguments
        return self.source

    def _settle(self) -> None:
        flow = self.worker._flow
        for background in (flow._poll, flow._save) if flow else ():
            assert not background.is_busy or readable(background)

    def _note_waits(self, monkeypatch: pytest.MonkeyPatch) -> None:
        wait = connection.wait

        def noted(sources: Iterable[int], timeout_s: float) -> list[Any]:
            self.waits_s.append(timeout_s)
            return list(wait(sources, timeout_s))

        monkeypatch.setattr(connection, "wait", noted)

"""A worker between its supervisor's end of a real pipe and a stand-in partition, on a clock that a test moves."""

from collections.abc import Callable, Iterable
from multiprocessing import Pipe, connection
from typing import Any, TypeAlias

import pytest
from msgspec.structs import replace

from shared.clock import Clock
from shared.config.settings import Settings
from shared.ipc.messages import (
    ChannelStatus,
    Command,
    Counters,
    Drain,
    Drained,
    Lease,
    Opened,
    Report,
    Status,
    TableColumns,
)
from shared.ipc.pipe import MessagePipe
from shared.ipc.wakeup import Wakeup
from shared.model import Checkpoint, Term
from shared.resume import Resume
from tests.unit.plain_settings import plain, snowflake
from tests.unit.shared.control import stores
from tests.unit.worker.calls import Calls
from tests.unit.worker.pipeline import rig
from worker import loop
from worker.loop import REPORT_S, Worker
from worker.opening import StartingPoint
from worker.pipeline.pipeline import Pipeline
from worker.pipeline.ports import Ports
from worker.sink.rejection import Rejection

TERM = Term("3", "me", 2)
START = StartingPoint(Resume(4, "a test"), ChannelStatus(4, 0), Checkpoint("3", 4, None, 2))
TRUST_S = 1000.0

Found = Callable[[], StartingPoint | Rejection]


class StandInSource(rig.StandInSource):
    """A source that is readable while it has something to give."""

    def __init__(self) -> None:
        super().__init__()
        self._wakeup = Wakeup()

    def fileno(self) -> int:
        return self._wakeup.fileno()

    def deliver(self, *numbers: int, last: int | None = None) -> None:
        """A batch of these events."""
        super().deliver(*numbers, last=last)
        self._wakeup.set()


class StandInPartition:
    """A partition between stand-ins. What opening it finds, and what quarantining does, is for a test to say."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.term = settings, TERM
        self.hub_name, self.asks_from_s = "flights", 0.0
        self.channel, self.store = rig.StandInChannel(START.status), rig.StandInStore()
        self.channel_name, self.failed_request = self.channel.name, ""
        self.sources = [StandInSource()]
        """One for each pipeline, the newest last; those that are to come may be prepared."""
        self.next_source: Callable[[], StandInSource] = StandInSource
        self.found: list[Found] = []
        """One for each time it is opened; after them, as a start after event 4."""
        self.written: list[int | None] = []
        """What was known each time it was opened."""
        self.quarantined: list[Rejection] = []
        self.quarantine_failure: Exception | None = None
        self.starts: list[StartingPoint] = []
        self.learned: list[TableColumns] = []
        self.unknown_keys_total = 0

    def counted(self, counters: Counters) -> Counters:
        return replace(counters, unknown_keys_total=self.unknown_keys_total)

    def learn(self, columns: TableColumns) -> str | None:
        self.learned.append(columns)
        return f"for {', '.join(columns.names)}"

    def open(self, written: int | None) -> StartingPoint | Rejection:
        self.written.append(written)
        return self.found.pop(0)() if self.found else START

    def quarantine(self, rejection: Rejection) -> int:
        if self.quarantine_failure:
            raise self.quarantine_failure
        self.quarantined.append(rejection)
        return rejection.rows

    def pipeline(self, start: StartingPoint, totals: Counters) -> Pipeline:
        if self.starts:
            self.sources.append(self.next_source())
        self.starts.append(start)
        return Pipeline(self.settings, start, Ports(self.sources[-1], self.channel, self.store.save_checkpoint), totals)


class WorkerRig:
    """The worker of partition 3 under epoch 2. It does not open before a test lets it; then it starts after event 4."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        calls: Calls,
        *,
        trust_s: float = TRUST_S,
        clock: Clock | None = None,
        on_reject: str = "fail",
    ) -> None:
        self.clock, self.calls = stores.Clock(), calls
        self.began_s = (clock or self.clock)()
        self.partition = StandInPartition(plain(snowflake(on_reject=on_reject)))
        self.channel, self.store = self.partition.channel, self.partition.store
        self.commit = self.channel.commit
        self.titles: list[str] = []
        self.waits_s: list[float] = []
        self.reports: list[Report] = []
        ours, theirs = Pipe(duplex=True)
        self.supervisor: MessagePipe[Report] = MessagePipe(ours, Report)
        lease = Lease(trusted_until_s=self.began_s + trust_s)
        self.worker = Worker(self.partition, lease, MessagePipe(theirs, Command), clock or self.clock)
        calls.hold("opening")
        monkeypatch.setattr(loop, "setproctitle", self.titles.append)
        self._note_waits(monkeypatch)

    @property
    def source(self) -> StandInSource:
        """The newest."""
        return self.partition.sources[-1]

    def open(self, found: Found = lambda: START) -> None:
        """Begin to open, have that find something, and take it."""
        self.partition.found.append(found)
        self.step(0.0)
        self.calls.release("opening")
        self.step()

    def run(self) -> "WorkerRig":
        """Open, and forget the reports of that."""
        self.open()
        self.reports.clear()
        return self

    def step(self, after_s: float = REPORT_S) -> bool:
        """One turn, `after_s` later."""
        self.clock.move(after_s)
        drained = self.worker.step()
        self.reports += self.supervisor.receive()
        return drained

    def steps(self, count: int = 4) -> bool:
        """Turns until drained, so many at most: enough for a commit to become a checkpoint."""
        return any(self.step() for _ in range(count))

    def turn_for(self, seconds: float) -> None:
        """Turns of a second each: in one long turn the loop, and what it waits for, would have stood still."""
        for _ in range(int(seconds)):
            assert not self.step()

    def send(self, command: Command) -> None:
        """From the supervisor."""
        self.supervisor.send(command)

    def send_drain(self, timeout_s: float = 30.0) -> None:
        """From the supervisor: drain within so many seconds."""
        self.send(Drain(deadline_s=self.clock() + timeout_s))

    @property
    def statuses(self) -> list[Status]:
        """The heartbeats among the reports."""
        return [report for report in self.reports if isinstance(report, Status)]

    @property
    def milestones(self) -> list[Opened | Drained]:
        """The reports that are sent once."""
        return [report for report in self.reports if isinstance(report, Opened | Drained)]

    def _note_waits(self, monkeypatch: pytest.MonkeyPatch) -> None:
        wait = connection.wait

        def noted(sources: Iterable[int], timeout_s: float) -> list[Any]:
            self.waits_s.append(timeout_s)
            return list(wait(sources, timeout_s))

        monkeypatch.setattr(connection, "wait", noted)


Make: TypeAlias = Callable[..., WorkerRig]
"""What makes a worker, with the options of `WorkerRig`."""

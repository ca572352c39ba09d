"""A tree between stand-ins of its signals, its leases, its workers and its table, on a clock that a test moves."""

import json
import os
from collections import deque
from collections.abc import Mapping, Sequence
from multiprocessing import Pipe
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from shared.clock import Deadline
from shared.errors import EvsupError, RowsDoNotFit, SourceUnavailable, WorkerCrashed
from shared.ipc.messages import Drained, TableColumns
from shared.ipc.wakeup import Wakeup
from shared.model import HubFacts, Term
from supervisor.ownership.balance import Assignment
from supervisor.ownership.lease_events import Balanced, Claimed, LeaseEvent
from supervisor.ownership.lease_keeper import LeaseKeeper
from supervisor.ownership.leases import Leases
from supervisor.ownership.partition_discovery import PartitionDiscovery
from supervisor.process import tree
from supervisor.process.child import Child
from supervisor.process.signals import SignalInbox
from supervisor.process.stderr_relay import StderrRelay
from supervisor.process.table_watch.monitor import TableMonitor
from supervisor.process.tree import Tree
from supervisor.status.model import PartitionStatus, TreeStatus
from tests.unit.shared.control import stores
from tests.unit.supervisor.status.statuses import a_partition

DRAIN_S, HAND_OVER_S, TRUST_S = 30.0, 120.0, 60.0
NO_PID = 2**22 + 1  # more than the kernel gives (https://man7.org/linux/man-pages/man5/proc_sys_kernel.5.html, pid_max)
IDENTITY = TreeStatus(
    host="host",
    pid=1,
    owner_id="me",
    evsup="0",
    source="ns.servicebus.windows.net/flights",
    consumer_group="$Default",
    target="account/DB.S.T",
    store="sqlite",
    partitions_total=2,
)


class StandInSignals(SignalInbox):
    """Signals that a test sends. Always readable, so that no turn waits for a second to pass."""

    def __init__(self) -> None:
        self._wakeup = Wakeup()
        self._wakeup.set()
        self.sent: list[int] = []

    def fileno(self) -> int:
        return self._wakeup.fileno()

    def receive(self) -> list[int]:
        sent, self.sent = self.sent, []
        return sent


class StandInLeases(Leases):
    """Rounds in a control store that went as a test says."""

    def __init__(self) -> None:
        self.failures, self.round_s, self.lost_members, self.trouble = 3, 0.25, 1, None


class StandInKeeper(LeaseKeeper):
    """Leases as a test says; notes what is given back."""

    def __init__(self) -> None:
        self.leases = StandInLeases()
        self._wakeup = Wakeup()
        self.events: deque[LeaseEvent] = deque()
        self.released: list[Term] = []
        self.forgotten: list[Term] = []
        self.settled: list[Term] = []
        self.is_claiming = True

    def start(self) -> None: ...

    def close(self, deadline: Deadline) -> None: ...

    def fileno(self) -> int:
        return self._wakeup.fileno()

    def receive(self) -> list[LeaseEvent]:
        return [self.events.popleft() for _ in range(len(self.events))]

    def stop_claiming(self) -> None:
        self.is_claiming = False

    def release(self, term: Term) -> None:
        self.released.append(term)

    def forget(self, term: Term) -> None:
        self.forgotten.append(term)

    def settle(self, terms: Sequence[Term]) -> None:
        self.settled += terms


class StandInChild(Child):
    """A worker that ends when a test says so; `asked` is everything that the tree asked of it."""

    def __init__(self, term: Term, trusted_until_s: float) -> None:
        self.term, self.trusted_until_s = term, trusted_until_s
        self.pid = 1000 + int(term.partition_id)
        self.asked: list[str] = []
        self.columns: TableColumns | None = None
        self.state = "running"
        self.failure: EvsupError | None = None
        self.drained: Drained | None = None
        self.drain_deadline: Deadline | None = None
        self.stderr = StderrRelay(Pipe(duplex=False)[0], "partition 0")
        self.exits = False

    def fds(self) -> list[int]:
        return []

    @property
    def has_exited(self) -> bool:
        return self.exits

    def renew(self, trusted_until_s: float) -> None:
        self.trusted_until_s = trusted_until_s

    def learn(self, columns: TableColumns) -> None:
        self.asked.append(f"columns {', '.join(columns.names)}")

    def note_checked(self, up_to: int) -> None:
        self.asked.append(f"checked up to {up_to}")

    def drain(self, deadline: Deadline) -> None:
        self.drain_deadline, self.state = deadline, "draining"
        self.asked.append("drain")

    def abort(self, reason: str, *, is_asked_for: bool = False) -> None:
        self.asked.append(f"abort: {reason}")

    def kill(self) -> None:
        self.asked.append("kill")

    def show_stacks(self) -> None:
        self.asked.append("show stacks")

    def receive(self, now_s: float) -> None: ...

    def check_hung(self, now_s: float) -> None: ...

    def reap(self, now_s: float) -> None:
        assert self.exits

    def describe(self, now_s: float) -> PartitionStatus:
        return a_partition(self.term.partition_id, state=self.state)

    def end(self, failure: EvsupError | None = None) -> None:
        """Drained, or with this failure."""
        self.exits, self.failure = True, failure
        self.drained = None if failure else Drained(checkpointed=4, took_s=1.5)

    def crash(self, what: str = "The worker crashed") -> None:
        """End with a failure."""
        self.end(WorkerCrashed(what))


class StandInProcess(BaseProcess):
    """A process that never runs: it ends when a test says so, or when it is killed."""

    def __init__(self) -> None:
        self.code: int | None = None
        self.kills = 0
        self.is_stuck = False
        """In the kernel, where a kill does not reach it."""
        self.reader, self._writer = os.pipe()

    @property
    def pid(self) -> int:
        return NO_PID

    @property
    def exitcode(self) -> int | None:
        return self.code

    @property
    def sentinel(self) -> int:
        return self.reader

    def is_alive(self) -> bool:
        return self.code is None

    def kill(self) -> None:
        self.kills += 1
        self.code = None if self.is_stuck else -9

    def join(self, timeout: float | None = None) -> None:
        assert self.code is not None

    def close(self) -> None:
        os.close(self.reader)
        os.close(self._writer)


class StandInTable(TableMonitor):
    """A check of the target table that finds what a test says."""

    def __init__(self) -> None:
        self.found: RowsDoNotFit | None = None
        self.unseen: str | None = None
        self.columns: TableColumns | None = None
        self.checked_last: tuple[str, ...] = ()
        self.found_last: RowsDoNotFit | None = None
        self.turns = self.last_turns = 0
        self.followed: set[str] = set()

    def fds(self) -> list[int]:
        return []

    def follow(self, children: Mapping[str, Child]) -> None:
        self.followed |= set(children)

    def turn(self, children: Mapping[str, Child], now_s: float) -> None:
        self.turns += 1
        if self.found:
            raise self.found

    def last_turn(self, deadline: Deadline) -> tuple[str, ...]:
        self.last_turns += 1
        if self.found_last:
            raise self.found_last
        return self.checked_last

    def located(self, error: RowsDoNotFit) -> RowsDoNotFit:
        return RowsDoNotFit(error.what, f"in {', '.join(sorted(self.followed))}")


class TreeRig:
    """A tree of no worker yet. `refusal` is raised in place of the next start of a worker."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, directory: Path) -> None:
        self.clock, self.signals, self.keeper = stores.Clock(), StandInSignals(), StandInKeeper()
        self.table = StandInTable()
        self.children: dict[str, StandInChild] = {}
        self.refusal: EvsupError | None = None
        self.hub = PartitionDiscovery(self._ask, HubFacts(("0", "1"), 0.0), 10.0, lambda _: None, clock=self.clock)
        self.hub_has: tuple[str, ...] = ()
        """What the hub answers; nothing: it does not."""
        self._directory = directory
        monkeypatch.setattr(tree, "setproctitle", lambda _: None)
        self.tree = Tree(
            IDENTITY,
            self.signals,
            self.keeper,
            self.hub,
            directory,
            DRAIN_S,
            HAND_OVER_S,
            self.clock,
            self.table,
            self._make_child,
        )

    def step(self, *events: LeaseEvent, signals: tuple[int, ...] = (), after_s: float = 0.0) -> bool:
        """One turn, `after_s` later, in which these leases and signals are found."""
        self.clock.move(after_s)
        self.keeper.events += events
        self.signals.sent += signals
        return self.tree.step()

    def claim(self, *partitions: str) -> "TreeRig":
        """These partitions are ours, and their workers run."""
        self.step(*(self.claimed(partition) for partition in partitions))
        return self

    def claimed(self, partition: str) -> Claimed:
        """The event of a claim."""
        return Claimed(term_of(partition), self.clock() + TRUST_S)

    def balance(self, **decided: Any) -> bool:
        """A turn after a balancing round that decided this."""
        return self.step(Balanced(Assignment(**decided)))

    def end(self, *partitions: str) -> bool:
        """A turn in which these workers are found drained."""
        for partition in partitions:
            self.children[partition].end()
        return self.step()

    @property
    def crash_reports(self) -> list[str]:
        """The partitions that have one."""
        reports = sorted(self._directory.glob("crash-*.json"))
        return [json.loads(path.read_text())["worker"]["partition"] for path in reports]

    def _ask(self) -> HubFacts:
        if not self.hub_has:
            raise SourceUnavailable("Event hub 'flights' cannot be read", "timed out")
        return HubFacts(self.hub_has, 0.0)

    def _make_child(self, term: Term, trusted_until_s: float, _: float, columns: TableColumns | None) -> StandInChild:
        if self.refusal:
            raise self.refusal
        child = self.children[term.partition_id] = StandInChild(term, trusted_until_s)
        child.columns = columns
        return child


def term_of(partition: str) -> Term:
    """Of this supervisor."""
    return Term(partition, "me", 2)

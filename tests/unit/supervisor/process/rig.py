"""A tree between stand-ins of its keeper and its workers, on a clock that a test moves."""

from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from shared.clock import Deadline
from shared.errors import EvsupError, RowsDoNotFit, SourceUnavailable, WorkerCrashed
from shared.ipc.messages import Drained
from shared.ipc.wakeup import Wakeup
from shared.model import HubFacts, Term
from supervisor.ownership.balance import Assignment
from supervisor.ownership.lease import Balanced, Claimed, LeaseEvent
from supervisor.ownership.partition_discovery import PartitionDiscovery
from supervisor.process import crash_report, tree
from supervisor.process.tree import Tree
from supervisor.status.model import PartitionStatus, TreeStatus
from tests.unit.shared.control import stores

DRAIN_S, HAND_OVER_S, TRUST_S = 30.0, 120.0, 60.0
TOLD = TreeStatus(
    host="host",
    pid=1,
    owner_id="me",
    version="0",
    source="ns.servicebus.windows.net/flights",
    consumer_group="$Default",
    target="account/DB.S.T",
    store="sqlite",
    partitions_total=2,
)


class Awake:
    """Always readable, so that no turn waits for a second to pass."""

    def __init__(self) -> None:
        self._wakeup = Wakeup()
        self._wakeup.set()

    def fileno(self) -> int:
        return self._wakeup.fileno()


class StandInSignals(Awake):
    """Signals that a test sends."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[int] = []

    def receive(self) -> list[int]:
        sent, self.sent = self.sent, []
        return sent


class StandInKeeper(Awake):
    """Leases as a test tells them; notes what is given back."""

    def __init__(self) -> None:
        super().__init__()
        self.events: deque[LeaseEvent] = deque()
        self.released: list[Term] = []
        self.is_claiming = True

    def receive(self) -> list[LeaseEvent]:
        return [self.events.popleft() for _ in range(len(self.events))]

    def stop_claiming(self) -> None:
        self.is_claiming = False

    def release(self, term: Term) -> None:
        self.released.append(term)


class StandInChild:
    """A worker that ends when a test says so; `told` is everything that the tree asked of it."""

    def __init__(self, term: Term, trusted_until_s: float, now_s: float) -> None:
        self.term, self.trusted_until_s, self.started_s = term, trusted_until_s, now_s
        self.pid = 1000 + int(term.partition_id)
        self.told: list[str] = []
        self.sources: list[Any] = []
        self.state = "running"
        self.failure: EvsupError | None = None
        self.drained: Drained | None = None
        self.drain_deadline: Deadline | None = None
        self.is_gone = False

    def renew(self, trusted_until_s: float) -> None:
        self.trusted_until_s = trusted_until_s

    def drain(self, deadline: Deadline) -> None:
        self.drain_deadline, self.state = deadline, "draining"
        self.told.append("drain")

    def abort(self, reason: str) -> None:
        self.told.append(f"abort: {reason}")

    def kill(self) -> None:
        self.told.append("kill")

    def show_stacks(self) -> None:
        self.told.append("show stacks")

    def hear(self, now_s: float) -> None: ...

    def check_alive(self, now_s: float) -> None: ...

    def reap(self, now_s: float) -> None:
        assert self.is_gone

    def describe(self, now_s: float) -> PartitionStatus:
        return cast("PartitionStatus", _Row(self.term.partition_id, self.state))

    def end(self, failure: EvsupError | None = None) -> None:
        """Drained, or with this failure."""
        self.is_gone, self.failure = True, failure
        self.drained = None if failure else Drained(checkpointed=4)

    def crash(self, what: str = "The worker crashed") -> None:
        """End with a failure."""
        self.end(WorkerCrashed(what))


class StandInWatch:
    """A look at the target table that finds what a test says."""

    def __init__(self) -> None:
        self.sources: list[int] = []
        self.found: RowsDoNotFit | None = None
        self.unseen: str | None = None
        self.turns = 0
        self.followed: set[str] = set()

    def follow(self, children: Mapping[str, StandInChild]) -> None:
        self.followed |= set(children)

    def turn(self, now_s: float) -> RowsDoNotFit | None:
        self.turns += 1
        return self.found

    def located(self, error: RowsDoNotFit) -> RowsDoNotFit:
        return RowsDoNotFit(error.what, f"in {', '.join(sorted(self.followed))}")


class _Row(msgspec.Struct):
    """As much of a partition's status as the tree looks at."""

    partition: str
    state: str


class TreeRig:
    """A tree of no worker yet."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, directory: Path) -> None:
        self.clock, self.signals, self.keeper = stores.Clock(), StandInSignals(), StandInKeeper()
        self.watch = StandInWatch()
        self.children: dict[str, StandInChild] = {}
        self.reported: list[str] = []
        self.hub = PartitionDiscovery(self._ask, HubFacts(("0", "1"), 0.0), 10.0, lambda _: None, clock=self.clock)
        self.hub_has: tuple[str, ...] = ()
        """What the hub answers; nothing: it does not."""
        monkeypatch.setattr(tree, "Child", self._make_child)
        monkeypatch.setattr(tree, "setproctitle", lambda _: None)
        monkeypatch.setattr(crash_report, "write", self._note_crash)
        self.tree = Tree(
            TOLD,
            cast("Any", self.signals),
            cast("Any", self.keeper),
            self.hub,
            directory,
            DRAIN_S,
            HAND_OVER_S,
            self.clock,
            cast("Any", self.watch),
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

    def plan(self, **decided: Any) -> bool:
        """A turn after a look at the group."""
        return self.step(Balanced(Assignment(**decided)))

    def end(self, *partitions: str) -> bool:
        """A turn in which these workers are found drained."""
        for partition in partitions:
            self.children[partition].end()
        return self.step()

    @property
    def cause(self) -> EvsupError | None:
        """The first failure."""
        return self.tree._cause

    def _ask(self) -> HubFacts:
        if not self.hub_has:
            raise SourceUnavailable("Event hub 'flights' cannot be read", "timed out")
        return HubFacts(self.hub_has, 0.0)

    def _make_child(self, term: Term, trusted_until_s: float, now_s: float) -> StandInChild:
        child = self.children[term.partition_id] = StandInChild(term, trusted_until_s, now_s)
        return child

    def _note_crash(self, directory: Path, child: StandInChild, now_s: float) -> Path:
        self.reported.append(child.term.partition_id)
        return directory / "crash.json"


def term_of(partition: str) -> Term:
    """Of this supervisor."""
    return Term(partition, "me", 2)

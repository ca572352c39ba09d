"""The tree's decisions about leases, with stand-ins for its workers and their leases."""

import signal
from collections import deque
from multiprocessing import connection
from pathlib import Path
from typing import Any, cast

import pytest

from shared.clock import Deadline
from shared.store.types import Term
from supervisor import tree
from supervisor.lease import Claimed, LeaseEvent, Lost, Renewed
from supervisor.status import TreeStatus
from supervisor.tree import Tree
from tests.unit.stores import Clock


class StandInChild:
    """A worker that never ends by itself, and notes what it is told."""

    def __init__(self, term: Term, trusted_until_s: float, now_s: float) -> None:
        self.term, self.trusted_until_s = term, trusted_until_s
        self.pid, self.is_gone, self.failure = 1, False, None
        self.sources: list[int] = []
        self.told: list[str] = []

    def renew(self, trusted_until_s: float) -> None:
        self.trusted_until_s = trusted_until_s

    def abort(self, reason: str) -> None:
        self.told.append(f"abort: {reason}")

    def drain(self, deadline: Deadline) -> None:
        self.told.append("drain")

    def kill(self) -> None:
        self.told.append("kill")

    def hear(self, now_s: float) -> None: ...

    def check_alive(self, now_s: float) -> None: ...


class StandInKeeper:
    """Leases that a test gives and takes."""

    def __init__(self) -> None:
        self.events: deque[LeaseEvent] = deque()
        self.released: list[Term] = []

    def take(self) -> list[LeaseEvent]:
        return [self.events.popleft() for _ in range(len(self.events))]

    def release(self, term: Term) -> None:
        self.released.append(term)

    def stop_claiming(self) -> None: ...


class StandInSignals:
    """Signals that a test sends."""

    def __init__(self) -> None:
        self.sent: deque[int] = deque()

    def take(self) -> list[int]:
        return [self.sent.popleft() for _ in range(len(self.sent))]


class Rig:
    """A tree that is turned by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock, self.keeper, self.signals = Clock(), StandInKeeper(), StandInSignals()
        self.children: list[StandInChild] = []
        monkeypatch.setattr(tree, "Child", self._child)
        monkeypatch.setattr(tree, "setproctitle", lambda _: None)
        monkeypatch.setattr(connection, "wait", lambda *_: [])
        monkeypatch.setattr(Tree, "_described", lambda *_: None)
        keeper, signals, told = cast("Any", self.keeper), cast("Any", self.signals), cast("Any", _TOLD)
        self.tree = Tree(told, signals, keeper, Path(), 30.0, 30.0, self.clock)

    def step(self, *events: LeaseEvent) -> None:
        self.keeper.events.extend(events)
        self.tree.step()

    def _child(self, term: Term, trusted_until_s: float, now_s: float) -> StandInChild:
        self.children.append(StandInChild(term, trusted_until_s, now_s))
        return self.children[-1]


_TOLD = TreeStatus(
    host="h", pid=1, owner_id="a", version="0", source="ns/flights", consumer_group="g", target="t", store="sqlite",
    partitions_total=1,
)  # fmt: skip
OLD, NEW = Term("0", "a", 1), Term("0", "a", 3)


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Rig:
    made = Rig(monkeypatch)
    made.step(Claimed(OLD, 1100.0))
    return made


def test_a_term_won_while_the_worker_of_the_lost_one_lives_is_given_back(rig: Rig) -> None:
    rig.step(Lost(OLD), Claimed(NEW, 1200.0))
    (child,) = rig.children
    assert child.told == ["abort: the lease has another owner"]
    assert rig.keeper.released == [NEW]


def test_a_term_whose_lease_ran_out_before_it_was_heard_of_is_given_back(rig: Rig) -> None:
    late = Term("1", "a", 1)
    rig.step(Claimed(late, rig.clock()))
    assert rig.keeper.released == [late]
    assert len(rig.children) == 1


def test_the_lease_of_another_term_extends_no_workers_trust(rig: Rig) -> None:
    rig.step(Lost(OLD), Claimed(NEW, 1200.0), Renewed((NEW,), 1300.0))
    assert rig.children[0].trusted_until_s == 1100.0
    rig.step(Renewed((OLD,), 1300.0))
    assert rig.children[0].trusted_until_s == 1300.0


def test_the_loss_of_an_earlier_term_aborts_no_worker_of_the_present_one(rig: Rig) -> None:
    rig.step(Lost(Term("0", "a", 0)))
    assert rig.children[0].told == []


def test_a_term_won_while_the_tree_stops_is_given_back(rig: Rig) -> None:
    rig.signals.sent.append(signal.SIGTERM)
    rig.step()
    other = Term("1", "a", 1)
    rig.step(Claimed(other, 1200.0))
    assert rig.keeper.released == [other]
    assert len(rig.children) == 1

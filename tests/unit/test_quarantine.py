"""The errand that sets rejected rows aside, and the record behind it: in which order, and what stops it."""

from collections.abc import Sequence
from typing import Any, Self, cast

import pytest

from shared import config, log
from shared.azure import PartitionFacts
from shared.errors import ProtocolError, RowsRejected
from shared.landed import Landed
from shared.messages import Answer, Quarantined, Ready
from shared.quarantine import Lately, Rejected
from shared.store.types import Checkpoint
from tests.unit.plain_settings import plain
from worker import quarantine
from worker.progress import Progress
from worker.rejection import Rejection

PROGRESS = Progress(9, 2, last_error="too long")
REJECTION = Rejection(PROGRESS, 0, range(5, 10), "CHANNEL_3", Checkpoint("3", 9, None, 7, 2))


class World:
    """Stands for both tables and the hub; remembers what was done in which order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.did: list[str] = []
        self.facts = PartitionFacts(0, 20, is_empty=False, hub_created_at_s=1.0)
        self.in_hub = [6, 8]
        self.both = Landed(5, 5, 5, 9)
        monkeypatch.setattr(config, "load_worker", plain)
        monkeypatch.setattr(log, "configure", lambda *_, **__: None)
        monkeypatch.setattr(quarantine, "_tables", lambda _: self)
        monkeypatch.setattr(quarantine, "EventHubClient", lambda _: self)
        monkeypatch.setattr(quarantine, "reread", self._reread)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def partition(self, _: str) -> PartitionFacts:
        return self.facts

    def in_table(self, *_: object) -> Landed:
        return Landed(3, 3, 5, 9)

    def set_aside_lately(self, *_: object) -> Lately:
        return Lately(0, 0)

    def missing(self, *_: object) -> list[int]:
        return [6, 8]

    def set_aside(self, _: str, events: Sequence[Rejected], *, reason: str, channel: str, epoch: int) -> None:
        self.did.append(f"set aside {[event.sequence_number for event in events]}: {reason[:8]}, {channel}, {epoch}")

    def landed_range(self, *_: object) -> Landed:
        self.did.append("count")
        return self.both

    def _reread(self, *_: object) -> list[list[Rejected]]:
        fields: dict[str, Any] = {"offset": None, "enqueued_time": "", "body": None, "row_json": ""}
        return [[Rejected(sequence_number=number, **fields)] for number in self.in_hub]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def carry_out() -> Quarantined:
    return quarantine._quarantined(REJECTION)


def test_both_tables_are_counted_when_all_is_written(world: World) -> None:
    assert carry_out() == Quarantined(rows=2)
    assert world.did == ["set aside [6]: too long, CHANNEL_3, 7", "set aside [8]: too long, CHANNEL_3, 7", "count"]


@pytest.mark.parametrize(
    "facts",
    [PartitionFacts(7, 20, is_empty=False, hub_created_at_s=1.0), PartitionFacts(7, 6, True, 1.0)],
)
def test_nothing_is_written_when_one_of_them_has_left_the_hub(world: World, facts: PartitionFacts) -> None:
    world.facts = facts
    with pytest.raises(RowsRejected, match="the hub does not have events 6"):
        carry_out()
    assert not world.did


def test_an_event_that_the_hub_passes_over_is_named(world: World) -> None:
    world.in_hub = [6]
    with pytest.raises(RowsRejected, match="the hub does not have events 8 any more"):
        carry_out()


def test_tables_that_do_not_add_up_are_refused_after_all(world: World) -> None:
    world.both = Landed(6, 5, 5, 9)
    with pytest.raises(RowsRejected, match="6 rows of 5 events, and 5 were to be there, each once"):
        carry_out()


class Store:
    """Keeps what is recorded."""

    recorded: tuple[Any, ...] = ()

    def record_quarantine(self, *record: object) -> None:
        self.recorded = record


def recorded(monkeypatch: pytest.MonkeyPatch, answer: Answer | Exception) -> tuple[Any, ...]:
    def send(*_: object) -> Answer:
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(quarantine, "send", send)
    store = Store()
    try:
        assert quarantine.set_aside(REJECTION, cast("Any", store)) == 2
    finally:
        if isinstance(answer, Exception) or not isinstance(answer, Quarantined):
            assert not store.recorded
    return store.recorded


def test_the_checkpoint_moves_when_the_errand_says_that_it_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    record = recorded(monkeypatch, Quarantined(rows=2))
    assert record == (REJECTION.checkpoint, "worker of epoch 7", "quarantined 2 rows of events 5 to 9")


def test_the_checkpoint_stays_when_it_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RowsRejected):
        recorded(monkeypatch, REJECTION.error("no"))
    with pytest.raises(ProtocolError):
        recorded(monkeypatch, Ready())

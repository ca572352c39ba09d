"""Opening a partition: in what order the witnesses are heard, and what the next checkpoint is made from."""

from typing import Any, Self, cast

import pytest

from shared.azure import PartitionFacts
from shared.errors import ResumeRefused, RowsRejected
from shared.settings import Settings
from shared.store.types import Checkpoint, Term
from tests.unit.plain_settings import eventhub, plain
from worker import opening
from worker.link import Position
from worker.opening import Opening, open_partition
from worker.progress import Progress

TERM = Term("3", "me", 7)
BORN_S = 1.5


class World:
    """Stands for the channel, the hub and the store of one partition; remembers who was asked when."""

    def __init__(self, token: int | None, stored: Checkpoint | None, last: int = 100, errors: int = 0) -> None:
        self.asked: list[str] = []
        self._progress, self._stored = Progress(token, errors), stored
        self._facts = PartitionFacts(0, last, last < 0, BORN_S, f"offset-{last}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def probe(self) -> None:
        self.asked.append("probe")

    def open(self, token: int | None = None) -> Progress:
        self.asked.append("open" if token is None else f"open at {token}")
        return self._progress if token is None else Progress(token, 0)

    def partition(self, _: str) -> PartitionFacts:
        self.asked.append("partition")
        return self._facts

    def load_checkpoint(self, _: str) -> Checkpoint | None:
        self.asked.append("checkpoint")
        return self._stored


def opened(world: World, monkeypatch: pytest.MonkeyPatch, settings: Settings | None = None) -> Opening:
    monkeypatch.setattr(opening, "EventHubClient", lambda _: world)
    return open_partition(settings or plain(), TERM, cast("Any", world), cast("Any", world))


def stored(sequence_number: int | None, errors: int = 0) -> Checkpoint:
    return Checkpoint("3", sequence_number, "offset-stored", 6, errors, BORN_S)


def test_the_partition_is_read_after_the_channel_that_may_take_two_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(50, stored(50))
    opened(world, monkeypatch)
    assert world.asked[:2] == ["probe", "open"]
    assert sorted(world.asked[2:]) == ["checkpoint", "partition"]


@pytest.mark.parametrize(
    ("token", "checkpoint", "sequence_number", "offset"),
    [
        (50, stored(50), 50, "offset-stored"),
        (60, stored(50), 50, None),  # the offset of event 60 is not known
        (100, stored(50), 50, "offset-100"),  # but that of the last event is
        (60, None, None, None),
        (None, None, None, None),
    ],
)
def test_the_next_checkpoint_is_made_under_the_new_epoch_with_an_offset_of_its_own_event(
    monkeypatch: pytest.MonkeyPatch,
    token: int | None,
    checkpoint: Checkpoint | None,
    sequence_number: int | None,
    offset: str | None,
) -> None:
    made = opened(World(token, checkpoint), monkeypatch)
    assert made.checkpoint == Checkpoint("3", sequence_number, offset, 7, 0, BORN_S)
    assert made.resume.after == token


def test_rows_rejected_while_nobody_watched_are_found_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RowsRejected, match="rejected 2 rows"):
        opened(World(50, stored(50, errors=3), errors=5), monkeypatch)
    with pytest.raises(RowsRejected, match="rejected 1 rows"):
        opened(World(50, None, errors=1), monkeypatch)
    assert opened(World(50, stored(50, errors=5), errors=5), monkeypatch).checkpoint.rows_error_count == 5


def test_witnesses_that_contradict_each_other_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ResumeRefused):
        opened(World(40, stored(50)), monkeypatch)


@pytest.mark.parametrize(
    ("starting_position", "expected"),
    [("-1", Position(None)), ("2026-01-31T00:00:00Z", Position(None, "2026-01-31T00:00:00Z"))],
)
def test_a_fresh_partition_begins_where_the_settings_say(
    monkeypatch: pytest.MonkeyPatch, starting_position: str, expected: Position
) -> None:
    made = opened(World(None, None), monkeypatch, plain(None, eventhub(starting_position=starting_position)))
    assert made.position(starting_position) == expected


def test_latest_is_pinned_to_a_number_before_the_first_event(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = plain(None, eventhub(starting_position="@latest"))
    world = World(None, None)
    made = opened(world, monkeypatch, settings)
    assert world.asked[-1] == "open at 100"
    assert made.position("@latest") == Position(100, made.position("@latest").fresh)
    assert made.progress.token == 100
    assert made.checkpoint.offset == "offset-100"
    never_used = opened(World(None, None, last=-1), monkeypatch, settings)
    assert never_used.position("@latest") == Position(None)


def test_latest_is_for_fresh_partitions_only(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = plain(None, eventhub(starting_position="@latest"))
    assert opened(World(50, stored(50)), monkeypatch, settings).position("@latest").after == 50

"""Opening a partition whose channel is new, or does not exist any more."""

from dataclasses import replace

import pytest

from shared.errors import ResumeRefused
from shared.ipc.messages import ChannelStatus
from shared.model import Checkpoint
from shared.resume import NOTHING
from tests.unit.plain_settings import eventhub, plain
from tests.unit.worker.opening_world import BORN_S, ENROLLED, POSITIONS, TERM, World, moved, opened, stored
from worker import opening
from worker.opening import StartingPoint, open_partition
from worker.source.link import Position


@pytest.mark.parametrize(
    ("token", "checkpoint", "expected"),
    [
        (None, moved(50), ["open 0", "open 2", "partition", "checkpoint", "save"]),
        (None, moved(50, opened=1), ["open 1", "open 2", "partition", "checkpoint", "save"]),
        (None, moved(None), ["open 0", "open 2", "partition", "checkpoint", "save"]),
        (None, moved(50, opened=2), ["open 2", "partition", "checkpoint"]),
        (50, moved(50, opened=2), ["open 2", "partition", "checkpoint"]),
        (None, moved(None, opened=2), ["open 2", "partition", "checkpoint", "save"]),  # where the channel begins
    ],
)
def test_a_new_channel_is_opened_after_its_former_and_stored_before_the_first_row(
    monkeypatch: pytest.MonkeyPatch, token: int | None, checkpoint: Checkpoint, expected: list[str]
) -> None:
    world = World(token, checkpoint)
    made = opened(world, monkeypatch)
    assert world.asked[2:] == expected
    assert made.resume.after == checkpoint.sequence_number
    assert made.status.token == token
    first = 0 if checkpoint.sequence_number is None else 51
    assert made.checkpoint == replace(checkpoint, epoch=7, opened_generation=2, unsettled_from=first)
    assert world.saved == ([made.checkpoint] if "save" in expected else [])


@pytest.mark.parametrize("starting_position", POSITIONS)
def test_a_partition_that_was_reset_begins_at_its_oldest_event(
    monkeypatch: pytest.MonkeyPatch, starting_position: str
) -> None:
    settings = plain(None, eventhub(starting_position=starting_position))
    for reset in (moved(None), moved(None, opened=2)):
        made = opened(World(None, reset), monkeypatch, settings)
        assert made.position(starting_position) == Position(None, "-1", BORN_S)


def test_a_new_channel_begins_after_the_events_that_are_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    made = opened(World(None, moved(50), first=61), monkeypatch, plain(None, eventhub(on_gap="warn")))
    assert (made.resume.after, made.resume.lost) == (60, 10)


def test_a_refused_start_stores_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for world in (World(40, moved(50)), World(None, moved(101))):
        with pytest.raises(ResumeRefused):
            opened(world, monkeypatch)
        assert not world.saved


def test_events_that_a_former_channel_wrote_are_known_to_repeat(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(None, replace(moved(50), repeats_up_to=40))
    monkeypatch.setattr(world, "open", lambda generation: ChannelStatus(90 if generation < 2 else None, 0))
    assert opened(world, monkeypatch).checkpoint.repeats_up_to == 90
    assert opened(World(None, replace(moved(50), repeats_up_to=40)), monkeypatch).checkpoint.repeats_up_to == 40


def test_a_channel_that_is_lost_at_its_last_event_is_followed_by_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    known = replace(stored(100, errors=2), offset="offset-100", unsettled_from=101)
    world = World(None, known)
    made = opened(world, monkeypatch)
    assert world.asked.count("begin after 100") == 1
    assert made.resume.after == 100
    assert (made.checkpoint.channel_generation, made.checkpoint.rows_error_count) == (1, 0)
    assert (made.checkpoint.opened_generation, made.checkpoint.unsettled_from) == (1, 101)
    assert world.name == "CHANNEL_G1"


def test_a_worker_that_knows_what_it_wrote_goes_on_whatever_comes_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(None, replace(stored(50), unsettled_from=51))
    monkeypatch.setattr(opening, "EventHubClient", lambda _: world)
    made = open_partition(plain(), TERM, world, world, written=50)
    assert isinstance(made, StartingPoint)
    assert (made.resume.after, made.checkpoint.channel_generation) == (50, 1)
    with pytest.raises(ResumeRefused, match="but the channel has no token"):
        opened(World(None, stored(50)), monkeypatch)


BEGUN = [
    replace(ENROLLED, unsettled_from=0),
    replace(ENROLLED, unsettled_from=33),
    replace(ENROLLED, begins_after=40, unsettled_from=41),
    replace(moved(50, opened=2), unsettled_from=51),
    replace(moved(None, opened=2), unsettled_from=0),
    replace(moved(None, opened=2), rows_error_count=1),
]


@pytest.mark.parametrize("checkpoint", BEGUN)
def test_a_channel_lost_before_its_first_checkpoint_is_refused_at_every_start_and_not_made_anew(
    monkeypatch: pytest.MonkeyPatch, checkpoint: Checkpoint
) -> None:
    world = World(None, checkpoint)
    world.channel_exists = False
    for _ in range(2):
        with pytest.raises(ResumeRefused, match="its channel does not exist any more"):
            opened(world, monkeypatch)
    assert not [asked for asked in world.asked if asked.startswith(("open", "save"))]


@pytest.mark.parametrize(
    ("checkpoint", "command"),
    [
        (BEGUN[0], "reset --partition 3 --to -1` if the table has no row of the partition"),
        (BEGUN[1], "set --partition 3 --sequence-number 32` if the table has no row of a later event than 32"),
        (BEGUN[2], "set --partition 3 --sequence-number 40` if the table has no row of a later event than 40"),
        (BEGUN[-1], "reset --partition 3 --to -1` if the table has no row of the partition"),
    ],
)
def test_the_refusal_says_what_to_type_if_the_lost_channel_had_no_row(
    monkeypatch: pytest.MonkeyPatch, checkpoint: Checkpoint, command: str
) -> None:
    world = World(None, checkpoint)
    world.channel_exists = False
    with pytest.raises(ResumeRefused) as refused:
        opened(world, monkeypatch)
    assert "`evsup checkpoints set --partition 3 --table-end`" in refused.value.fix
    assert f", or `evsup checkpoints {command}." in refused.value.fix


@pytest.mark.parametrize("checkpoint", BEGUN)
def test_a_channel_lost_in_another_hub_is_refused_for_the_hub(
    monkeypatch: pytest.MonkeyPatch, checkpoint: Checkpoint
) -> None:
    """As `evsup check` says it: the numbers of another hub tell nothing of the rows."""
    world = World(None, replace(checkpoint, hub_created_at_s=BORN_S - 5))
    world.channel_exists = False
    with pytest.raises(ResumeRefused, match="the event hub is not the one of the checkpoint"):
        opened(world, monkeypatch)


@pytest.mark.parametrize("checkpoint", BEGUN[:-1])
def test_a_worker_that_has_written_nothing_to_a_lost_channel_begins_it_again(
    monkeypatch: pytest.MonkeyPatch, checkpoint: Checkpoint
) -> None:
    world = World(None, checkpoint)
    world.channel_exists = False
    monkeypatch.setattr(opening, "EventHubClient", lambda _: world)
    made = open_partition(plain(), TERM, world, world, written=NOTHING)
    assert isinstance(made, StartingPoint)
    assert made.resume.after == checkpoint.durable_up_to


@pytest.mark.parametrize("checkpoint", [checkpoint for checkpoint in BEGUN if checkpoint.unsettled_from])
def test_a_channel_lost_before_any_event_came_begins_again(
    monkeypatch: pytest.MonkeyPatch, checkpoint: Checkpoint
) -> None:
    world = World(None, checkpoint, last=(checkpoint.unsettled_from or 0) - 1)
    world.channel_exists = False
    assert opened(world, monkeypatch).resume.after == checkpoint.durable_up_to


@pytest.mark.parametrize(
    "checkpoint",
    [None, ENROLLED, replace(ENROLLED, begins_after=40), moved(50), moved(None), replace(moved(50), unsettled_from=1)],
)
def test_a_channel_that_no_worker_has_opened_need_not_exist(
    monkeypatch: pytest.MonkeyPatch, checkpoint: Checkpoint | None
) -> None:
    world = World(None, checkpoint)
    world.channel_exists = False
    assert opened(world, monkeypatch).status.token is None


@pytest.mark.parametrize("checkpoint", BEGUN)
def test_a_channel_that_exists_and_has_no_token_has_no_row(
    monkeypatch: pytest.MonkeyPatch, checkpoint: Checkpoint
) -> None:
    world = World(None, checkpoint, errors=checkpoint.rows_error_count)
    assert opened(world, monkeypatch).resume.after == checkpoint.durable_up_to
    assert f"exists {checkpoint.channel_generation}" in world.asked

"""Opening a partition: in what order it is done, and what the next checkpoint is made from."""

from dataclasses import replace
from typing import Any

import pytest

from shared.config.settings import Settings
from shared.errors import OwnershipLost, ResumeRefused
from shared.model import Checkpoint, LastEnqueued
from tests.unit.plain_settings import eventhub, plain, snowflake
from tests.unit.worker.opening_world import (
    BORN_S,
    ENQUEUED_S,
    ENROLLED,
    LAST_ENQUEUED_S,
    POSITIONS,
    TERM,
    World,
    found,
    opened,
    stored,
)
from worker.source.link import Position


def test_the_partition_is_read_after_the_channel_that_may_take_two_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(50, stored(50))
    opened(world, monkeypatch)
    assert world.asked == ["probe", "checkpoint", "open 0", "partition", "checkpoint"]
    assert not world.saved


@pytest.mark.parametrize(
    ("token", "checkpoint", "sequence_number", "offset", "unsettled_from"),
    [
        (50, stored(50), 50, "offset-stored", 51),
        (60, stored(50), 50, None, 61),  # the offset of event 60 is not known
        (100, stored(50), 50, "offset-100", 101),  # but that of the last event is
        (60, replace(stored(50), unsettled_from=31), 50, None, 31),
        (60, None, None, None, 0),
        (None, None, None, "-1", 0),  # nobody enrolled it: it is read from its oldest event
    ],
)
def test_the_next_checkpoint_is_made_under_the_new_epoch_with_an_offset_of_its_own_event(
    monkeypatch: pytest.MonkeyPatch,
    token: int | None,
    checkpoint: Checkpoint | None,
    sequence_number: int | None,
    offset: str | None,
    unsettled_from: int,
) -> None:
    made = opened(World(token, checkpoint), monkeypatch)
    assert made.checkpoint == Checkpoint("3", sequence_number, offset, 7, 0, BORN_S, unsettled_from=unsettled_from)
    assert made.resume.after == token


def test_the_enqueued_time_of_the_checkpoints_event_is_not_taken_for_that_of_the_tokens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = replace(stored(50), enqueued_at_s=ENQUEUED_S)
    assert opened(World(50, known), monkeypatch).checkpoint.enqueued_at_s == ENQUEUED_S
    for token in (60, 100):
        assert opened(World(token, known), monkeypatch).checkpoint.enqueued_at_s is None


def test_the_receiver_is_given_the_event_of_the_checkpoint_to_check(monkeypatch: pytest.MonkeyPatch) -> None:
    written = replace(stored(50), updated_at_s=BORN_S)
    last_event = opened(World(50, written), monkeypatch).position("-1").last_event
    assert last_event is not None
    assert (last_event.number, last_event.offset, last_event.enqueued.timestamp()) == (50, "offset-stored", BORN_S)


LOOK = "event 50 of 3 by 7"


def test_the_event_of_a_checkpoint_behind_the_token_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for known in (replace(stored(50), enqueued_at_s=ENQUEUED_S), replace(stored(50), updated_at_s=ENQUEUED_S + 1)):
        world = World(60, known)
        made = opened(world, monkeypatch)
        assert world.asked.count(LOOK) == 1
        assert (made.resume.after, made.position("-1").last_event) == (60, None)


@pytest.mark.parametrize(
    ("checkpoint", "settings"),
    [
        (stored(50), plain()),
        (stored(50, errors=2), plain(snowflake(on_reject="quarantine", warehouse="WH"))),
    ],
)
def test_another_event_under_the_number_of_a_checkpoint_behind_the_token_is_refused_before_anything_is_done(
    monkeypatch: pytest.MonkeyPatch, checkpoint: Checkpoint, settings: Settings
) -> None:
    world = World(60, replace(checkpoint, enqueued_at_s=ENQUEUED_S - 1), errors=5 if checkpoint.rows_error_count else 0)
    with pytest.raises(ResumeRefused, match="event 50 of the hub is not the one") as refused:
        found(world, monkeypatch, settings)
    assert "--to 2023-11-14T22:13:19.124+00:00`" in refused.value.fix
    assert not world.saved


@pytest.mark.parametrize(
    ("token", "checkpoint", "facts"),
    [
        (50, replace(stored(50), enqueued_at_s=BORN_S), {}),  # the first link looks at it
        (60, replace(stored(50), enqueued_at_s=BORN_S), {"first": 51}),  # it has left retention
        (100, replace(stored(50), enqueued_at_s=BORN_S), {"is_empty": True}),  # so has every event
        (60, stored(None), {}),
        (60, None, {}),
    ],
)
def test_no_other_start_reads_an_event(
    monkeypatch: pytest.MonkeyPatch, token: int, checkpoint: Checkpoint | None, facts: dict[str, Any]
) -> None:
    world = World(token, checkpoint)
    world.facts = replace(world.facts, **facts)
    opened(world, monkeypatch)
    assert not [asked for asked in world.asked if asked.startswith("event")]


def test_a_token_behind_the_checkpoint_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ResumeRefused):
        opened(World(40, stored(50)), monkeypatch)


@pytest.mark.parametrize("starting_position", POSITIONS)
def test_a_partition_that_was_there_when_the_group_began_begins_where_the_settings_say(
    monkeypatch: pytest.MonkeyPatch, starting_position: str
) -> None:
    made = opened(World(None, ENROLLED), monkeypatch, plain(None, eventhub(starting_position=starting_position)))
    fresh = "-1" if starting_position == "@latest" else starting_position  # it had no event then
    assert made.position(starting_position) == Position(None, fresh, BORN_S)


@pytest.mark.parametrize("starting_position", POSITIONS)
def test_a_partition_that_was_added_since_is_read_from_its_oldest_event_also_after_a_crash(
    monkeypatch: pytest.MonkeyPatch, starting_position: str
) -> None:
    world, settings = World(None, None), plain(None, eventhub(starting_position=starting_position))
    for _ in range(2):
        made = opened(world, monkeypatch, settings)
        assert made.position(starting_position) == Position(None, "-1", BORN_S)
    assert world.saved == [Checkpoint("3", None, "-1", 7, 0, BORN_S, unsettled_from=0)]


def test_the_hub_creation_time_is_stored_once_and_before_the_first_event(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(None, None)
    opened(world, monkeypatch)
    assert world.saved == [Checkpoint("3", None, "-1", 7, 0, BORN_S, unsettled_from=0)]
    opened(world, monkeypatch)
    assert world.asked.count("save") == 1


@pytest.mark.parametrize("starting_position", POSITIONS)
def test_a_partition_begins_where_latest_was_when_the_group_began(
    monkeypatch: pytest.MonkeyPatch, starting_position: str
) -> None:
    world = World(None, replace(ENROLLED, begins_after=40))
    made = opened(world, monkeypatch, plain(None, eventhub(starting_position=starting_position)))
    assert made.position(starting_position).after == 40
    assert made.checkpoint == replace(ENROLLED, epoch=7, begins_after=40, unsettled_from=41)
    assert world.saved == [made.checkpoint], "with the first event whose row may be rejected"


def test_events_that_left_the_hub_since_the_group_began_are_lost_and_not_skipped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(ResumeRefused, match="20 events are lost"):
        opened(World(None, replace(ENROLLED, begins_after=40), first=61), monkeypatch)


def test_a_token_counts_more_than_where_the_group_began(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert opened(World(30, replace(ENROLLED, begins_after=40)), monkeypatch).resume.after == 30


def test_a_worker_that_lost_the_partition_stores_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(None, None)
    world.newest_epoch = TERM.epoch + 1
    with pytest.raises(OwnershipLost):
        opened(world, monkeypatch, plain(None, eventhub(starting_position="@latest")))


def test_a_checkpoint_of_a_newer_epoch_is_a_new_owner_and_no_contradiction(monkeypatch: pytest.MonkeyPatch) -> None:
    newer = replace(stored(50), epoch=TERM.epoch + 1)
    for token in (40, None):
        with pytest.raises(OwnershipLost, match="epoch 8 owns it now, this worker has epoch 7"):
            opened(World(token, newer), monkeypatch)


def test_latest_is_for_fresh_partitions_only(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = plain(None, eventhub(starting_position="@latest"))
    assert opened(World(50, stored(50)), monkeypatch, settings).position("@latest").after == 50


@pytest.mark.parametrize(
    ("token", "begins_after", "durable_at_s"),
    [
        (50, 50, ENQUEUED_S),
        (60, 60, None),  # nobody knows when event 60 was enqueued
        (100, 100, LAST_ENQUEUED_S),  # but of the partition's last event the hub says it
        (None, -1, None),
    ],
)
def test_where_the_partition_ends_and_how_old_the_newest_row_is_is_known_before_an_event_comes(
    monkeypatch: pytest.MonkeyPatch, token: int | None, begins_after: int, durable_at_s: float | None
) -> None:
    checkpoint = replace(stored(50), enqueued_at_s=ENQUEUED_S) if token else None
    made = opened(World(token, checkpoint), monkeypatch)
    assert (made.end, made.begins_after) == (LastEnqueued(100, LAST_ENQUEUED_S), begins_after)
    assert made.durable_at_s == durable_at_s

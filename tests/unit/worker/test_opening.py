"""Opening a partition: in what order the witnesses are heard, and what the next checkpoint is made from."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Self

import pytest
from azure.eventhub import EventData

from shared.config.settings import Settings
from shared.errors import DataRefused, OwnershipLost, ResumeRefused, RowsRejected
from shared.ipc.messages import ChannelStatus
from shared.model import Checkpoint, PartitionFacts, Term
from shared.snowflake.channel_name import of_generation
from tests.unit.plain_settings import eventhub, plain, snowflake
from tests.unit.worker.source.events import ENQUEUED_MS, event
from worker import opening
from worker.opening import StartingPoint, open_partition
from worker.sink.rejection import Rejection
from worker.source.receiver import Position

TERM = Term("3", "me", 7)
BORN_S = 1.5
ENQUEUED_S = ENQUEUED_MS / 1000


class World:
    """Stands for the channel, the hub and the store of one partition; remembers who was asked when."""

    def __init__(
        self, token: int | None, stored: Checkpoint | None, last: int = 100, errors: int = 0, first: int = 0
    ) -> None:
        self.asked: list[str] = []
        self.name = ""
        self.saved: list[Checkpoint] = []
        self.newest_epoch = TERM.epoch
        self.later: ChannelStatus | None = None
        self.channel_exists = True
        self._progress, self._stored = ChannelStatus(token, errors), stored
        self.facts = PartitionFacts(first, last, last < 0, BORN_S, f"offset-{last}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def probe(self) -> None:
        self.asked.append("probe")

    def exists(self, generation: int) -> bool:
        self.asked.append(f"exists {generation}")
        return self.channel_exists

    def open(self, generation: int) -> ChannelStatus:
        self.name = of_generation("CHANNEL", generation)
        self.asked.append(f"open {generation}")
        return self._progress

    def partition(self, _: str) -> PartitionFacts:
        self.asked.append("partition")
        return self.facts

    def last_before(self, *_: object) -> int | None:
        return 32

    def at_or_after(self, partition_id: str, number: int, owner_level: int) -> EventData:
        self.asked.append(f"event {number} of {partition_id} by {owner_level}")
        return event(b"{}", number)

    def await_status(self, is_told: Callable[[ChannelStatus], bool], _: float) -> ChannelStatus | None:
        self.asked.append("await")
        return self.later if self.later and is_told(self.later) else None

    def begin_next_channel(self, checkpoint: Checkpoint) -> None:
        self.asked.append(f"begin behind {checkpoint.sequence_number}")
        generation = checkpoint.channel_generation + 1
        self._stored = replace(
            checkpoint,
            channel_generation=generation,
            begins_after=checkpoint.sequence_number,
            rows_error_count=0,
            unsettled_from=None,
        )

    def load_checkpoint(self, _: str) -> Checkpoint | None:
        self.asked.append("checkpoint")
        return self._stored

    def save_checkpoint(self, checkpoint: Checkpoint) -> None:
        self.asked.append("save")
        if self.newest_epoch > checkpoint.epoch:
            raise OwnershipLost("The checkpoint was not written")
        self.saved.append(checkpoint)
        self._stored = checkpoint


def begun(world: World, monkeypatch: pytest.MonkeyPatch, settings: Settings | None = None) -> StartingPoint | Rejection:
    monkeypatch.setattr(opening, "EventHubClient", lambda _: world)
    return open_partition(settings or plain(), TERM, world, world)


def opened(world: World, monkeypatch: pytest.MonkeyPatch, settings: Settings | None = None) -> StartingPoint:
    made = begun(world, monkeypatch, settings)
    assert isinstance(made, StartingPoint)
    return made


def stored(sequence_number: int | None, errors: int = 0) -> Checkpoint:
    return Checkpoint("3", sequence_number, "offset-stored", 6, errors, BORN_S)


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


def test_what_is_known_of_the_event_of_the_checkpoint_is_not_said_of_the_tokens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = replace(stored(50), enqueued_at_s=ENQUEUED_S)
    assert opened(World(50, known), monkeypatch).checkpoint.enqueued_at_s == ENQUEUED_S
    for token in (60, 100):
        assert opened(World(token, known), monkeypatch).checkpoint.enqueued_at_s is None


def test_the_position_knows_the_event_of_the_checkpoint_that_it_goes_on_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    written = replace(stored(50), updated_at_s=BORN_S)
    landmark = opened(World(50, written), monkeypatch).position("-1").landmark
    assert landmark is not None
    assert (landmark.number, landmark.offset, landmark.enqueued.timestamp()) == (50, "offset-stored", BORN_S)


LOOK = "event 50 of 3 by 7"


def test_the_event_of_a_checkpoint_behind_the_token_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for known in (replace(stored(50), enqueued_at_s=ENQUEUED_S), replace(stored(50), updated_at_s=ENQUEUED_S + 1)):
        world = World(60, known)
        made = opened(world, monkeypatch)
        assert world.asked.count(LOOK) == 1
        assert (made.resume.after, made.position("-1").landmark) == (60, None)


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
        begun(world, monkeypatch, settings)
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
def test_no_other_start_looks_at_an_event(
    monkeypatch: pytest.MonkeyPatch, token: int, checkpoint: Checkpoint | None, facts: dict[str, Any]
) -> None:
    world = World(token, checkpoint)
    world.facts = replace(world.facts, **facts)
    opened(world, monkeypatch)
    assert not [asked for asked in world.asked if asked.startswith("event")]


def test_rows_rejected_while_nobody_watched_are_found_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RowsRejected, match="rejected 2 rows"):
        opened(World(50, stored(50, errors=3), errors=5), monkeypatch)
    with pytest.raises(RowsRejected, match="rejected 1 rows"):
        opened(World(50, None, errors=1), monkeypatch)
    assert opened(World(50, stored(50, errors=5), errors=5), monkeypatch).checkpoint.rows_error_count == 5


QUARANTINE = snowflake(on_reject="quarantine", warehouse="WH")


@pytest.mark.parametrize(
    ("checkpoint", "starting_position", "first"),
    [
        (replace(stored(50, errors=3), unsettled_from=31), "-1", 31),
        (replace(stored(None), unsettled_from=3), "-1", 3),  # retention has passed them since the channel was opened
        (stored(50, errors=3), "-1", 51),
        (stored(50, errors=3), "2026-01-31T00:00:00Z", 51),
        (None, "-1", 7),  # the first checkpoint was not written: from the oldest event on
        (None, "2026-01-31T00:00:00Z", 33),
    ],
)
def test_rejected_rows_to_be_set_aside_are_among_the_unsettled_events(
    monkeypatch: pytest.MonkeyPatch, checkpoint: Checkpoint | None, starting_position: str, first: int
) -> None:
    world = World(60, checkpoint, errors=5, first=7)
    found = begun(world, monkeypatch, plain(QUARANTINE, eventhub(starting_position=starting_position)))
    assert isinstance(found, Rejection)
    known = checkpoint.rows_error_count if checkpoint else 0
    assert (found.rows, found.numbers, found.channel) == (5 - known, range(first, 61), "CHANNEL")
    assert found.checkpoint == Checkpoint("3", 60, None, 7, 5, BORN_S, unsettled_from=61)
    assert found.position == (checkpoint.sequence_number if checkpoint else None)
    assert not world.saved, "nothing is recorded before they are set aside"


def test_what_a_start_refuses_is_refused_before_anything_is_set_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ResumeRefused):
        begun(World(40, stored(50), errors=2), monkeypatch, plain(QUARANTINE))


def test_witnesses_that_contradict_each_other_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ResumeRefused):
        opened(World(40, stored(50)), monkeypatch)


ENROLLED = Checkpoint("3", None, None, 6, 0, BORN_S)  # when the group began
POSITIONS = ["-1", "@latest", "2026-01-31T00:00:00Z"]


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


def test_the_birth_of_the_hub_is_noted_once_and_before_the_first_event(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_what_an_earlier_control_store_committed_counts_more_than_where_the_group_began(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert opened(World(30, replace(ENROLLED, begins_after=40)), monkeypatch).resume.after == 30


def test_nothing_is_noted_by_one_who_is_not_the_owner_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
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


def moved(sequence_number: int | None, opened: int = 0) -> Checkpoint:
    return Checkpoint("3", sequence_number, "offset-stored", 6, 0, BORN_S, None, 2, opened, sequence_number)


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
def test_a_new_channel_is_begun_behind_its_former_and_noted_before_the_first_row(
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
    for stored in (moved(None), moved(None, opened=2)):
        made = opened(World(None, stored), monkeypatch, settings)
        assert made.position(starting_position) == Position(None, "-1", BORN_S)


def test_a_new_channel_begins_after_the_events_that_are_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    made = opened(World(None, moved(50), first=61), monkeypatch, plain(None, eventhub(on_gap="warn")))
    assert (made.resume.after, made.resume.lost) == (60, 10)


def test_rejected_rows_are_not_looked_for_among_events_that_are_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = plain(QUARANTINE, eventhub(on_gap="warn"))
    world = World(50, replace(stored(50), unsettled_from=31), first=61)
    made = opened(world, monkeypatch, settings)
    assert made.checkpoint.unsettled_from == 61
    assert world.saved == [made.checkpoint], "before the first row behind them"
    counted = begun(World(50, replace(stored(50), unsettled_from=31), errors=1, first=61), monkeypatch, settings)
    assert isinstance(counted, Rejection)
    assert counted.numbers == range(31, 51)


def test_nothing_is_begun_or_noted_when_the_start_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for world in (World(40, moved(50)), World(None, moved(101))):
        with pytest.raises(ResumeRefused):
            opened(world, monkeypatch)
        assert not world.saved


def test_the_first_event_of_a_fresh_channel_is_noted_before_its_first_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the time a row is found rejected, retention may have passed it."""
    for settings, first in (
        (plain(QUARANTINE), 7),
        (plain(QUARANTINE, eventhub(starting_position="2026-01-31T00:00:00Z")), 33),
        (plain(None, eventhub(starting_position="2026-01-31T00:00:00Z")), 33),
    ):
        world = World(None, ENROLLED, first=7)
        assert opened(world, monkeypatch, settings).checkpoint.unsettled_from == first
        assert [saved.unsettled_from for saved in world.saved] == [first]


def test_the_first_event_of_a_channel_is_another_one_when_retention_passed_it_before_the_first_row(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(None, replace(stored(None), unsettled_from=7), first=9)
    assert opened(world, monkeypatch).checkpoint.unsettled_from == 9
    assert [saved.unsettled_from for saved in world.saved] == [9]
    latest = World(None, replace(ENROLLED, begins_after=40, unsettled_from=3))
    assert opened(latest, monkeypatch).checkpoint.unsettled_from == 41


def test_what_a_former_channel_has_written_is_known_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(None, replace(moved(50), repeats_up_to=40))
    monkeypatch.setattr(world, "open", lambda generation: ChannelStatus(90 if generation < 2 else None, 0))
    assert opened(world, monkeypatch).checkpoint.repeats_up_to == 90
    assert opened(World(None, replace(moved(50), repeats_up_to=40)), monkeypatch).checkpoint.repeats_up_to == 40


def test_a_count_below_the_checkpoint_s_is_waited_for_and_refused_when_it_stays_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(60, stored(50, errors=5), errors=3)
    with pytest.raises(DataRefused, match="went back from 5 to 3") as refused:
        opened(world, monkeypatch)
    assert "`evsup checkpoints set --partition 3 --rejected-rows 3`" in refused.value.fix
    world.later = ChannelStatus(70, 5)
    made = opened(world, monkeypatch)
    assert (made.status.token, made.checkpoint.rows_error_count) == (60, 5), "the token is the one of the open"
    world.later = ChannelStatus(70, 6)
    with pytest.raises(RowsRejected, match="rejected 1 rows"):
        opened(world, monkeypatch)


def test_a_channel_that_is_gone_at_its_end_is_followed_by_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    known = replace(stored(100, errors=2), offset="offset-100", unsettled_from=101)
    world = World(None, known)
    made = opened(world, monkeypatch)
    assert world.asked.count("begin behind 100") == 1
    assert made.resume.after == 100
    assert (made.checkpoint.channel_generation, made.checkpoint.rows_error_count) == (1, 0)
    assert (made.checkpoint.opened_generation, made.checkpoint.unsettled_from) == (1, 101)
    assert world.name == "CHANNEL_G1"


def test_a_worker_that_knows_what_it_wrote_goes_on_whatever_is_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
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


@pytest.mark.parametrize("checkpoint", [checkpoint for checkpoint in BEGUN if checkpoint.unsettled_from])
def test_a_channel_lost_before_any_event_came_begins_again(
    monkeypatch: pytest.MonkeyPatch, checkpoint: Checkpoint
) -> None:
    world = World(None, checkpoint, last=(checkpoint.unsettled_from or 0) - 1)
    world.channel_exists = False
    assert opened(world, monkeypatch).resume.after == checkpoint.reached


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
    assert opened(world, monkeypatch).resume.after == checkpoint.reached
    assert f"exists {checkpoint.channel_generation}" in world.asked
